"""What the parts of an evaluation share: rows, judges and images, made once."""

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from gan.data.rows import RowsAtSize, rows_identity
from gan.errors import DataError, RunError
from gan.evaluation.classifier import Classifier
from gan.evaluation.consistency import check_count
from gan.evaluation.judges import Judge, Judges, network_sha256
from gan.evaluation.material import Material, make_material
from gan.evaluation.report import Report
from gan.names import Measure
from gan.runs.learned_rows import ids_of, learned_rows
from gan.runs.loading import LoadedGenerator, load_generator, load_segmentor
from gan.settings.run_settings import AttributeKind
from gan.systems.given import WORDS

NEED_SEGMENTORS = {"consistency", "decoupling"}
NEED_CLASSIFIER = {"attributes", "features", "decoupling"}
# What a generator must take for a part to have a meaning.
NEEDED_INPUT: dict[Measure, str] = {"consistency": "s", "landmarks": "s", "attributes": "c", "decoupling": "s"}

log = logging.getLogger(__name__)


class OnProgress(Protocol):
    """Take what is being done, the steps done, their number, and a short text such as a loss."""

    def __call__(self, title: str, done: int, total: int, note: str = "") -> None: ...


@dataclass(frozen=True)
class Request:
    """What an evaluation is asked for: a run, shards, parts, rows at most, and judges of so many steps in a folder."""

    run: Path
    shards: Path
    only: Collection[Measure]
    count: int | None
    seed: int
    judges: Path
    judge_steps: int
    device: str


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
    _check(generator, train, rows, request.count)
    seen = _count_seen(generator, train, rows, request.count)
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
        "judges": {name: judge.describe() for name, judge in found.used.items()},
    }
    return Work(
        generator, parts, rows, request.count, train, material, found.segmentors, found.classifier, report, on_progress
    )


def _count_seen(generator: LoadedGenerator, train: RowsAtSize, rows: list[RowsAtSize], count: int | None) -> int | None:
    """Count the measured rows that the run has learned from, by their ids, and warn of them; None if unknown."""
    learned = learned_rows(generator, train)
    if learned is None:
        log.warning(
            "whether the run has learned from the measured rows cannot be told: its train rows are not those of %s, "
            "as far as it has noted them, and not found where it was trained; figures on rows that it knows flatter it",
            train.reader.folder,
        )
        return None
    known = set(ids_of(learned))
    measured = [name for split in rows for name in ids_of(split)][:count]
    seen = [name.decode(errors="replace") for name in measured if name in known]
    if seen:
        log.warning(
            "%d of the %d measured rows have ids of rows that the run has learned from, %s the first; figures on them "
            "flatter it. Measure on other rows",
            len(seen), len(measured), seen[0],
        )  # fmt: skip
    return len(seen)


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
        request.shards, generator.size, generator.settings.attribute_kind, request.judges, request.judge_steps,
        generator.device,
        lambda name, step, steps, loss: on_progress(f"training the {name}", step, steps, f"loss {loss:.3f}"),
    )  # fmt: skip
    if NEED_SEGMENTORS & parts:
        try:
            own = load_segmentor(request.run, str(generator.device))
            found.segmentors["own"] = own
            found.used["own segmentor"] = Judge(own, network_sha256(own))
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


def _check(generator: LoadedGenerator, train: RowsAtSize, rows: list[RowsAtSize], count: int | None) -> None:
    """Raise DataError where the shards do not fit the generator or hold too few rows."""
    reader = train.reader
    if reader.scheme != generator.scheme or reader.attribute_names != generator.attribute_names:
        raise DataError(
            f"the shards {reader.folder} have the scheme {reader.scheme.name} and the attributes "
            f"{reader.attribute_names}, and the run was trained with {generator.scheme.name} and "
            f"{generator.attribute_names}"
        )
    if len(train) < 2:
        raise DataError(f"{reader.folder}: judges learn from train rows, and there are {len(train)}")
    try:
        check_count(rows, count)
    except DataError as error:
        raise DataError(
            f"{error}, in val and test together; set more aside with `maskkit build-folder --val`, or give shards of "
            "other photos, whose val and test rows this run has not learned from"
        ) from error
