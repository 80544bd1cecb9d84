"""How far c and z leave alone what the other, or the layout, should hold (SCGAN paper, section 4.2.1)."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gan.evaluation.attributes import classify, set_attribute
from gan.evaluation.consistency import segment
from gan.evaluation.material import Material, in_parts
from gan.evaluation.report import Report
from gan.evaluation.segmentation import pixel_accuracy
from gan.settings.run_settings import AttributeKind


def change_one(c: Tensor, kind: AttributeKind) -> tuple[Tensor, Tensor]:
    """Change one attribute of each row (N, n_c), the attributes taking turns; give c and which it was, int64 (N,).

    Bit i mod n_c of row i is reversed; where attributes are one of n, a row goes on to another class.
    """
    count, n_c = c.shape
    turn = torch.arange(count) % n_c
    if kind == "softmax":
        turn = (c.argmax(1) + 1 + torch.arange(count) % (n_c - 1)) % n_c
    changed = c.clone()
    for k in range(n_c):
        changed[turn == k] = set_attribute(c[turn == k], k, kind)
    return changed, turn


def region_change(a: Tensor, b: Tensor, region: Tensor) -> Tensor:
    """Give the mean absolute difference of images inside a region: (N, 3, H, W) twice, bool (N, H, W) -> float64 (N,).

    NaN where the region is empty.
    """

    def change(some: slice) -> Tensor:
        difference = (a[some].double() - b[some].double()).abs().mean(1)
        return (difference * region[some]).flatten(1).sum(1) / region[some].flatten(1).sum(1)

    return in_parts(change, len(a))


def report_decoupling(
    material: Material,
    classifier: nn.Module | None,
    segmentors: Mapping[str, nn.Module],
    names: tuple[str, ...],
    kind: AttributeKind,
    report: Report,
) -> None:
    """Add what a new z, and one changed attribute, do to the background, to the layout and to the other attributes.

    What the generator does not take is not changed, nor attributes where there are none or a single class; without a
    classifier nothing is said of attributes.
    """
    count, c = len(material), material.real.c
    altered: dict[str, Tensor] = {}
    if "z" in material.generator.takes:
        altered["z"] = material.generate(z=material.generator.draw_z(count, material.other_seed))
    turn = torch.zeros(0)
    if "c" in material.generator.takes and c.shape[1] > (kind == "softmax"):
        changed, turn = change_one(c, kind)
        altered["c"] = material.generate(c=changed)
    what = {"z": "another z", "c": "one attribute changed"}
    background = material.real.s_idx == 0
    means = {}
    for name, x in altered.items():
        change = region_change(material.x_fake, x, background)
        by = _by_attribute(change, turn, names) if name == "c" else {}
        means[name] = float(change.nanmean())
        recipe = f"mean absolute change of pixels of class 0 under {what[name]}; images have the range 2"
        report.add(f"decoupling/background_change_{name}", means[name], count, recipe, by)
    if set(means) == {"z", "c"}:
        ratio = means["c"] / means["z"] if means["z"] else math.nan
        report.add("decoupling/background_ratio", ratio, count, "background_change_c / background_change_z")
    if classifier is not None and "z" in altered:
        _report_probabilities(material, classifier, altered["z"], names, kind, report)
    for judge, segmentor in segmentors.items():
        own = segment(segmentor, material.x_fake, material)
        pairs = {name: (segment(segmentor, x, material), what[name]) for name, x in altered.items()}
        pairs["other_rows"] = own.roll(1, 0), "another row's z, c and layout: the floor"
        for name, (seen, changed_what) in pairs.items():
            recipe = f"share of pixels whose class the {judge} segmentor keeps under {changed_what}"
            report.add(f"decoupling/layout_kept_{judge}_{name}", float(pixel_accuracy(own, seen).mean()), count, recipe)


def _report_probabilities(
    material: Material, classifier: nn.Module, x_z: Tensor, names: tuple[str, ...], kind: AttributeKind, report: Report
) -> None:
    device = material.generator.device
    own, other = (classify(classifier, x, device, kind).double() for x in (material.x_fake, x_z))
    change = (own - other).abs().mean(0)
    recipe = "mean absolute change of the classifier's probabilities under another z"
    by = dict(zip(names, change.tolist(), strict=True))
    report.add("decoupling/probability_change_z", float(change.mean()), len(material), recipe, by)


def _by_attribute(change: Tensor, turn: Tensor, names: tuple[str, ...]) -> dict[str, float]:
    return {name: float(change[turn == k].nanmean()) for k, name in enumerate(names)}
