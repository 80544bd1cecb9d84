"""All measures of one run: the parts done one after the other, a report given."""

import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import numpy as np

from gan.errors import InputError, explained
from gan.evaluation.consistency import report_consistency
from gan.evaluation.material import read_points
from gan.evaluation.report import Report
from gan.evaluation.work import OnProgress, Request, Work, prepare, silent
from gan.names import MEASURES, Measure
from gan.pictures.tiles import to_pictures
from gan.systems.given import WORDS
from maskkit.detection import dlib_models
from maskkit.errors import DetectionError, MissingExtraError
from maskkit.extras import way_to_get


@explained("evaluating", "take fewer rows (--count)")
def evaluate_run(
    run: str | Path,
    shards: str | Path,
    *,
    only: Collection[str] = MEASURES,
    count: int | None = 2000,
    seed: int = 0,
    judges: str | Path | None = None,
    judge_steps: int = 1000,
    judge_shards: str | Path | None = None,
    device: str = "auto",
    on_progress: OnProgress = silent,
) -> Report:
    """Measure a run on the first `count` rows of val and then test (None: all), and give figures with their recipes.

    `only` names the parts to do, of gan.names.MEASURES. Independent judges learn from the train rows for `judge_steps`
    batches and are kept in `judges`, by default in the run's folder; one of other data or steps lies beside them.
    `judge_shards` teaches them on the train rows of other shards with the same scheme and attributes, best of photos
    that no run has seen.
    `seed` decides latents and shuffling. Raises GanError or maskkit's errors.
    """
    if not only:
        raise InputError(f"name at least one part of an evaluation; there are {', '.join(MEASURES)}")
    if unknown := set(only) - set(MEASURES):
        raise InputError(f"there is no part {min(unknown)!r} of an evaluation; there are {', '.join(MEASURES)}")
    if judge_steps < 1:
        raise InputError(f"judges need at least 1 step, not {judge_steps}")
    path = Path(run)
    folder = Path(judges) if judges is not None else _judge_folder(path)
    parts = [part for part in MEASURES if part in only]
    others = Path(shards if judge_shards is None else judge_shards)
    request = Request(path, Path(shards), parts, count, seed, folder, judge_steps, device, others)
    work = prepare(request, on_progress)
    for part, measure in PARTS.items():
        if part in work.parts:
            start = time.monotonic()
            measure(work)
            work.report.seconds[part] = time.monotonic() - start
    return work.report


def _judge_folder(run: Path) -> Path:
    """Give the folder of judges that belongs to a run's folder or to a file of it."""
    if run.is_dir():
        return run / "judges"
    return (run.parents[1] if run.parent.name == "checkpoints" else run.parent) / "judges"


def _consistency(work: Work) -> None:
    for name, segmentor in work.segmentors.items():
        report_consistency(segmentor, name, work.material, work.report)


def _landmarks(work: Work) -> None:
    from gan.evaluation.landmarks import measurable, report_landmarks
    from gan.evaluation.mouth import report_mouth

    points = read_points(work.rows, work.count)
    if points is None:
        work.report.leave_out("landmarks", f"measured rows of {work.train.reader.folder} have no landmarks")
        return
    try:
        dlib_models.predictor()
    except (MissingExtraError, DetectionError) as error:
        work.report.leave_out("landmarks", str(error))
        return
    kept = np.flatnonzero(measurable(points, work.generator.size))
    if len(kept) < 2:
        work.report.leave_out("landmarks", f"fewer than 2 faces of {work.train.reader.folder} lie in their pictures")
        return
    images = (work.material.x_fake, work.material.real.x)
    # One at a time, for turning them takes several times the memory of an image.
    generated, real = ([to_pictures(x[i : i + 1])[0] for i in kept] for x in images)
    report_landmarks(generated, real, points[kept], work.report, partial(work.on_progress, "landmarks"))
    if not work.generator.scheme.drawable:
        work.report.leave_out("landmarks/mouth", f"the scheme {work.generator.scheme.name} has no polygons to draw")
        return
    on_step = partial(work.on_progress, "mouths")
    report_mouth(work.material, points[kept], work.material.real.c[kept], work.report, on_step)


def _attributes(work: Work) -> None:
    from gan.evaluation.attributes import report_attributes

    if work.classifier is None:
        work.report.leave_out("attributes", "the run has no attributes")
        return
    on_step = partial(work.on_progress, "attributes")
    report_attributes(work.classifier, work.material, work.names, work.kind, work.report, on_step)


def _has_torchmetrics(work: Work, part: Measure) -> bool:
    """Say whether torchmetrics can be imported, and leave the part out where it cannot."""
    try:
        import torchmetrics  # noqa: F401
    except (ImportError, RuntimeError) as error:  # the latter from a torchvision that does not fit torch
        work.report.leave_out(
            part,
            f"torchmetrics cannot be imported ({str(error).splitlines()[0]}); get it with: {way_to_get('gan')}, "
            "and uninstall a torchvision that does not fit the installed torch",
        )
        return False
    return True


def _features(work: Work) -> None:
    if not _has_torchmetrics(work, "features"):
        return
    from gan.evaluation.sets import report_features

    on_step = partial(work.on_progress, "features")
    report_features(work.classifier, work.material, work.train, work.kind, work.report, on_step)
    if work.classifier is None:
        work.report.leave_out("features/classifier", "the run has no attributes to train a classifier on")


def _diversity(work: Work) -> None:
    if not _has_torchmetrics(work, "diversity"):
        return
    from gan.evaluation.diversity import report_diversity

    report_diversity(work.material, work.report, partial(work.on_progress, "diversity"))


def _decoupling(work: Work) -> None:
    from gan.evaluation.decoupling import report_decoupling

    if work.classifier is None:
        work.report.leave_out("decoupling/c", "the run has no attributes to change")
    for name in ("z", "c"):
        if name not in work.generator.takes:
            work.report.leave_out(f"decoupling/{name}", f"{work.generator.title} takes no {WORDS[name]}")
    report_decoupling(work.material, work.classifier, work.segmentors, work.names, work.kind, work.report)


PARTS: dict[Measure, Callable[[Work], None]] = {
    "consistency": _consistency,
    "landmarks": _landmarks,
    "attributes": _attributes,
    "features": _features,
    "diversity": _diversity,
    "decoupling": _decoupling,
}
