"""Photos to shards: the doors. Each prepares a request, and plans it or runs it."""

from pathlib import Path
from typing import Unpack

from maskkit.building.engines import choose_engine
from maskkit.building.options import BuildOptions, BuildPlan, BuildResult, FolderOptions
from maskkit.building.planning import plan
from maskkit.building.preparation import prepare
from maskkit.building.running import Running, run


def build_celeba(
    root: str | Path,
    out: str | Path,
    options: BuildOptions | None = None,
    *,
    engine: str = "local",
    workers: int | None = None,
    **how: Unpack[Running],
) -> BuildResult:
    """Turn CelebA's folder `root` into shards in `out`: photo, label map, points and attributes of every face found.

    A stopped build goes on where its last finished shard ends when it is called again with the same options; `fresh`
    discards what is there. The work is done by this process, or with `workers` above 1 by that many of its own (and one
    beside every four, at least one, for MTCNN), and the calling script needs the `if __name__ == "__main__"` guard,
    because worker processes import it. The `engine` "ray" hands it to a Ray cluster: the one that this process has
    joined, that RAY_ADDRESS names or that runs on this machine, or else a Ray started here for the time of the build;
    `workers` are the most tasks at once, and without them all the cluster's processors work. The same inputs give the
    same bytes, whoever does the work.
    The further keywords are those of `Running`: `on_plan(plan)` is called once before the work with an estimate,
    `on_progress(done, total)` before the first input and after every one. Where more than the share `max_skipped` of
    the inputs had to be left out, the result says so. Raises BuildError and other MaskkitErrors.
    """
    return run(prepare(Path(root), options or BuildOptions(), choose_engine(engine, workers)), Path(out), **how)


def plan_celeba(
    root: str | Path,
    out: str | Path,
    options: BuildOptions | None = None,
    *,
    engine: str = "local",
    workers: int | None = None,
    fresh: bool = False,
) -> BuildPlan:
    """Estimate what `build_celeba` with the same arguments has left to do in `out`: times a few photos, writes nothing.

    Raises what the build would raise before its work, also for a folder begun with other options and for too little
    room.
    """
    build = prepare(Path(root), options or BuildOptions(), choose_engine(engine, workers))
    return plan(build, Path(out), fresh=fresh)


def build_folder(
    images: str | Path,
    out: str | Path,
    options: FolderOptions | None = None,
    *,
    engine: str = "local",
    workers: int | None = None,
    **how: Unpack[Running],
) -> BuildResult:
    """Turn a folder or .zip of any photos into shards in `out`, with the keywords of `build_celeba`.

    Every face is turned, scaled and shifted by its eyes into the place that CelebA's photos have. Attributes and
    splits come from a CSV, if there is one (FolderOptions).
    """
    return run(prepare(Path(images), options or FolderOptions(), choose_engine(engine, workers)), Path(out), **how)


def plan_folder(
    images: str | Path,
    out: str | Path,
    options: FolderOptions | None = None,
    *,
    engine: str = "local",
    workers: int | None = None,
    fresh: bool = False,
) -> BuildPlan:
    """Estimate what `build_folder` with the same arguments has left to do, as `plan_celeba` does."""
    build = prepare(Path(images), options or FolderOptions(), choose_engine(engine, workers))
    return plan(build, Path(out), fresh=fresh)
