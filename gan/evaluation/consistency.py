"""How well generated images keep to their layouts, as a segmentor sees it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan.data.rows import RowsAtSize
from gan.errors import DataError
from gan.evaluation.material import Generates, Material, in_parts, make_material
from gan.evaluation.report import Report
from gan.evaluation.segmentation import class_iou, confusion_matrix, mean_iou, pixel_accuracy


@dataclass(frozen=True)
class Consistency:
    """Accuracy of spatial consistency, in [0, 1] (SCGAN paper, section on spatial consistency and Table 1).

    `floor`: real images against other images' layouts; `value`: generated images against theirs; `ceiling`: real
    images against their own.
    """

    floor: float
    value: float
    ceiling: float

    @property
    def share(self) -> float:
        """How far of the way from floor to ceiling generated images are; NaN where the judge sees no difference."""
        way = self.ceiling - self.floor
        return (self.value - self.floor) / way if way else math.nan


@dataclass(frozen=True)
class Evaluation:
    """What one segmentor says of real images and of generated ones: confusions with their layouts, int64 (K, K)."""

    images: int
    confusion: Tensor
    consistency: Consistency
    generated: Tensor


def evaluate(
    generator: Generates, segmentor: nn.Module, rows: list[RowsAtSize], seed: int = 0, count: int | None = None
) -> Evaluation:
    """Judge a generator by a segmentor on the first `count` rows, all by default, each with its own c and a fresh z.

    The floor pairs each image with another one's layout. The segmentor must be on the generator's device.
    Raises DataError where there are fewer than 2 rows.
    """
    check_count(rows, count)
    return judge(segmentor, make_material(generator, rows, seed, count))


def check_count(rows: list[RowsAtSize], count: int | None) -> None:
    """Raise DataError where there are fewer than 2 rows, for the floor needs another row's layout."""
    there = sum(map(len, rows))
    taken = there if count is None else min(count, there)
    if taken < 2:
        raise DataError(f"{rows[0].reader.folder}: at least 2 rows are needed to evaluate, and there are {taken}")


def judge(segmentor: nn.Module, material: Material) -> Evaluation:
    """Judge images that are already made."""
    truth, n_s = material.real.s_idx, len(material.generator.scheme)
    on_real, on_fake = (segment(segmentor, x, material) for x in (material.real.x, material.x_fake))
    # Shifting a random order by one pairs no image with its own layout.
    order = torch.randperm(len(truth), generator=torch.Generator().manual_seed(material.seed))
    others = torch.empty_like(order)
    others[order] = order.roll(1)
    consistency = Consistency(
        floor=float(pixel_accuracy(truth[others], on_real).mean()),
        value=float(pixel_accuracy(truth, on_fake).mean()),
        ceiling=float(pixel_accuracy(truth, on_real).mean()),
    )
    confusion, generated = confusion_matrix(truth, on_real, n_s), confusion_matrix(truth, on_fake, n_s)
    return Evaluation(len(truth), confusion, consistency, generated)


def segment(segmentor: nn.Module, x: Tensor, material: Material) -> Tensor:
    """Give the class of every pixel, uint8 (N, H, W): images (N, 3, H, W) in [-1, 1] on the CPU."""
    device = material.generator.device
    return in_parts(lambda some: segmentor(x[some].to(device)).argmax(1).byte(), len(x))


def report_consistency(segmentor: nn.Module, name: str, material: Material, report: Report) -> None:
    """Add what one segmentor says, `name` being whose it is."""
    result = judge(segmentor, material)
    seen, count = result.consistency, result.images
    report.add(f"consistency/{name}/floor", seen.floor, count, "equal pixels, real images against other rows' layouts")
    report.add(f"consistency/{name}/value", seen.value, count, "equal pixels, generated images against their layouts")
    report.add(f"consistency/{name}/ceiling", seen.ceiling, count, "equal pixels, real images against their layouts")
    report.add(f"consistency/{name}/share", seen.share, count, "(value - floor) / (ceiling - floor)")
    names = material.generator.scheme.names
    for images, confusion in (("real", result.confusion), ("generated", result.generated)):
        recipe = f"{images} images, one confusion matrix, mean intersection over union of the classes"
        by_class = dict(zip(names, class_iou(confusion).tolist(), strict=True))
        report.add(f"consistency/{name}/mean_iou_{images}", mean_iou(confusion), count, recipe, by_class)
        without = mean_iou(confusion, background=False)
        report.add(f"consistency/{name}/mean_iou_{images}_regions", without, count, "the same without the background")
