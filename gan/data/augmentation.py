"""Training rows altered: photos mirrored with their layouts, and layouts drawn afresh from altered points.

What is drawn at random, and the few numbers that it moves, is NumPy on the host, so that it is the same everywhere;
what is done to pixels is torch on the device.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import maskkit
from gan.computing.device import sent
from gan.data.raster import Rasterizer
from gan.settings.sections import AugmentationSettings
from maskkit.points.landmarks import check_points

Points = NDArray[np.float32]
Numbers = NDArray[np.int64]


class Alteration(NamedTuple):
    """What becomes of a batch: the rows mirrored, those of them drawn again, and the rows whose layouts are fresh.

    `points` float32 (M + F, 68, 2) are what to draw: for the `redrawn` rows (M,), then for the `fresh` ones (F,).
    """

    mirrored: Numbers
    redrawn: Numbers
    fresh: Numbers
    points: Points


def has_points(points: Points) -> NDArray[np.bool_]:
    """Say which rows (N,) of points (N, 68, 2) have any: those without are NaN throughout."""
    return np.isfinite(points[:, 0, 0])


def draw_alteration(
    points: Points, size: int, settings: AugmentationSettings, rng: np.random.Generator
) -> Alteration | None:
    """Draw what becomes of rows with points (N, 68, 2), NaN where a row has none; None where nothing may.

    A row is mirrored with probability 1/2. Those that have points are drawn again, so that their layouts stay exact.
    """
    if not settings.mirror and not settings.layouts:
        return None
    count = len(points)
    mirrored, redrawn, fresh = (np.zeros(count, dtype=bool) for _ in range(3))
    to_draw: list[Points] = []
    if settings.mirror:
        mirrored = rng.random(count) < 0.5
        redrawn = mirrored & has_points(points)
        to_draw.append(maskkit.mirror_points(points[redrawn], size))
        points = points.copy()
        points[redrawn] = to_draw[0]
    if settings.layouts:
        fresh, moved = _moved_faces(points, size, settings, rng)
        to_draw.append(moved)
    points = check_points(np.concatenate(to_draw))
    return Alteration(np.flatnonzero(mirrored), np.flatnonzero(redrawn), np.flatnonzero(fresh), points)


def _moved_faces(
    points: Points, size: int, settings: AugmentationSettings, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], Points]:
    """Choose a share of rows, and give for them the face blended with another row's, scaled and moved.

    Each of the chosen rows draws its partner in the batch, the blend in [0, 1], the scale up or down by at most
    `settings.scale` about the points' mean, and the shift by at most `settings.shift` of the size both ways.
    """
    count = len(points)
    chosen = rng.random(count) < settings.layouts
    blend = rng.random((count, 1, 1))
    faces = (1 - blend) * points + blend * points[rng.permutation(count)]
    centre = faces.mean(axis=1, keepdims=True)
    scale = 1 + rng.uniform(-settings.scale, settings.scale, (count, 1, 1))
    shift = rng.uniform(-settings.shift, settings.shift, (count, 1, 2)) * size
    moved = (centre + scale * (faces - centre) + shift).astype(np.float32)
    return chosen, moved[chosen]


class Alterer:
    """Alters the images and layouts of one scheme and size on one device, as an Alteration says."""

    def __init__(self, scheme: maskkit.RegionScheme, size: int, device: torch.device) -> None:
        self.other_side = torch.from_numpy(scheme.mirror).to(device)
        self.rasterize = Rasterizer(scheme, size, device) if scheme.drawable else None
        self.device = device

    def __call__(self, images: Tensor, layouts: Tensor, altered: Alteration) -> tuple[Tensor, Tensor, Tensor]:
        """Give images uint8 (N, H, W, 3), their layouts uint8 (N, H, W), and those for the generator, partly fresh."""
        mirrored, redrawn, fresh = (sent(numbers, self.device) for numbers in altered[:3])
        if len(mirrored):
            images = images.index_copy(0, mirrored, images[mirrored].flip(2))
            layouts = layouts.index_copy(0, mirrored, self.other_side[layouts[mirrored].flip(2).int()])
        if self.rasterize is None or not len(altered.points):
            return images, layouts, layouts
        drawn = self.rasterize(sent(altered.points, self.device))
        layouts = layouts.index_copy(0, redrawn, drawn[: len(redrawn)])
        return images, layouts, layouts.index_copy(0, fresh, drawn[len(redrawn) :])
