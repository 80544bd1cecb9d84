"""Whether generated images show the attributes that were asked for, as an independent classifier sees them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.evaluation.judges.classifier import correct, probabilities
from gan.evaluation.material import Material, in_parts
from gan.evaluation.report import Report
from gan.settings.run_settings import AttributeKind


@dataclass(frozen=True)
class Switching:
    """What comes of setting each attribute k in all images: float64 (n_c,) each.

    `change`: mean change of its probability when its bit goes from 0 to 1 and all else is held; where attributes are
    one of n, when the class goes from the row's own to k. `edited`: share of images with a reversed bit (another
    class) in which the classifier sees what was asked.
    """

    change: Tensor
    edited: Tensor


def classify(classifier: nn.Module, x: Tensor, device: torch.device, kind: AttributeKind) -> Tensor:
    """Give probabilities (N, n_c) on the CPU for images (N, 3, H, W) in [-1, 1]."""
    return probabilities(in_parts(lambda some: classifier(x[some].to(device)), len(x)), kind)


def switch(
    classifier: nn.Module, material: Material, kind: AttributeKind, on_step: Callable[[int, int], None]
) -> Switching:
    """Change one attribute after the other, with z and s held, and let the classifier look."""
    c, device = material.real.c, material.generator.device
    own = classify(classifier, material.x_fake, device, kind)
    change, edited = [], []
    for k in range(c.shape[1]):
        wanted = set_attribute(c, k, kind)
        p = classify(classifier, material.generate(c=wanted), device, kind)
        up = 2 * wanted[:, k] - 1  # the bit may also have gone from 1 to 0
        altered = (wanted != c).any(1)
        change.append(((p[:, k] - own[:, k]) * up)[altered].double().mean())
        seen = correct(p, wanted, kind)
        edited.append(seen[altered][:, k if kind == "binary" else 0].double().mean())
        on_step(k + 1, c.shape[1])
    return Switching(torch.stack(change), torch.stack(edited))


def set_attribute(c: Tensor, k: int, kind: AttributeKind) -> Tensor:
    """Reverse bit k of each row (N, n_c), or make k each row's one class."""
    if kind == "softmax":
        return F.one_hot(torch.full((len(c),), k), c.shape[1]).to(c)
    wanted = c.clone()
    wanted[:, k] = 1 - wanted[:, k]
    return wanted


def report_attributes(
    classifier: nn.Module,
    material: Material,
    names: tuple[str, ...],
    kind: AttributeKind,
    report: Report,
    on_step: Callable[[int, int], None],
) -> None:
    """Add accuracies on real and generated images, and what switching each attribute does."""
    c, count = material.real.c, len(material)
    weights = torch.ones_like(c) if kind == "binary" else c  # one of n: the rows of each class

    def add(key: str, values: Tensor, recipe: str, overall: Tensor | None = None) -> None:
        by = dict(zip(names, values.tolist(), strict=True))
        report.add(f"attributes/{key}", float(values.nanmean() if overall is None else overall), count, recipe, by)

    p = {
        key: classify(classifier, x, material.generator.device, kind)
        for key, x in (("real", material.real.x), ("generated", material.x_fake))
    }
    for key, images in p.items():
        seen = correct(images, c, kind).double()
        recipe = f"share of {key} images in which the independent classifier sees the row's attributes"
        add(f"accuracy_{key}", _mean_where(seen.expand_as(c), weights), recipe, seen.mean())
    often = c.double().mean(0)
    guess = torch.maximum(often, 1 - often) if kind == "binary" else often
    overall = guess.mean() if kind == "binary" else guess.max()
    add("accuracy_guessed", guess, "the same if the commonest answer is always given: the floor", overall)
    switching = switch(classifier, material, kind, on_step)
    add("edited", switching.edited, "share of generated images with one attribute changed in which it is seen so")
    add("switched", switching.change, "mean change of its probability when a bit goes from 0 to 1, all else held")
    difference = _mean_where(p["real"], c) - _mean_where(p["real"], 1 - c)
    add("switched_real", difference, "mean probability on real images that have it minus on those that have not")


def _mean_where(values: Tensor, weights: Tensor) -> Tensor:
    """Average columns over the rows that weigh: (N, n_c), (N, n_c) -> float64 (n_c,), NaN where there are none."""
    return (values.double() * weights).sum(0) / weights.double().sum(0)
