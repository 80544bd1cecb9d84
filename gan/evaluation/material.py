"""What is measured: real rows, and an image generated for each of their layouts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

import maskkit
from gan.data.rows import Batch, RowsAtSize, one_hot
from gan.errors import DataError
from gan.pictures.tiles import check_finite
from gan.systems.given import Given
from maskkit.points.landmarks import Points

BATCH = 32


class Generates(Protocol):
    """All that the measures ask of a generator."""

    @property
    def scheme(self) -> maskkit.RegionScheme: ...
    @property
    def takes(self) -> tuple[str, ...]: ...
    @property
    def device(self) -> torch.device: ...
    def draw_z(self, count: int, seed: int) -> Tensor: ...
    def make(self, given: Given) -> Tensor: ...


@dataclass(frozen=True)
class Material:
    """N real rows and, for each, an image made from its layout, its attributes and a z of its own; all on the CPU.

    The images `real.x` and `x_fake` are float32 (N, 3, H, W) in [-1, 1]. `seed` decides z, which is None where the
    generator takes none; nor does it see of a row what it does not take.
    """

    generator: Generates
    real: Batch
    z: Tensor | None
    x_fake: Tensor
    seed: int

    def __len__(self) -> int:
        return len(self.real.x)

    @property
    def other_seed(self) -> int:
        """Give a seed for latents other than `z`."""
        return (self.seed + 1) % 2**63

    def generate(self, z: Tensor | None = None, c: Tensor | None = None) -> Tensor:
        """Make the images again with other latents or other attributes, rows' own where none are given."""
        return generate(self.generator, self.real, self.z if z is None else z, c)


def make_material(generator: Generates, rows: list[RowsAtSize], seed: int, count: int | None = None) -> Material:
    """Read the first `count` rows, all by default, and generate an image for each. Raises DataError, ShardError."""
    real = read_all(rows, count)
    z = generator.draw_z(len(real.x), seed) if "z" in generator.takes else None
    x_fake = generate(generator, real, z)
    return Material(generator, real, z, x_fake, seed)


def read_all(rows: list[RowsAtSize], count: int | None = None) -> Batch:
    """Read the first `count` rows of several splits, all by default, as one batch on the CPU."""
    chosen = _first(rows, count)
    whole: Batch | None = None
    done = 0
    for split, numbers in chosen:
        for first in range(0, len(numbers), BATCH):
            part = split.read(numbers[first : first + BATCH])
            whole = whole or _room_for(sum(len(numbers) for _, numbers in chosen), part)
            for tensor, some in zip(whole[:3], part[:3], strict=True):
                tensor[done : done + len(some)] = some
            done += len(part.x)
    if whole is None:
        raise DataError(f"{rows[0].reader.folder}: there are no rows to measure")
    return whole


def read_points(rows: list[RowsAtSize], count: int | None = None) -> Points | None:
    """Read the landmarks of the first `count` rows on the grid of the images: float32 (N, 68, 2).

    None where not all of them have landmarks.
    """
    samples = [split.reader[i] for split, numbers in _first(rows, count) for i in numbers]
    if not all("landmarks" in sample for sample in samples):
        return None
    points = np.stack([sample["landmarks"] for sample in samples])
    return maskkit.scale_points(points, rows[0].reader.size, rows[0].size)


def generate(generator: Generates, real: Batch, z: Tensor | None, c: Tensor | None = None) -> Tensor:
    """Make images float32 (N, 3, H, W) on the CPU from rows and `z` (N, n_z), with their own attributes or `c`.

    Raises NotFiniteError, for what is measured on them would mean nothing or, as an eigenvalue, end the process.
    """
    n_s, attributes = len(generator.scheme), real.c if c is None else c

    def make(some: slice) -> Tensor:
        s = one_hot(real.s_idx[some], n_s) if "s" in generator.takes else None
        return generator.make(Given(z, attributes, None, real.x).part(some)._replace(s=s)).float()

    images = in_parts(make, len(real.x))
    check_finite(images)
    return images


@torch.no_grad()
def in_parts(make: Callable[[slice], Tensor], count: int) -> Tensor:
    """Compute rows 0 to `count` a few at a time, for the device's memory, and put them together on the CPU."""
    made = make(slice(0, BATCH)).cpu()
    whole = made.new_empty((count, *made.shape[1:]))
    whole[:BATCH] = made
    for first in range(BATCH, count, BATCH):
        whole[first : first + BATCH] = make(slice(first, first + BATCH))
    return whole


def _room_for(count: int, like: Batch) -> Batch:
    """Make an unfilled batch of `count` rows, whose layouts are kept once."""
    x, c, s_idx = (tensor.new_empty((count, *tensor.shape[1:])) for tensor in like[:3])
    return Batch(x, c, s_idx, s_idx)


def _first(rows: list[RowsAtSize], count: int | None) -> list[tuple[RowsAtSize, range]]:
    left = sum(map(len, rows)) if count is None else count
    chosen = []
    for split in rows:
        if taken := min(left, len(split)):
            chosen.append((split, range(taken)))
            left -= taken
    return chosen
