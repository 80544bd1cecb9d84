"""What the parts of an evaluation share: rows, judges and images, made once."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from gan.data.rows import RowsAtSize, rows_identity
from gan.errors import DataError, RunError
from gan.evaluation.consistency import check_count
from gan.evaluation.judges import Judge, Judges, network_sha256
from gan.evaluation.judges.classifier import Classifier
from gan.evaluation.material import Material, make_material
from gan.evaluation.overlap import count_learned, describe_taught
from gan.evaluation.report import OWN_SEGMENTOR, Report
from gan.names import Measure
from gan.runs.loading import LoadedGenerator, load_generator, load_segmentor
from gan.settings.run_settings import AttributeKind
from gan.systems.given import WORDS

NEED_SEGMENTORS = {"consistency", "decoupling"}
NEED_CLASSIFIER = {"attributes", "features", "decoupling"}
# What a generator must take for a part to have a meaning.
NEEDED_INPUT: dict[Measure, str] = {"consistency": "s", "landmarks": "s", "attributes": "c", "decoupling": "s"}


class OnProgress(Protocol):
    """Take what is being done, the steps done, their number, and a short text such as a loss."""

    def __call__(self, title: str, done: int, total: int, note: str = "") -> None: ...


def silent(title: str, done: int, total: int, note: str = "") -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Request:
    """What an evaluation is asked for: a run, shards, parts, rows at most, and judges of so many steps in a folder.

    Judges learn from the train rows of `judge_shards`.
    """

    run: Path
    shards: Path
    only: Collection[Measure]
    count: int | None
    seed: int
    judges: Path
    judge_steps: int
    device: str
    judge_shards: Path


@dataclass
class Found:
    """The judges of an evaluation: segmentors by whose they are, a classifier where there are attributes, and all."""

    segmentors: dict[str, nn.Module] = field(default_factory=dict)
    classifier: Classifier | None = None
    used: dict[str, Judge[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """One evaluation under way. `parts` are those that the generator's inputs give a meaning."""

    generator: LoadedGenerator
    parts: set[Measure]
    rows: list[RowsAtSize]
    count: int | None
    train: RowsAtSize
    material: Material
    segmentors: dict[str, nn.Module]
    classifier: Classifier | None
    report: Report
    on_progress: OnProgress

    @property
    def names(self) -> tuple[str, ...]:
        """Of the attributes."""
        return self.generator.attribute_names

    @property
    def kind(self) -> AttributeKind:
        """Whether attributes are independent or one of n."""
        return self.generator.settings.attribute_kind


def prepare(request: Request, on_progress: OnProgress) -> Work:
    """Load the run, fetch or train the judges that the parts need, and generate the images. Raises as evaluate_run."""
    start, report = time.monotonic(), Report()
    generator = load_generator(request.run, request.device)
    parts = {part for part in request.only if _has_meaning(part, generator, report)}
    kind = generator.settings.attribute_kind
    train, *rows = (RowsAtSize(request.shards, split, generator.size, kind) for split in ("train", "val", "test"))
    taught = RowsAtSize(request.judge_shards, "train", generator.size, kind)
    _check(generator, taught, rows, request.count)
    if "features" in parts and len(train) < 2:
        report.leave_out("features", f"{request.shards} has {len(train)} train rows to compare with")
        parts.remove("features")
    seen = count_learned(generator, train, rows, request.count)
    teachers = describe_taught(generator, train, taught, rows, request.count)
    found = _find_judges(request, generator, parts, report, on_progress)
    report.seconds["judges"] = time.monotonic() - start
    start = time.monotonic()
    material = make_material(generator, rows, request.seed, request.count)
    report.seconds["images"] = time.monotonic() - start
    report.about = {
        "run": str(request.run),
        "system": generator.system,
        "step": generator.step,
        "size": generator.size,
        "shards": str(request.shards),
        "rows": {split.reader.split: {"count": len(split), "sha256": rows_identity(split)} for split in (train, *rows)},
        "measured": len(material),
        "seen_in_training": seen,
        "seed": request.seed,
        "judges_learned_from": teachers,
        "judges": {name: judge.describe() for name, judge in found.used.items()},
    }
    return Work(
        generator, parts, rows, request.count, train, material, found.segmentors, found.classifier, report, on_progress
    )


def _has_meaning(part: Measure, generator: LoadedGenerator, report: Report) -> bool:
    """Say whether the generator takes what a part is about, and leave the part out where it does not."""
    needed = NEEDED_INPUT.get(part)
    if needed is None or needed in generator.takes:
        return True
    report.leave_out(part, f"{generator.title} takes no {WORDS[needed]}")
    return False


def _find_judges(
    request: Request, generator: LoadedGenerator, parts: set[Measure], report: Report, on_progress: OnProgress
) -> Found:
    """Load or train the judges that the parts need."""
    found = Found()
    judges = Judges(
        request.judge_shards, generator.size, generator.settings.attribute_kind, request.judges,
        request.judge_steps, generator.device,
        lambda name, step, steps, loss: on_progress(f"training the {name}", step, steps, f"loss {loss:.3f}"),
    )  # fmt: skip
    if NEED_SEGMENTORS & parts:
        try:
            own = load_segmentor(request.run, str(generator.device))
            found.segmentors["own"] = own
            found.used[OWN_SEGMENTOR] = Judge(own, network_sha256(own))
        except RunError as error:
            report.leave_out("figures by the run's own segmentor", str(error))
        segmentor = judges.segmentor()
        found.used["independent segmentor"] = segmentor
        found.segmentors["independent"] = segmentor.network
    if NEED_CLASSIFIER & parts and generator.attribute_names:
        classifier = judges.classifier()
        found.used["independent classifier"] = classifier
        found.classifier = classifier.network
    return found


def _check(generator: LoadedGenerator, taught: RowsAtSize, rows: list[RowsAtSize], count: int | None) -> None:
    """Raise DataError where the measured shards, or those of the judges, do not fit the generator or hold too few."""
    for reader in (rows[0].reader, taught.reader):
        if reader.scheme != generator.scheme or reader.attribute_names != generator.attribute_names:
            raise DataError(
                f"the shards {reader.folder} have the scheme {reader.scheme.name} and the attributes "
                f"{reader.attribute_names}, and the run was trained with {generator.scheme.name} and "
                f"{generator.attribute_names}"
            )
    if len(taught) < 2:
        raise DataError(f"{taught.reader.folder}: judges learn from train rows, and there are {len(taught)}")
    try:
        check_count(rows, count)
    except DataError as error:
        raise DataError(
            f"{error}, in val and test together; set more aside with `maskkit build-folder --val`, or give shards of "
            "other photos, whose val and test rows this run has not learned from"
        ) from error
