"""Turn, scale and shift: the similarity that brings points closest to others."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskkit.errors import PointsError
from maskkit.points.landmarks import GROUPS, Points, check_points

# Where a face is rigid: neither mouth nor brows nor jaw move these points.
EYES_AND_NOSE = [*GROUPS["nose_bridge"], *GROUPS["nose_base"], *GROUPS["right_eye"], *GROUPS["left_eye"]]
LEAST_EXTENT = 1e-6  # pixels; points that lie closer have no direction

Matrix = NDArray[np.float64]


def fit_similarity(points: ArrayLike, target: ArrayLike, source: str = "the points") -> Matrix:
    """The similarity that brings P points closest to a target's, float64 (2, 3); (N, 2, 3) for N times P points.

    `points` (P, 2) or (N, P, 2), `target` (P, 2). Least squares over rotation, scale and shift, without mirroring
    (Umeyama 1991; in two dimensions it has a closed form in complex numbers); two points are brought onto two others
    exactly. Raises PointsError, which names `source`, where all points lie in one place.
    """
    start, end = _complex(points), _complex(target)
    middle, end_middle = start.mean(axis=-1, keepdims=True), end.mean()
    spread = (np.abs(start - middle) ** 2).sum(axis=-1)
    if (spread < LEAST_EXTENT**2).any():
        raise PointsError(f"{source}: all lie in one place, so they cannot be aligned")
    turn = ((start - middle).conj() * (end - end_middle)).sum(axis=-1) / spread
    shift = end_middle - turn * middle[..., 0]
    rows = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    return np.moveaxis(rows, (0, 1), (-2, -1))


def move_points(points: ArrayLike, matrix: Matrix) -> Points:
    """Apply similarities (2, 3) or (N, 2, 3) to faces (68, 2) or (N, 68, 2): float32 of the faces' shape."""
    moved = check_points(points).astype(np.float64) @ np.swapaxes(matrix[..., :2], -1, -2)
    return (moved + matrix[..., None, :, 2]).astype(np.float32)


def _complex(points: ArrayLike) -> NDArray[np.complex128]:
    array = np.asarray(points, dtype=np.float64)
    return np.asarray(array[..., 0] + 1j * array[..., 1])
