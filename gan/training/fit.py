"""The training loop: batches in, steps counted, learning rates, logs, pictures, checkpoints; it knows no loss."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gan.computing.compute import Compute
from gan.computing.device import most_memory
from gan.computing.processes import computing
from gan.computing.spawning import Stop
from gan.errors import NotFiniteError, explained
from gan.runs.checkpoint import checkpoint_path
from gan.runs.run_folder import owned_run
from gan.settings.run_settings import RunSettings
from gan.training.artifacts import Artifacts
from gan.training.job import WAY_OUT, Request, check_share, set_up, warn
from gan.training.precision import settled


@dataclass(frozen=True)
class StepReport:
    """One finished step: its number and the last one asked for, its epoch, its losses.

    Also the real images used so far, and the most memory in use, in bytes: of the process, or on its CUDA device.
    """

    step: int
    last_step: int
    epoch: int
    losses: dict[str, float]
    images: int
    memory: int


@dataclass(frozen=True)
class FitResult:
    """How a call of `fit` ended: after `step` of `last_step` steps, `stopped` if it was asked to.

    `checkpoint` is None where it was stopped before the first step could be prepared.
    """

    run: Path
    step: int
    last_step: int
    stopped: bool
    checkpoint: Path | None
    losses: dict[str, float]


class _StoppedEarly(Exception):  # noqa: N818
    """Stopped while rows were loaded or the system was prepared, of which nothing can be kept."""


@explained("training", WAY_OUT)
def fit(
    shards: str | Path,
    out: str | Path,
    settings: RunSettings,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    resume: bool = False,
    device: str = "auto",
    devices: int | None = None,
    stop: Stop | None = None,
    on_step: Callable[[StepReport], None] | None = None,
    on_prepare: Callable[[int, int], None] | None = None,
) -> FitResult:
    """Train on the `train` rows of `shards` and leave a run folder in `out`.

    `steps` or `epochs` say up to where, in total; without them, to `schedule.steps` or the horizon `schedule.epochs`.
    `resume` goes on from the newest checkpoint, on a CPU bit for bit as if never stopped. `devices` processes share
    each batch (one by default; under torchrun, those it has started). `stop` is asked before each step; a true answer
    saves a checkpoint and returns. `on_step` hears of each step and `on_prepare` of what comes before the first, which
    is choosing the precision, reading resident rows and preparing a frozen segmentor: how much is done, of how much;
    both in the first process alone. What speaks against a run is logged as a warning. Raises GanError or maskkit's
    errors with a sentence.
    """
    check_share(settings, devices or 1)
    request = settled(Request(Path(shards), Path(out), settings, steps, epochs, resume), device, devices, on_prepare)
    with computing(device, devices, request.settings.compute.precision, partial(_follow, request)) as compute:
        return train(compute, request, stop, on_step, on_prepare)


def train(
    compute: Compute,
    request: Request,
    stop: Stop | None = None,
    on_step: Callable[[StepReport], None] | None = None,
    on_prepare: Callable[[int, int], None] | None = None,
) -> FitResult:
    """Do what `fit` does, in one of the processes that do it together; the first one has the run's folder alone."""
    with ExitStack() as stack:
        compute.in_first(lambda: stack.enter_context(owned_run(request.run, [request.shards])))
        return _train(compute, request, stop, on_step, on_prepare)


def _train(
    compute: Compute,
    request: Request,
    stop: Stop | None,
    on_step: Callable[[StepReport], None] | None,
    on_prepare: Callable[[int, int], None] | None,
) -> FitResult:
    def asked_to_stop() -> bool:
        return compute.any(stop is not None and stop())

    def note_preparing(done: int, total: int) -> None:
        if on_prepare and compute.first:
            on_prepare(done, total)
        if asked_to_stop():
            raise _StoppedEarly

    job = set_up(compute, request)
    progress, losses, stopped = job.progress, dict[str, float](), False
    if job.fresh:
        compute.in_first(lambda: warn(job, request))
    compute.any(False)  # nothing in the folder before every process has come so far
    saved = None if job.fresh else progress.step
    with closing(Artifacts(request.run, job.rows, progress, saved, request.tried)) as artifacts:
        try:
            job.load(note_preparing)
            if job.fresh and progress.prepare(job.source, note_preparing):
                artifacts.save()
        except _StoppedEarly:
            kept = None if job.fresh else checkpoint_path(request.run, progress.step)
            return FitResult(request.run, progress.step, job.last, True, kept, {})
        stream = job.stream()
        while progress.step < job.last and not (stopped := asked_to_stop()):
            epoch, rates = job.plan.epoch(progress.step), progress.rates()
            try:
                losses = progress.advance(stream)
            except NotFiniteError as error:
                raise artifacts.explain(error) from None
            artifacts.note(epoch, rates, losses, last=progress.step == job.last)
            if on_step and compute.first:
                images = progress.batches_used * progress.settings.schedule.batch
                on_step(StepReport(progress.step, job.last, epoch, losses, images, most_memory(compute.device)))
        artifacts.save()
    return FitResult(request.run, progress.step, job.last, stopped, checkpoint_path(request.run, progress.step), losses)


def _follow(request: Request, compute: Compute, stop: Stop) -> None:
    with explained("training", WAY_OUT):
        train(compute, request, stop)
