"""The door between the training loop and a system: what a system brings, and what it finds ready here.

The loop brings batches, device, precision, processes, schedule, averaging, checkpoints, logs, pictures and measures,
and knows no loss. A system brings networks by name, its settings and one training round in two parts: `draw`, all
chance, on the host and for the whole batch, and `learn`, on the device alone, so that it can be compiled, captured as a
graph and compared bit for bit.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from gan.computing.compute import Compute
from gan.computing.graphs import GraphedRound
from gan.computing.switches import choose_switches
from gan.data.batches import Rows
from gan.data.description import DataDescription
from gan.data.rows import Batch
from gan.nets.critics import Halving
from gan.settings.run_settings import RunSettings
from gan.systems.given import Given

Losses = dict[str, Tensor]
Builders = dict[str, Callable[[], nn.Module]]


class System(ABC):
    """Networks, an optimiser for each that learns, a round, and a way to generate.

    Losses are scalars on the device, weighted, by names such as `loss_d/gp`: network and part. Every round gives the
    same names, and a `loss_d/total` for each network that learns.
    """

    Settings: ClassVar[type[RunSettings]]
    title: ClassVar[str]  # as it is written
    paper: ClassVar[str]
    pairing: ClassVar[Literal["paired", "unpaired"]] = "paired"  # unpaired: layouts in an order of their own
    generating: ClassVar[tuple[str, ...]] = ("G",)  # the networks that the generator is made of, and that are averaged

    def __init__(self, settings: RunSettings, data: DataDescription, compute: Compute) -> None:
        self.settings, self.data, self.compute = settings, data, compute
        self.switches = choose_switches(settings.compute, compute, self.bytes_of_fakes())
        self.memory_format = torch.channels_last if self.switches.channels_last else torch.contiguous_format
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            builders = self.build(settings, data)
            self.networks = {name: self._placed(build()) for name, build in builders.items()}
        self.base_rates = self.rates()
        self.optimisers = {name: self.optimiser(name, rate) for name, rate in self.base_rates.items()}
        self._compiled: dict[str, Callable[..., Any]] = {}
        if self.switches.compile:
            forwards = self.forwards().items()
            self._compiled = {name: torch.compile(forward, dynamic=False) for name, forward in forwards}
        self._round = GraphedRound(self.learn, compute.device) if self.switches.graphs else self.learn

    # What a system brings.

    @classmethod
    @abstractmethod
    def build(cls, settings: Any, data: DataDescription) -> Builders:
        """Give a maker of each untrained network by its name, in the order in which their weights are drawn."""

    @abstractmethod
    def rates(self) -> dict[str, float]:
        """Give the learning rate of each network that learns in rounds."""

    @abstractmethod
    def draw(self, stream: Iterator[Batch], noise: torch.Generator) -> Any:
        """Take a round's batches and draw all its chance from `noise`: a NamedTuple of tensors on the device.

        Drawn for the whole batch, of which each process takes its share (`compute.share`), so that a run depends
        neither on the device's own random numbers nor on the number of processes.
        """

    @abstractmethod
    def learn(self, draws: Any) -> Losses:
        """Do a round with what was drawn for it; on the device alone, so that the host need not wait."""

    # What a system may bring.

    @classmethod
    def generator(cls, networks: Mapping[str, nn.Module]) -> nn.Module:
        """Give what generates, made of the networks `generating`: a module of what the settings say that it takes."""
        return networks["G"]

    def betas(self) -> tuple[float, float]:
        """Give Adam's decay rates."""
        return 0.5, 0.999

    def optimiser(self, name: str, rate: float) -> torch.optim.Optimizer:
        """Make the optimiser of a network: Adam."""
        # A graph repeats numbers of the host, so it needs the rate and the count of steps on the device.
        graphs = self.switches.graphs
        lr = torch.tensor(rate, device=self.compute.device) if graphs else rate
        fused = True if self.switches.fused else None  # None leaves PyTorch its own choice between the other two
        parameters = self.networks[name].parameters()
        return torch.optim.Adam(parameters, lr, betas=self.betas(), fused=fused, capturable=graphs)

    def forwards(self) -> dict[str, Callable[..., Any]]:
        """Give what can be compiled, by name: the networks."""
        return dict(self.networks)

    def bytes_of_fakes(self) -> int | None:
        """Give the memory that a round's resting fakes need in one forward; None where they cannot go together."""
        return None

    def preparation(self) -> str | None:
        """Say what `prepare` would do, for a dry run."""
        return None

    def prepare(self, rows: Rows, on_step: Callable[[int, int], None]) -> bool:
        """Do what comes before the first round; give whether there was anything.

        `on_step` gets what is done and how much there is. Raises NotFiniteError.
        """
        return False

    def state(self) -> dict[str, Tensor]:
        """Give tensors beside the weights that a resume needs, such as a pool of earlier fakes."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:  # noqa: B027  # most have none
        """Take over what `state` gave."""

    # What a system finds ready.

    def train_round(self, stream: Iterator[Batch], noise: torch.Generator) -> Losses:
        """Do one round: batches in, weighted loss components by name out."""
        draws = self.draw(stream, noise)
        with self.compute.arithmetic():
            return self._round(draws)

    def generate(self, given: Given) -> Tensor:
        """Make images (N, 3, H, W) in [-1, 1]."""
        with self.compute.arithmetic():  # never compiled: outside of rounds come batches of any size
            return self.make(self.generator(self.networks), given)

    def make(self, generator: Callable[..., Any], given: Given) -> Tensor:
        """Let a generator's forward, compiled or not, make images."""
        inputs = [tensor.to(self.compute.dtype) for tensor in given.inputs(self.settings.takes)]
        with self.compute.autocast():
            images: Tensor = generator(*(self.laid_out(tensor) if tensor.dim() == 4 else tensor for tensor in inputs))
        return images.to(self.compute.dtype)

    def forward(self, name: str) -> Callable[..., Any]:
        """Give a network's forward as rounds use it."""
        return self._compiled[name] if name in self._compiled else self.forwards()[name]

    def laid_out(self, x: Tensor) -> Tensor:
        """Give images or maps with their channels where the networks want them."""
        return x.contiguous(memory_format=self.memory_format)

    def descend(self, names: str | Sequence[str], parts: Losses, *, zeroed: bool = False) -> Losses:
        """Step networks down the sum of the parts; give the parts, detached.

        With `zeroed`, weights that the parts do not reach keep a gradient of 0 from an earlier step, and so Adam moves
        them on; else they rest.
        """
        together = (names,) if isinstance(names, str) else names
        for name in together:
            self.optimisers[name].zero_grad(set_to_none=not zeroed)
        torch.autograd.backward(torch.stack(list(parts.values())).sum())
        for name in together:
            self.compute.average_gradients(self.networks[name])
            self.optimisers[name].step()
        return {key: part.detach() for key, part in parts.items()}

    @contextmanager
    def resting(self, *names: str) -> Iterator[None]:
        """Let networks learn nothing in the block; also where it fails, as a capture may, they learn again after it."""
        for name in names:
            self.networks[name].requires_grad_(False)
        try:
            yield
        finally:
            for name in names:
                self.networks[name].requires_grad_(True)

    def _placed(self, network: nn.Module) -> nn.Module:
        network = network.to(self.compute.device, self.compute.dtype)
        network.to(memory_format=self.memory_format)  # type: ignore[call-overload]
        for module in network.modules():
            if isinstance(module, Halving) and module.small and self.compute.device.type == "cpu":
                module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # as a matrix
        return network


def with_total(parts: Losses, name: str) -> Losses:
    """Add the sum of a network's parts as `name/total`."""
    return parts | {f"{name}/total": torch.stack(list(parts.values())).sum()}
