"""A run in progress: all that changes from step to step, which is what a checkpoint holds."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from gan.computing.compute import Compute
from gan.data.batches import Rows
from gan.data.description import DataDescription
from gan.data.rows import Batch
from gan.errors import NotFiniteError
from gan.runs.checkpoint import Best, Checkpoint
from gan.runs.run_folder import library_versions
from gan.settings.run_settings import RunSettings
from gan.systems import build_system
from gan.training.averaging import Average
from gan.training.schedule import Plan


class Progress:
    """A system, its averaged weights, the state of the noise, the steps and batches so far, and the best score."""

    def __init__(self, settings: RunSettings, data: DataDescription, plan: Plan, compute: Compute) -> None:
        self.settings, self.data, self.plan, self.compute = settings, data, plan, compute
        self.system = build_system(settings, data, compute)
        compute.same_everywhere(self.system.networks.values())
        decay = settings.averaging.decay
        averaged = self.system.generating if decay else ()
        self.averages = {name: Average(self.system.networks[name], decay) for name in averaged}
        self.noise = torch.Generator().manual_seed(settings.seed)
        self.step = self.batches_used = 0
        self.best: Best | None = None

    def prepare(self, rows: Rows, on_step: Callable[[int, int], None]) -> bool:
        """Do what the system wants done before the first step; give whether there was anything.

        Raises NotFiniteError.
        """
        did = self.system.prepare(rows, on_step)
        self.compute.same_everywhere(self.system.networks.values())
        self._check_finite({name: value.item() for name, value in self._largest_weights().items()}, "before step 1")
        return did

    def rates(self) -> dict[str, float]:
        """Give the learning rates of the next step by network."""
        factor = self.plan.rate(self.step)
        return {f"lr/{name}": base * factor for name, base in self.system.base_rates.items()}

    def advance(self, stream: Iterator[Batch]) -> dict[str, float]:
        """Do one step and give its losses over all processes. Raises NotFiniteError, in all of them."""
        rates = self.rates()
        for name, optimiser in self.system.optimisers.items():
            for group in optimiser.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rates[f"lr/{name}"])  # in its place, which a CUDA graph reads
                else:
                    group["lr"] = rates[f"lr/{name}"]
        on_device = self.system.train_round(self._counted(stream), self.noise)
        # The losses are of the weights before their last step, so the weights are looked at too.
        weights = self._largest_weights()
        # One transfer for all of them: each would wait for the device.
        values = self.compute.mean(torch.stack([*on_device.values(), *weights.values()])).tolist()
        seen: dict[str, float] = dict(zip([*on_device, *weights], values, strict=True))
        self.step += 1
        self._check_finite(seen, f"at step {self.step}")
        for average in self.averages.values():
            average.update(self.step)
        return {name: seen[name] for name in on_device}

    @contextmanager
    def generating(self) -> Iterator[None]:
        """Let the system generate as it is meant to: with averaged weights if there are any, and leaving no trace."""
        with ExitStack() as stack:
            for average in self.averages.values():
                stack.enter_context(average.in_place())
            networks = [self.system.networks[name] for name in self.system.generating]
            learning = [network.training for network in networks]
            for network in networks:
                network.eval()  # norms over a batch take what they have learned, and learn nothing
            try:
                yield
            finally:
                for network, before in zip(networks, learning, strict=True):
                    network.train(before)

    def save(self, path: Path) -> None:
        """Write a checkpoint. Raises CheckpointError or maskkit's OutputError."""
        Checkpoint(
            path=path,
            step=self.step,
            batches=self.batches_used,
            settings=self.settings,
            data=self.data,
            networks={name: network.state_dict() for name, network in self.system.networks.items()},
            averages={name: average.weights for name, average in self.averages.items()},
            optimisers={name: optimiser.state_dict() for name, optimiser in self.system.optimisers.items()},
            noise=self.noise.get_state(),
            versions=library_versions(),
            best=self.best,
            state=self.system.state(),
        ).save()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over a checkpoint's state. Raises CheckpointError where something does not fit."""
        averages = {name: average.weights for name, average in self.averages.items()}
        checkpoint.fill(self.system.networks, averages, self.system.optimisers)
        checkpoint.fill_noise(self.noise)
        self.system.load_state(checkpoint.state)
        self.step, self.batches_used, self.best = checkpoint.step, checkpoint.batches, checkpoint.best

    def _largest_weights(self) -> dict[str, Tensor]:
        """Give the largest absolute weight of each network on the device; it is finite if all of them are."""
        networks = self.system.networks.items()
        return {f"a weight of {name}": get_total_norm(network.parameters(), math.inf) for name, network in networks}

    def _check_finite(self, values: Mapping[str, float], when: str) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                raise NotFiniteError(f"{name} is {value} {when}")

    def _counted(self, stream: Iterator[Batch]) -> Iterator[Batch]:
        for batch in stream:
            self.batches_used += 1
            yield batch
