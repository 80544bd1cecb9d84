"""What a build would do and cost: nothing is written, a few photos are timed."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

from maskkit.building.options import BuildPlan
from maskkit.building.photo_rows import process_some
from maskkit.building.preparation import Build
from maskkit.building.resume import find_begun
from maskkit.errors import BuildError
from maskkit.files.outputs import refuse_inputs
from maskkit.photos.archive import video_of
from maskkit.shards.description import SHARD_NAME

TIMED_PHOTOS = 12  # measured for an estimate
BYTES_BESIDE_PHOTO = 2000  # of a row, roughly: label map, points, id
WORKER_START = 1.5  # seconds, roughly, until a worker has loaded its models


def plan(build: Build, out: Path, *, fresh: bool = False) -> BuildPlan:
    """Estimate what is left to do in `out`, where an earlier build may have begun and `fresh` would discard it.

    Raises BuildError for what a run would refuse: another request's data set, or too little room.
    """
    if out.exists() and not out.is_dir():
        raise BuildError(f"{out} is a file, and a folder is to be made; give another name")
    refuse_inputs(out, build.places)
    build = replace(build, dataset=find_begun(out, build.dataset, fresh))
    check_room(build, out, _discarded(out) if fresh else 0)
    with build.engine.connected() as workers:
        return estimate(build, workers)


def estimate(build: Build, workers: int) -> BuildPlan:
    """Time a few of the photos that are left and say what all of them would take, so many at once.

    No more work at once than there are processors free for them.
    """
    speed_up = build.engine.speed_up(workers)
    possible = [one for one in build.left if not one.problem]
    # Frames are read in their order: of some far apart, all those between would be timed.
    step = 1 if any(video_of(one.id) for one in possible) else max(1, len(possible) // TIMED_PHOTOS)
    timed = possible[::step][:TIMED_PHOTOS]
    seconds = 0.0
    if timed:
        process_some(timed[:1], build.task)  # loads the models, which is not repeated
        start = time.monotonic()
        process_some(timed, build.task)
        seconds = (time.monotonic() - start) / len(timed) * len(possible) / speed_up
        seconds += WORKER_START * workers / speed_up if workers > 1 else 0.0  # loading models is work as well
    counts = {name: len(inputs) for name, inputs in build.inputs.items()}
    return BuildPlan(counts, seconds, _bytes_left(build), build.done)


def check_room(build: Build, out: Path, discarded: int = 0) -> None:
    """Raise BuildError where the rest does not fit the disk, even once `discarded` bytes are given back."""
    there = next(place for place in (out, *out.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free + discarded
    needed = _bytes_left(build)
    if needed > free:
        raise BuildError(f"{out}: about {needed / 1e6:,.1f} MB are needed and {free / 1e6:,.1f} MB are free")


def _bytes_left(build: Build) -> int:
    return len(build.left) * (build.dataset.size**2 * 3 + BYTES_BESIDE_PHOTO)


def _discarded(out: Path) -> int:
    """The bytes of the shards that a fresh build removes first."""
    names = out.iterdir() if out.exists() else ()
    return sum(path.stat().st_size for path in names if SHARD_NAME.fullmatch(path.name))
