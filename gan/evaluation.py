"""How well a segmentor names regions, and how well generated images keep to their layouts."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan.data import Batch, BatchOrder, RowsAtSize, batches, one_hot
from gan.errors import DataError
from gan.loading import LoadedGenerator
from gan.losses import pixel_cross_entropy
from gan.networks import Segmentor

EVALUATION_BATCH = 32


def confusion_matrix(truth: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Count pixels by true class (rows) and predicted class (columns): int64 (classes, classes).

    `truth` and `predicted` are class indices of one shape.
    """
    return torch.bincount(truth.flatten() * classes + predicted.flatten(), minlength=classes**2).view(classes, classes)


def class_iou(confusion: Tensor) -> Tensor:
    """Give intersection over union by class, float64 (K,); NaN for a class that neither side has."""
    hit = confusion.diag().double()
    return hit / (confusion.sum(0) + confusion.sum(1) - hit)


def mean_iou(confusion: Tensor, *, background: bool = True) -> float:
    """Average `class_iou` over the classes that occur, with or without class 0."""
    return float(class_iou(confusion)[0 if background else 1 :].nanmean())


def pixel_accuracy(truth: Tensor, predicted: Tensor) -> Tensor:
    """Give each image's share of equal pixels: (N, H, W), (N, H, W) -> float64 (N,)."""
    return (truth == predicted).flatten(1).double().mean(1)


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
    """What one segmentor says of real images (confusion with their layouts) and of generated ones."""

    images: int
    confusion: Tensor
    consistency: Consistency


@torch.no_grad()
def evaluate(generator: LoadedGenerator, segmentor: nn.Module, rows: list[RowsAtSize], seed: int = 0) -> Evaluation:
    """Judge a generator by a segmentor on all given rows, each layout with its own attributes and a fresh z.

    The floor pairs each image with another one's layout. Networks must be on the generator's device.
    """
    count, n_s = sum(map(len, rows)), len(generator.scheme)
    if count < 2:
        raise DataError(f"{rows[0].reader.folder}: at least 2 rows are needed to evaluate, and there are {count}")
    real, z = read_all(rows), generator.draw_z(count, seed)

    def segment(images: Callable[[slice], Tensor]) -> Tensor:
        parts = range(0, count, EVALUATION_BATCH)
        return torch.cat([segmentor(images(slice(i, i + EVALUATION_BATCH))).argmax(1).cpu() for i in parts])

    on_real = segment(lambda some: real.x[some].to(generator.device))
    on_fake = segment(lambda some: generator(z[some], real.c[some], one_hot(real.s_idx[some], n_s)))
    # Shifting a random order by one pairs no image with its own layout.
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    others = torch.empty_like(order)
    others[order] = order.roll(1)
    consistency = Consistency(
        floor=float(pixel_accuracy(real.s_idx[others], on_real).mean()),
        value=float(pixel_accuracy(real.s_idx, on_fake).mean()),
        ceiling=float(pixel_accuracy(real.s_idx, on_real).mean()),
    )
    return Evaluation(count, confusion_matrix(real.s_idx, on_real, n_s), consistency)


def train_segmentor(
    rows: RowsAtSize,
    *,
    width: int,
    blocks: int,
    steps: int,
    seed: int,
    batch: int = 16,
    learning_rate: float = 1e-3,
    device: torch.device,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> Segmentor:
    """Train a segmentor on real images alone, to score generators it has never met; `on_step` gets step and loss."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        segmentor = Segmentor(len(rows.reader.scheme), width=width, blocks=blocks).to(device)
    optimiser = torch.optim.Adam(segmentor.parameters(), learning_rate)
    stream: Iterator[Batch] = batches(rows, BatchOrder(len(rows), batch, seed))
    for step in range(1, steps + 1):
        real = next(stream).to(device)
        loss = pixel_cross_entropy(segmentor(real.x), real.s_idx)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()
        on_step(step, loss.item())
    return segmentor.eval().requires_grad_(False)


def read_all(rows: list[RowsAtSize]) -> Batch:
    """Read all rows of several splits as one batch on the CPU."""
    return Batch(
        *(torch.cat(tensors) for tensors in zip(*(r.read(range(len(r))) for r in rows if len(r)), strict=True))
    )
