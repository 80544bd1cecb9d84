"""In-between faces: points move, and masks are drawn anew from them, so that regions travel instead of fading."""

import numpy as np
from numpy.typing import ArrayLike

from maskkit.errors import PointsError
from maskkit.landmarks import Points, check_points


def interpolate(a: ArrayLike, b: ArrayLike, steps: int) -> Points:
    """Straight paths from the points `a` to `b`, both (68, 2): float32 (steps, 68, 2), both ends included exactly.

    `steps` is at least 2. SCGAN paper, spatial interpolation: landmarks are interpolated, never one-hot maps.
    """
    start, end = check_points(a, "the first points"), check_points(b, "the last points")
    if start.shape != end.shape or start.ndim != 2:
        raise PointsError(f"one face is needed at each end, got shapes {start.shape} and {end.shape}")
    if steps < 2:
        raise PointsError(f"a morph has at least 2 steps, its two ends; got {steps}")
    t = np.linspace(0, 1, steps)[:, None, None]
    return ((1 - t) * start + t * end).astype(np.float32)
