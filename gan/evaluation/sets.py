"""Generated images as a set against real ones: FID and its kin, or the same arithmetic in a judge's features."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gan.data.rows import RowsAtSize
from gan.evaluation.features import answer_score, frechet_distance, kernel_distance
from gan.evaluation.inception import NoInceptionError, load_inception
from gan.evaluation.judges.classifier import Classifier, probabilities
from gan.evaluation.material import BATCH, Material
from gan.evaluation.report import Report
from gan.pictures.tiles import to_bytes
from gan.settings.run_settings import AttributeKind

TRAIN_ROWS = 10_000  # at most, evenly spread
INCEPTION_SPLITS = 10


class Features(NamedTuple):
    """Of a set of images: `features` (N, d), `answers` probabilities (N, K), or (N, n, 2) for n attributes."""

    features: Tensor
    answers: Tensor


Extract = Callable[[Tensor], Features]


@dataclass(frozen=True)
class FeatureNames:
    """What three figures are called in one feature network, and its name in their recipes."""

    frechet: str
    kernel: str
    score: str
    network: str
    splits: int = 1


CLASSIFIER = FeatureNames(
    "classifier_frechet", "classifier_kernel", "classifier_score", "the classifier's 512 features"
)
INCEPTION = FeatureNames(
    "fid", "kid", "inception_score", "Inception's 2048 features (torch-fidelity)", INCEPTION_SPLITS
)


def report_features(
    classifier: Classifier | None,
    material: Material,
    train: RowsAtSize,
    kind: AttributeKind,
    report: Report,
    on_step: Callable[[int, int], None],
) -> None:
    """Add FID, KID and the Inception score where Inception can be had, and their kin in the classifier's features."""
    try:
        inception = load_inception(material.generator.device)
    except NoInceptionError as error:
        report.leave_out("features/fid, kid, inception_score", str(error))
    else:
        _report(lambda x: _ask_inception(inception, x), INCEPTION, material, train, report, on_step)
    if classifier is not None:
        _report(lambda x: _ask_classifier(classifier, x, kind), CLASSIFIER, material, train, report, on_step)


def _report(
    extract: Extract,
    names: FeatureNames,
    material: Material,
    train: RowsAtSize,
    report: Report,
    on_step: Callable[[int, int], None],
) -> None:
    numbers = range(0, len(train), -(-len(train) // TRAIN_ROWS))
    sources: dict[str, tuple[int, Callable[[slice], Tensor]]] = {
        "train": (len(numbers), lambda some: train.read(numbers[some]).x),
        "real": (len(material), lambda some: material.real.x[some]),
        "generated": (len(material), lambda some: material.x_fake[some]),
    }
    total = sum(count for count, _ in sources.values())
    done, sets = 0, {}
    for name, (count, read) in sources.items():
        parts = []
        for first in range(0, count, BATCH):
            parts.append(extract(read(slice(first, first + BATCH)).to(material.generator.device)))
            on_step(done + min(first + BATCH, count), total)
        done += count
        sets[name] = Features(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))
    against = f"against {len(numbers)} real train images, {names.network}"
    for name in ("generated", "real"):
        some, count = sets[name], len(material)
        distance = frechet_distance(some.features, sets["train"].features)
        report.add(f"features/{names.frechet}_{name}", distance, count, f"Frechet distance, {name} images {against}")
        distance = kernel_distance(some.features, sets["train"].features, material.seed)
        report.add(f"features/{names.kernel}_{name}", distance, count, f"kernel distance, {name} images {against}")
        score = answer_score(some.answers, names.splits, material.seed)
        parts_of = "" if names.splits == 1 else f", averaged over {names.splits} parts of them"
        recipe = f"exp of the answers' mean divergence from the mean answer, {name} images{parts_of}"
        report.add(f"features/{names.score}_{name}", score, count, recipe)


@torch.no_grad()
def _ask_classifier(classifier: Classifier, x: Tensor, kind: AttributeKind) -> Features:
    features = classifier.features(x)
    p = probabilities(classifier.attributes(features), kind).double().cpu()
    # Each of several attributes is a question of its own, answered with yes or no.
    return Features(features.double().cpu(), torch.stack([p, 1 - p], dim=2) if kind == "binary" else p)


@torch.no_grad()
def _ask_inception(inception: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor) -> Features:
    features, logits = inception(to_bytes(x))
    return Features(features.double().cpu(), logits.double().softmax(1).cpu())
