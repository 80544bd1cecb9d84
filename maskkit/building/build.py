"""Photos to shards: the pipeline, its order, what it skips and why, and how it goes on after a stop."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from maskkit.building import local_engine, ray_engine
from maskkit.building.options import BuildOptions, BuildPlan, BuildResult, FolderOptions
from maskkit.building.photo_rows import Skip, process_some
from maskkit.building.preparation import Build, prepare_celeba, prepare_folder
from maskkit.building.resume import open_folder
from maskkit.detection.cascade import STEPS
from maskkit.errors import BuildError
from maskkit.files.outputs import owned_folder, refuse_inputs
from maskkit.shards.description import FILE_NAME
from maskkit.shards.ledger import LEDGER, read_ledger, write_ledger, write_preview
from maskkit.shards.own_files import PREVIEW
from maskkit.shards.shard_files import Row, write_shard

TIMED_PHOTOS = 12  # measured for an estimate
BYTES_BESIDE_PHOTO = 2000  # of a row, roughly: label map, points, id
WORKER_START = 1.5  # seconds, roughly, until a worker has loaded its models

OnProgress = Callable[[int, int], None]
OnPlan = Callable[[BuildPlan], None]


def build_celeba(
    root: str | Path,
    out: str | Path,
    options: BuildOptions | None = None,
    *,
    engine: str = "local",
    workers: int | None = None,
    max_skipped: float = 0.05,
    fresh: bool = False,
    on_progress: OnProgress | None = None,
    on_plan: OnPlan | None = None,
) -> BuildResult:
    """Turn CelebA's folder `root` into shards in `out`: photo, label map, points and attributes of every face found.

    A stopped build goes on where its last finished shard ends when it is called again with the same options; `fresh`
    discards what is there. The work is done by this process, or with `workers` above 1 by that many of its own (and one
    beside every four, at least one, for MTCNN), and the calling script needs the `if __name__ == "__main__"` guard,
    because worker processes import it. The `engine` "ray" hands it to a Ray cluster: the one that this process has
    joined, that RAY_ADDRESS names or that runs on this machine, or else a Ray started here for the time of the build;
    `workers` are the most tasks at once, and without them all the cluster's processors work. The same inputs give the
    same bytes, whoever does the work.
    `on_plan(plan)` is called once before the work with an estimate, `on_progress(done, total)` after every input.
    Where more than the share `max_skipped` of the inputs had to be left out, the result says so. Raises BuildError and
    other MaskkitErrors.
    """
    start = time.monotonic()
    build = prepare_celeba(Path(root), options or BuildOptions(), engine, workers)
    return _run(build, Path(out), max_skipped, fresh, on_progress, on_plan, start)


def plan_celeba(
    root: str | Path,
    out: str | Path,
    options: BuildOptions | None = None,
    *,
    engine: str = "local",
    workers: int | None = None,
) -> BuildPlan:
    """Estimate a build without starting it: times a few photos, writes nothing."""
    build = prepare_celeba(Path(root), options or BuildOptions(), engine, workers)
    with _workers(build) as count:
        return _plan(build, count)


def build_folder(
    images: str | Path,
    out: str | Path,
    options: FolderOptions | None = None,
    *,
    engine: str = "local",
    workers: int | None = None,
    max_skipped: float = 0.05,
    fresh: bool = False,
    on_progress: OnProgress | None = None,
    on_plan: OnPlan | None = None,
) -> BuildResult:
    """Turn a folder or .zip of any photos into shards in `out`, as `build_celeba` does with CelebA's.

    Every face is turned, scaled and shifted by its eyes into the place that CelebA's photos have. Attributes and
    splits come from a CSV, if there is one (FolderOptions).
    """
    start = time.monotonic()
    build = prepare_folder(Path(images), options or FolderOptions(), engine, workers)
    return _run(build, Path(out), max_skipped, fresh, on_progress, on_plan, start)


def plan_folder(
    images: str | Path,
    out: str | Path,
    options: FolderOptions | None = None,
    *,
    engine: str = "local",
    workers: int | None = None,
) -> BuildPlan:
    """Estimate a build without starting it: times a few photos, writes nothing."""
    build = prepare_folder(Path(images), options or FolderOptions(), engine, workers)
    with _workers(build) as count:
        return _plan(build, count)


def _run(
    build: Build, out: Path, max_skipped: float, fresh: bool, on_progress: OnProgress | None, on_plan: OnPlan | None,
    start: float,
) -> BuildResult:  # fmt: skip
    refuse_inputs(out, build.places)
    with owned_folder(out):
        with _workers(build) as workers:  # before `fresh` discards anything
            build.dataset = open_folder(out, build.dataset, fresh)
            if not build.dataset.complete:
                _check_room(build, out)
                if on_plan is not None and build.left:
                    on_plan(_plan(build, workers))
                _work(build, out, workers, on_progress)
        if not build.dataset.complete:
            if not sum(build.dataset.counts().values()):
                raise BuildError(f"{out}: no photo of {build.total} could be used; {FILE_NAME} lists the reasons")
            build.dataset.complete = True
            build.dataset.write(out)
        # Derived from the shards, so they are made again where a stop or somebody removed them.
        if not (out / LEDGER).exists():
            write_ledger(out, build.dataset)
        if not (out / PREVIEW).exists():
            write_preview(out, build.dataset, out / PREVIEW)
        return _result(out, max_skipped, time.monotonic() - start)


@contextmanager
def _workers(build: Build) -> Iterator[int]:
    """How many workers there are; on Ray, which is joined or started for as long as the block lasts."""
    if build.engine == "ray":
        with ray_engine.connected(build.workers) as workers:
            yield workers
    else:
        yield build.workers or 1


def _plan(build: Build, workers: int) -> BuildPlan:
    possible = [one for one in build.left if not one.problem]
    timed = possible[:: max(1, len(possible) // TIMED_PHOTOS)][:TIMED_PHOTOS]
    seconds = 0.0
    if timed:
        process_some(timed[:1], build.task)  # loads the models, which is not repeated
        start = time.monotonic()
        process_some(timed, build.task)
        seconds = (time.monotonic() - start) / len(timed) * len(possible) / workers
    start_up = WORKER_START if workers > 1 else 0.0
    counts = {name: len(inputs) for name, inputs in build.inputs.items()}
    return BuildPlan(counts, seconds + start_up, _bytes_left(build))


def _check_room(build: Build, out: Path) -> None:
    free = shutil.disk_usage(out).free
    needed = _bytes_left(build)
    if needed > free:
        raise BuildError(f"{out}: about {needed / 1e6:,.1f} MB are needed and {free / 1e6:,.1f} MB are free")


def _bytes_left(build: Build) -> int:
    return len(build.left) * (build.dataset.size**2 * 3 + BYTES_BESIDE_PHOTO)


@dataclass
class _Stretch:
    """What has come since the last finished shard, all of one split."""

    rows: list[Row] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    inputs: int = 0


def _work(build: Build, out: Path, workers: int, on_progress: OnProgress | None) -> None:
    """Process the inputs that no finished shard covers, and write a shard whenever one is full or its split ends."""
    left, done, total = build.left, build.done, build.total
    stretch = _Stretch()
    if build.engine == "ray":
        made = ray_engine.process_photos(left, build.task, workers, build.dataset.versions)
    else:
        made = local_engine.process_photos(left, build.task, workers)
    with closing(made) as outcomes:  # a stop ends the workers now, not when the generator is collected
        for number, outcome in enumerate(outcomes):
            one = left[number]
            stretch.inputs += 1
            if isinstance(outcome, Skip):
                stretch.skipped.append((one.id, outcome.reason))
            else:
                stretch.rows += outcome
            last = number + 1 == len(left) or left[number + 1].split != one.split
            if last or len(stretch.rows) >= build.shard_size:
                _finish_shard(build, out, one.split, stretch)
                stretch = _Stretch()
            if on_progress is not None:
                on_progress(done + number + 1, total)


def _finish_shard(build: Build, out: Path, split: str, stretch: _Stretch) -> None:
    detector = build.task.detector
    codes = STEPS if isinstance(detector, tuple) else (*STEPS, detector.name)
    name = f"{split}-{len(build.dataset.of_split(split)):05d}.h5"
    entry = write_shard(out, name, stretch.rows, build.dataset, codes)
    entry.skipped = stretch.skipped
    if build.task.face == "all":
        entry.inputs = stretch.inputs
    build.dataset.shards.append(entry)
    build.dataset.write(out)


def _result(out: Path, max_skipped: float, seconds: float) -> BuildResult:
    lines = read_ledger(out)
    kept = [line for line in lines if line["outcome"] == "kept"]
    skipped = [line for line in lines if line["outcome"] == "skipped"]
    return BuildResult(
        out=out,
        kept=len(kept),
        skipped=len(skipped),
        splits=dict(Counter(line["split"] for line in kept)),
        detectors=dict(Counter(line["detector"] for line in kept)),
        reasons=dict(Counter(line["reason"] for line in skipped)),
        seconds=seconds,
        too_many_skipped=len(skipped) > max_skipped * len(lines),
    )
