"""A build at work: photos through an engine into shards, going on where a stopped one ended."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypedDict

from maskkit.building.inputs import Input
from maskkit.building.options import BuildPlan, BuildResult
from maskkit.building.planning import check_room, estimate
from maskkit.building.preparation import Build
from maskkit.building.resume import open_folder
from maskkit.detection.cascade import STEPS
from maskkit.errors import BuildError
from maskkit.files.outputs import owned_folder, refuse_inputs
from maskkit.shards.description import BY_HAND, FILE_NAME
from maskkit.shards.ledger import CORRECTED_ROW, KEPT_ROW, REJECTED_ROW, SKIPPED_ROW, read_ledger
from maskkit.shards.writer import Outcome, ShardWriter, finish_folder

OnProgress = Callable[[int, int], None]
OnPlan = Callable[[BuildPlan], None]


class Running(TypedDict, total=False):
    """How a build runs, whatever it makes: the keywords of `run`, which says what they are where they are not given."""

    max_skipped: float  # the share of left out inputs, of those asked for, above which the result says so
    fresh: bool  # discard what is there
    on_progress: OnProgress | None  # told before the first input and after every one how many of how many are done
    on_plan: OnPlan | None  # told once before the work


def run(
    build: Build,
    out: Path,
    *,
    max_skipped: float = 0.05,
    fresh: bool = False,
    on_progress: OnProgress | None = None,
    on_plan: OnPlan | None = None,
) -> BuildResult:
    """Do the work of a build in `out`, as `build_celeba` describes it."""
    start = time.monotonic()
    refuse_inputs(out, build.places)
    with owned_folder(out):
        with build.engine.connected() as workers:  # before `fresh` discards anything
            build.dataset = open_folder(out, build.dataset, fresh)
            if not build.dataset.complete:
                check_room(build, out)
                if on_plan is not None and build.left:
                    on_plan(estimate(build, workers))
                _work(build, out, workers, on_progress)
        if not sum(build.dataset.counts().values()):
            raise BuildError(f"{out}: no photo of {build.total} could be used; {FILE_NAME} lists the reasons")
        # What is derived from the shards is made again where a stop or somebody removed it.
        finish_folder(out, build.dataset)
        return _result(build, out, max_skipped, time.monotonic() - start)


def _work(build: Build, out: Path, workers: int, on_progress: OnProgress | None) -> None:
    """Process the inputs that no finished shard covers, and write their shards."""
    detector = build.task.detector
    codes = (*STEPS, *(() if isinstance(detector, tuple) else (detector.name,)), BY_HAND)
    writer = ShardWriter(out, build.dataset, build.shard_size, codes, several=build.task.face == "all")
    left = build.left
    made = build.engine.process(left, build.task, workers, build.dataset.versions)
    with closing(made):  # a stop ends the workers now, not when the generator is collected
        writer.write(_told(left, made, build.done, build.total, on_progress))


def _told(
    left: list[Input], made: Generator[Outcome, None, None], done: int, total: int, on_progress: OnProgress | None
) -> Iterator[tuple[Input, Outcome]]:
    """Each input with what became of it, told to `on_progress` once it is written or waits for its shard."""
    if on_progress is not None:
        on_progress(done, total)
    for number, pair in enumerate(zip(left, made, strict=True), done + 1):
        yield pair
        if on_progress is not None:
            on_progress(number, total)


def _result(build: Build, out: Path, max_skipped: float, seconds: float) -> BuildResult:
    lines = read_ledger(out)
    kept = [line for line in lines if line["outcome"] in (KEPT_ROW, CORRECTED_ROW)]
    skipped = [line for line in lines if line["outcome"] == SKIPPED_ROW]
    outcomes = Counter(line["outcome"] for line in lines)
    unasked = sum(one.unasked for inputs in build.inputs.values() for one in inputs)
    return BuildResult(
        out=out,
        kept=len(kept),
        skipped=len(skipped),
        splits=dict(Counter(line["split"] for line in kept)),
        detectors=dict(Counter(line["detector"] for line in kept)),
        reasons=dict(Counter(line["reason"] for line in skipped)),
        seconds=seconds,
        too_many_skipped=len(skipped) - unasked > max_skipped * (len(lines) - unasked),
        unasked=unasked,
        corrected=outcomes[CORRECTED_ROW],
        rejected=outcomes[REJECTED_ROW],
    )
