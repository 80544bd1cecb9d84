"""The 68-point convention of iBUG 300-W, as dlib predicts it: groups, mirror permutation, checks and grids."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskkit.errors import PointsError

POINT_COUNT = 68
LARGEST_COORDINATE = 1e6  # keeps the integer arithmetic of the rasteriser inside 64 bits

Points = NDArray[np.float32]

# Left and right are the subject's: the right eye lies at the left of the picture.
GROUPS = {
    "jaw": range(0, 17),
    "right_brow": range(17, 22),
    "left_brow": range(22, 27),
    "nose_bridge": range(27, 31),
    "nose_base": range(31, 36),
    "right_eye": range(36, 42),
    "left_eye": range(42, 48),
    "outer_lip": range(48, 60),
    "inner_lip": range(60, 68),
}

# MIRROR[i] is the point that takes the place of point i when the face is seen in a mirror.
MIRROR = np.array(
    [
        *range(16, -1, -1),  # jaw
        *range(26, 16, -1),  # brows
        *range(27, 31),  # nose bridge
        *range(35, 30, -1),  # nose base
        *(45, 44, 43, 42, 47, 46),  # right eye takes the left eye's points
        *(39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # outer lip
        *(64, 63, 62, 61, 60, 67, 66, 65),  # inner lip
    ]
)


def check_points(points: ArrayLike, source: str = "the points") -> Points:
    """Give `points` as float32 (68, 2) or (N, 68, 2), or raise PointsError.

    Pixels, x right and y down, pixel centres at integers. Anywhere within a million pixels of the picture is allowed;
    NaN and infinity are not. `source` names them in the error.
    """
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is refused below
            array = np.asarray(points, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise PointsError(f"{source}: expected numbers of shape (68, 2), got something else ({error})") from error
    if array.ndim not in (2, 3) or array.shape[-2:] != (POINT_COUNT, 2):
        raise PointsError(f"{source}: expected shape (68, 2) or (N, 68, 2), got {array.shape}")
    if not np.isfinite(array).all():
        raise PointsError(f"{source}: a coordinate is NaN or infinite")
    if array.size and np.abs(array).max() > LARGEST_COORDINATE:
        raise PointsError(f"{source}: {np.abs(array).max():g} is farther out than {LARGEST_COORDINATE:g} pixels")
    return array


def mirror_points(points: ArrayLike, width: int) -> Points:
    """Mirror faces left to right on a grid `width` pixels wide: x -> width - 1 - x, and the sides change names.

    (68, 2) or (N, 68, 2) -> float32 of the same shape.
    """
    mirrored = check_points(points)[..., MIRROR, :].copy()
    mirrored[..., 0] = width - 1 - mirrored[..., 0]
    return mirrored


def scale_points(points: ArrayLike, old_size: int, new_size: int) -> Points:
    """Move points from a square grid to another of the same view: u = (x + 0.5) * new / old - 0.5."""
    return ((check_points(points) + 0.5) * (new_size / old_size) - 0.5).astype(np.float32)


def eye_centres(points: ArrayLike) -> NDArray[np.float64]:
    """The means of the six points of the right and the left eye, float64 (2, 2) or (N, 2, 2)."""
    array = check_points(points).astype(np.float64)
    return np.stack([array[..., GROUPS[eye], :].mean(axis=-2) for eye in ("right_eye", "left_eye")], axis=-2)


def eye_distance(points: ArrayLike) -> NDArray[np.float64]:
    """The distance of the outer eye corners (points 36 and 45) in pixels, the usual unit of landmark errors."""
    array = check_points(points).astype(np.float64)
    return np.asarray(np.linalg.norm(array[..., 36, :] - array[..., 45, :], axis=-1))
