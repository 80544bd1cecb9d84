"""Training rows altered: photos mirrored with their layouts, and layouts drawn afresh from altered points."""

import numpy as np
from numpy.typing import NDArray

import maskkit
from gan.config import AugmentationSettings

Points = NDArray[np.float32]


def mirror_rows(
    images: NDArray[np.uint8],
    layouts: NDArray[np.uint8],
    points: Points,
    scheme: maskkit.RegionScheme,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Points]:
    """Mirror each row with probability 1/2; the sides of classes and points change names.

    images (N, H, W, 3), layouts (N, H, W), points (N, 68, 2) on the same grid, NaN where there are none. Layouts that
    have points are drawn again, so that they stay exact.
    """
    chosen = rng.random(len(images)) < 0.5
    drawn, kept = chosen & has_points(points), chosen & ~has_points(points)
    images, layouts, points = images.copy(), layouts.copy(), points.copy()
    images[chosen] = images[chosen, :, ::-1]
    layouts[kept] = maskkit.mirror_label_map(layouts[kept], scheme)
    points[drawn] = maskkit.mirror_points(points[drawn], images.shape[2])
    if drawn.any():
        layouts[drawn] = maskkit.rasterize(points[drawn], images.shape[1], scheme)
    return images, layouts, points


def has_points(points: Points) -> NDArray[np.bool_]:
    """Say which rows (N,) of points (N, 68, 2) have any: those without are NaN throughout."""
    return np.isfinite(points[:, 0, 0])


def fresh_layouts(
    layouts: NDArray[np.uint8],
    points: Points,
    scheme: maskkit.RegionScheme,
    settings: AugmentationSettings,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Replace a share of layouts (N, H, W) by new ones: the face blended with another row's, scaled and moved.

    Each of the chosen rows draws its partner in the batch, the blend in [0, 1], the scale up or down by at most
    `settings.scale` about the points' mean, and the shift by at most `settings.shift` of the size both ways.
    """
    count, size = len(layouts), layouts.shape[1]
    chosen = rng.random(count) < settings.layouts
    blend = rng.random((count, 1, 1))
    faces = (1 - blend) * points + blend * points[rng.permutation(count)]
    centre = faces.mean(axis=1, keepdims=True)
    scale = 1 + rng.uniform(-settings.scale, settings.scale, (count, 1, 1))
    shift = rng.uniform(-settings.shift, settings.shift, (count, 1, 2)) * size
    moved = (centre + scale * (faces - centre) + shift).astype(np.float32)
    fresh = layouts.copy()
    fresh[chosen] = maskkit.rasterize(moved[chosen], size, scheme)
    return fresh
