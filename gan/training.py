"""The training loop: batches in, steps counted, learning rates, logs, pictures, checkpoints; it knows no loss."""

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from gan.checkpoint import Checkpoint, checkpoint_path, checkpoint_paths, load_newest, remove_old
from gan.compute import Compute
from gan.config import Settings
from gan.data import Batch, BatchOrder, DataDescription, RowsAtSize, batches
from gan.device import choose_device
from gan.errors import RunError, TrainingError, explained
from gan.previews import Preview
from gan.run_folder import (
    Metrics,
    check_resumable,
    check_startable,
    library_versions,
    note_environment,
    prepare_folder,
)
from gan.schedule import Plan
from gan.systems import build_system


@dataclass(frozen=True)
class StepReport:
    """One finished step: its number and the last one asked for, its epoch, its losses, real images used so far."""

    step: int
    last_step: int
    epoch: int
    losses: dict[str, float]
    images: int


@dataclass(frozen=True)
class FitResult:
    """How a call of `fit` ended: after `step` of `last_step` steps, `stopped` if it was asked to."""

    run: Path
    step: int
    last_step: int
    stopped: bool
    checkpoint: Path
    losses: dict[str, float]


@explained(
    "training",
    "take a smaller schedule.batch, data.size or width, or fewer data.workers; what was saved can be resumed",
)
def fit(
    shards: str | Path,
    out: str | Path,
    settings: Settings,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    resume: bool = False,
    device: str = "auto",
    stop: Callable[[], bool] | None = None,
    on_step: Callable[[StepReport], None] | None = None,
) -> FitResult:
    """Train on the `train` rows of `shards` and leave a run folder in `out`.

    `steps` or `epochs` say up to where, in total; without them, to the horizon `schedule.epochs`. `resume` goes on
    from the newest checkpoint, on a CPU bit for bit as if never stopped. `stop` is asked before each step; a true
    answer saves a checkpoint and returns. Raises GanError or maskkit's errors with a sentence.
    """
    run, target = Path(out), choose_device(device)
    settings = settings.with_shards(Path(shards).resolve())
    rows = RowsAtSize(shards, "train", settings.data.size)
    order = BatchOrder(len(rows), settings.schedule.batch, settings.seed)
    plan = Plan(settings.schedule, order.batches_per_epoch)
    last = plan.last_step(steps, epochs)
    found = _find_start(run, settings, rows.description, last, resume)

    # Whatever may fail for want of memory comes before the folder is made.
    trainer = Trainer(run, settings, rows.description, plan, target)
    if found:
        trainer.restore(found)
        order = BatchOrder(len(rows), settings.schedule.batch, settings.seed, start=trainer.batches_used)
    preview = Preview(rows, settings)
    prepare_folder(run, settings)  # when resuming too: the shards may have moved
    note_environment(run, trainer.step, target)
    stream = batches(rows, order, settings.data.workers)
    losses: dict[str, float] = {}
    stopped = False
    with closing(Metrics(run, trainer.step)) as metrics:
        while trainer.step < last and not (stopped := stop is not None and stop()):
            epoch, rates = plan.epoch(trainer.step), trainer.rates()
            losses = trainer.advance(stream)
            metrics.write({"step": trainer.step, "epoch": epoch, **rates, **losses})
            if on_step:
                images = trainer.batches_used * settings.schedule.batch
                on_step(StepReport(trainer.step, last, epoch, losses, images))
            if trainer.step % settings.log.sample_every == 0 or trainer.step == last:
                preview.save(run / "samples" / f"step-{trainer.step:06d}.png", trainer.system, target)
            if trainer.step % settings.log.checkpoint_every == 0:
                metrics.sync()
                trainer.save()
        if trainer.saved_step != trainer.step:
            metrics.sync()
            trainer.save()
    return FitResult(run, trainer.step, last, stopped, checkpoint_path(run, trainer.step), losses)


class Trainer:
    """A system with what its progress consists of: steps, batches used and the state of the noise."""

    def __init__(self, run: Path, settings: Settings, data: DataDescription, plan: Plan, device: torch.device) -> None:
        self.run, self.settings, self.data, self.plan = run, settings, data, plan
        self.system = build_system(settings, data, Compute(device, settings.compute.precision))
        self.noise = torch.Generator().manual_seed(settings.seed)
        self.step = self.batches_used = 0
        self.saved_step: int | None = None

    def rates(self) -> dict[str, float]:
        """Give the learning rates of the next step by network."""
        factor = self.plan.rate(self.step)
        return {f"lr/{name}": base * factor for name, base in self.system.base_rates.items()}

    def advance(self, stream: Iterator[Batch]) -> dict[str, float]:
        """Do one step and give its losses. Raises TrainingError, before anything is saved, if one is not finite."""
        for name, optimiser in self.system.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = self.rates()[f"lr/{name}"]
        on_device = self.system.train_round(self._counted(stream), self.noise)
        # One transfer for all of them: each would wait for the device.
        losses = dict(zip(on_device, torch.stack(list(on_device.values())).tolist(), strict=True))
        self.step += 1
        for name, value in losses.items():
            if not math.isfinite(value):
                raise TrainingError(
                    f"{name} is {value} at step {self.step}; the newest checkpoint in {self.run} is from before. "
                    "Start again with smaller learning rates (--set optimiser.lr_d=...) or look at the data"
                )
        return losses

    def save(self) -> None:
        """Write a checkpoint and remove the oldest."""
        Checkpoint(
            path=checkpoint_path(self.run, self.step),
            step=self.step,
            batches=self.batches_used,
            settings=self.settings,
            data=self.data,
            networks={name: network.state_dict() for name, network in self.system.networks.items()},
            averages={},
            optimisers={name: optimiser.state_dict() for name, optimiser in self.system.optimisers.items()},
            noise=self.noise.get_state(),
            versions=library_versions(),
        ).save()
        self.saved_step = self.step
        remove_old(self.run)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over a checkpoint's state. Raises CheckpointError where something does not fit."""
        checkpoint.fill(self.system.networks, self.system.optimisers)
        checkpoint.fill_noise(self.noise)
        self.step, self.batches_used, self.saved_step = checkpoint.step, checkpoint.batches, checkpoint.step

    def _counted(self, stream: Iterator[Batch]) -> Iterator[Batch]:
        for batch in stream:
            self.batches_used += 1
            yield batch


def _find_start(run: Path, settings: Settings, data: DataDescription, last: int, resume: bool) -> Checkpoint | None:
    """Check that a run can start or go on in its folder; give its newest checkpoint, if it got so far."""
    if not resume:
        check_startable(run)
        return None
    check_resumable(run, settings)
    if not checkpoint_paths(run):
        return None
    found = load_newest(run)
    if found.data != data:
        raise RunError(f"{run} was trained on other data: {found.data.summary()}; the shards hold {data.summary()}")
    if found.step > last:
        raise RunError(f"{run} has already made {found.step} steps, more than the {last} asked for")
    return found
