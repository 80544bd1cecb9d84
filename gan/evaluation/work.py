"""What the parts of an evaluation share: rows, judges and images, made once."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from gan.data.rows import RowsAtSize, rows_identity
from gan.errors import DataError, RunError
from gan.evaluation.classifier import Classifier, Kind
from gan.evaluation.consistency import check_count
from gan.evaluation.judges import Judge, Judges, network_sha256
from gan.evaluation.material import Material, make_material
from gan.evaluation.report import Report
from gan.runs.loading import LoadedGenerator, load_generator, load_segmentor
from gan.settings.run_settings import Settings

NEED_SEGMENTORS = {"consistency", "decoupling"}
NEED_CLASSIFIER = {"attributes", "features", "decoupling"}


class OnProgress(Protocol):
    """Take what is being done, the steps done, their number, and a short text such as a loss."""

    def __call__(self, title: str, done: int, total: int, note: str = "") -> None: ...


@dataclass(frozen=True)
class Work:
    """One evaluation under way. `segmentors` by whose they are; no classifier where there are no attributes."""

    generator: LoadedGenerator
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
    def kind(self) -> Kind:
        """Whether attributes are independent or one of n."""
        return self.generator.settings.loss.cls


def prepare(
    run: Path,
    shards: Path,
    only: Collection[str],
    count: int | None,
    seed: int,
    folder: Path,
    judge_steps: int,
    device: str,
    on_progress: OnProgress,
) -> Work:
    """Load the run, fetch or train the judges that the parts need, and generate the images. Raises as evaluate_run."""
    start = time.monotonic()
    report = Report()
    generator = load_generator(run, device)
    settings = _without_augmentation(generator.settings)
    train, *rows = (RowsAtSize(shards, split, generator.size, settings) for split in ("train", "val", "test"))
    _check(generator, train, rows, count)
    judges = Judges(
        shards, generator.size, generator.settings.loss.cls, folder, judge_steps, generator.device,
        lambda name, step, steps, loss: on_progress(f"training the {name}", step, steps, f"loss {loss:.3f}"),
    )  # fmt: skip
    used: dict[str, Judge[Any]] = {}
    segmentors: dict[str, nn.Module] = {}
    classifier = None
    if NEED_SEGMENTORS & set(only):
        try:
            segmentors["own"] = load_segmentor(run, str(generator.device))
            used["own segmentor"] = Judge(segmentors["own"], network_sha256(segmentors["own"]))
        except RunError as error:
            report.leave_out("figures by the run's own segmentor", str(error))
        used["independent segmentor"] = judges.segmentor()
        segmentors["independent"] = used["independent segmentor"].network
    if NEED_CLASSIFIER & set(only) and generator.attribute_names:
        used["independent classifier"] = judge = judges.classifier()
        classifier = judge.network
    report.seconds["judges"] = time.monotonic() - start
    start = time.monotonic()
    material = make_material(generator, rows, seed, count)
    report.seconds["images"] = time.monotonic() - start
    report.about = {
        "run": str(run),
        "step": generator.step,
        "size": generator.size,
        "shards": str(shards),
        "rows": {split.reader.split: {"count": len(split), "sha256": rows_identity(split)} for split in (train, *rows)},
        "measured": len(material),
        "seed": seed,
        "judges": {name: judge.describe() for name, judge in used.items()},
    }
    return Work(generator, rows, count, train, material, segmentors, classifier, report, on_progress)


def _without_augmentation(settings: Settings) -> Settings:
    """Give settings that hold rows to `loss.cls` and otherwise leave them as they are."""
    none = settings.augmentation.model_copy(update={"mirror": False, "layouts": 0.0})
    return settings.model_copy(update={"augmentation": none})


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
        raise DataError(f"{error}, in val and test together") from error
