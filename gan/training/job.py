"""A run on its data: what is asked for, checked, set up and, where it goes on, found again."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gan.computing.compute import Compute
from gan.data.batches import Rows, batches, unpaired
from gan.data.description import DataDescription
from gan.data.order import BatchOrder
from gan.data.resident import ResidentRows, make_resident
from gan.data.rows import Batch, RowsAtSize, training_rows
from gan.errors import RunError, SettingsError
from gan.names import Precision
from gan.runs.checkpoint import Checkpoint, best_path, checkpoint_paths, load_newest
from gan.runs.run_folder import check_resumable, check_startable, read_settings, steps_noted
from gan.settings.run_settings import RunSettings
from gan.training.artifacts import check_recordable
from gan.training.doubts import count_parameters, doubts
from gan.training.progress import Progress
from gan.training.schedule import Plan

WAY_OUT = "take a smaller schedule.batch, data.size or width, or fewer data.workers; what was saved can be resumed"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What `fit` is asked for; every process gets it.

    `tried` are the seconds a step took in each precision, where the fastest was chosen.
    """

    shards: Path
    run: Path
    settings: RunSettings
    steps: int | None = None
    epochs: int | None = None
    resume: bool = False
    tried: Mapping[Precision, float] = field(default_factory=dict)


@dataclass
class Job:
    """A request on its data: rows, plan, last step, and the progress so far.

    `source` is where batches come from: the rows, or the room for all of them on the device, which `load` fills.
    """

    rows: RowsAtSize
    source: Rows
    plan: Plan
    last: int
    progress: Progress
    fresh: bool

    def load(self, on_rows: Callable[[int, int], None]) -> None:
        """Read all rows if they are to lie on the device; `on_rows` gets the rows done and their number."""
        if isinstance(self.source, ResidentRows):
            self.source.load(self.progress.settings.data.workers, on_rows)

    def stream(self) -> Iterator[Batch]:
        """Give batches from where the run stands, on its device."""
        paired = self._stream(another=False)
        return paired if self.progress.system.pairing == "paired" else unpaired(paired, self._stream(another=True))

    def _stream(self, *, another: bool) -> Iterator[Batch]:
        settings, start = self.progress.settings, self.progress.batches_used
        order = BatchOrder(len(self.rows), settings.schedule.batch, settings.seed, start, another=another)
        return batches(self.source, order, settings.data.workers, self.progress.compute.device)


def set_up(compute: Compute, request: Request) -> Job:
    """Read what the request names and build the system, in every process; nothing is written."""
    check_share(request.settings, compute.processes)
    settings = request.settings.with_shards(request.shards.resolve())
    rows = training_rows(request.shards, settings)
    order = BatchOrder(len(rows), settings.schedule.batch, settings.seed)
    plan = Plan(settings.schedule, order.batches_per_epoch)
    last = plan.last_step(request.steps, request.epochs)
    found = compute.from_first(lambda: _find_start(request, rows.description, last))
    compute.in_first(lambda: check_recordable(rows, settings, compute))
    progress = Progress(settings, rows.description, plan, compute)
    if found:
        progress.restore(found)
    return Job(
        rows, make_resident(rows, settings.data.resident, compute) or rows, plan, last, progress, fresh=found is None
    )


def warn(job: Job, request: Request) -> None:
    """Say what speaks against a run, before its first step."""
    progress, ends_itself = job.progress, request.steps is None and request.epochs is None
    parameters = sum(map(count_parameters, progress.system.networks.values()))
    for doubt in doubts(progress.settings, len(job.rows), job.last, ends_itself, parameters, progress.compute.device):
        log.warning("%s", doubt)


def check_share(settings: RunSettings, processes: int) -> None:
    """Check that every process gets as many rows of a batch as the others. Raises SettingsError."""
    batch = settings.schedule.batch
    if batch % processes:
        raise SettingsError(
            f"schedule.batch = {batch} is the whole batch and cannot be divided evenly among {processes} processes; "
            f"take a multiple of {processes}, or another number of devices"
        )


def _find_start(request: Request, data: DataDescription, last: int) -> Checkpoint | None:
    """Check that a run can start or go on in its folder; give its newest checkpoint, if it got so far."""
    run = request.run
    if not request.resume:
        check_startable(run)
        return None
    stored = read_settings(run)
    check_resumable(run, stored, request.settings)
    if not checkpoint_paths(run):
        _check_nothing_lost(run, stored.log.checkpoint_every)
        return None
    found = load_newest(run)
    check_resumable(found.path, found.settings, request.settings)
    if found.data.summary() != data.summary() or found.data.scheme != data.scheme:
        raise RunError(f"{run} was trained on other data: {found.data.summary()}; the shards hold {data.summary()}")
    if found.data.rows_sha256 not in ("", data.rows_sha256):  # checkpoints of old do not say
        raise RunError(
            f"{run} was trained on other photos: the {data.rows} train rows of {request.shards} are not those that "
            f"{found.path.name} has learned from; name the run's own shards, wherever they lie, or start another run"
        )
    if found.step > last:
        raise RunError(f"{run} has already made {found.step} steps, more than the {last} asked for")
    return found


def _check_nothing_lost(run: Path, checkpoint_every: int) -> None:
    """Check that a run without checkpoints ended before its first was due, so that it can begin again."""
    steps = steps_noted(run)
    if steps > checkpoint_every:
        best = best_path(run)
        copy = f"copy {best.name} to step-N.pt, N being its step, " if best.exists() else "put one back "
        raise RunError(
            f"{run} has made {steps} steps and holds no checkpoint in {best.parent.name} to go on from; {copy}"
            "or start another run"
        )
    if steps:
        log.warning("%s has made %d steps and holds no checkpoint; it begins again", run, steps)
