"""Points to label maps, exactly: a pixel belongs to a polygon when its centre does.

Points are snapped to 1/256 pixel and everything after that is integer arithmetic, so that every machine and every
backend gives the same pixels. Ties follow the top-left rule of graphics hardware: a centre on a left or top edge is
inside, one on a right or bottom edge is not. Inside is what the even-odd rule calls inside.
"""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskkit.errors import PointsError, SchemeError
from maskkit.landmarks import LARGEST_COORDINATE, check_points
from maskkit.regions import RegionScheme, as_scheme

SUBPIXELS = 256
PIXELS_AT_ONCE = 64 * 128 * 128  # bounds the memory of a batch

LabelMap = NDArray[np.uint8]


def rasterize(points: ArrayLike, size: int | tuple[int, int], scheme: str | Path | RegionScheme = "scgan") -> LabelMap:
    """Paint the regions of a scheme: points (68, 2) -> uint8 (H, W); (N, 68, 2) -> (N, H, W).

    `size` is the side of a square or (H, W). Points may lie outside of the picture, cross, run backwards or enclose
    nothing. Raises PointsError or SchemeError.
    """
    array = check_points(points)
    height, width = _height_width(size)
    chosen = as_scheme(scheme)
    if not chosen.drawable:
        raise SchemeError(f"the scheme {chosen.name} has no polygons, so its masks cannot be drawn from points")
    faces = array.reshape(-1, *array.shape[-2:])
    labels = np.zeros((len(faces), height, width), dtype=np.uint8)
    at_once = max(1, PIXELS_AT_ONCE // (height * width))
    for start in range(0, len(faces), at_once):
        some = slice(start, start + at_once)
        snapped = _snap(faces[some])
        for index, region in enumerate(chosen.regions):
            if region.polygon:
                labels[some][_fill(snapped[:, list(region.polygon)], height, width)] = index
    return labels.reshape(*array.shape[:-2], height, width)


def fill_polygon(corners: ArrayLike, size: int | tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centres lie in one polygon: corners (V, 2) in pixels -> bool (H, W)."""
    array = np.asarray(corners, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2 or not (np.abs(array) <= LARGEST_COORDINATE).all():
        raise PointsError(f"a polygon is finite corners of shape (V, 2), not {array.shape}")
    return np.asarray(_fill(_snap(array[None]), *_height_width(size))[0])


def one_hot(label_map: ArrayLike, classes: int) -> NDArray[np.uint8]:
    """(H, W) -> (K, H, W) and (N, H, W) -> (N, K, H, W), uint8 with exactly one 1 per pixel.

    Raises SchemeError for a label that is not below `classes`.
    """
    labels = np.asarray(label_map)
    if labels.ndim not in (2, 3) or labels.dtype.kind not in "iu":
        raise SchemeError(
            f"a label map is whole numbers of shape (H, W) or (N, H, W), not {labels.dtype} {labels.shape}"
        )
    largest = labels.max(initial=0)
    if largest >= classes or (labels.dtype.kind == "i" and labels.min(initial=0) < 0):
        wrong = largest if largest >= classes else labels.min()
        raise SchemeError(f"the label map holds the value {wrong}, and the classes are 0 to {classes - 1}")
    # Compared in the labels' own type where it holds all classes, or everything would be widened first.
    kind = np.promote_types(labels.dtype, np.min_scalar_type(classes))
    channels: NDArray[np.bool_] = labels[..., None, :, :] == np.arange(classes, dtype=kind)[:, None, None]
    return channels.view(np.uint8)


def from_one_hot(channels: ArrayLike) -> LabelMap:
    """(K, H, W) -> (H, W) and (N, K, H, W) -> (N, H, W), uint8; SchemeError unless each pixel holds exactly one 1."""
    array = np.asarray(channels)
    if array.ndim not in (3, 4) or array.shape[-3] > 256:
        raise SchemeError(f"one-hot is (K, H, W) or (N, K, H, W) with K up to 256, not {array.shape}")
    if not (np.isin(array, (0, 1)).all() and (array.sum(axis=-3) == 1).all()):
        raise SchemeError("one-hot holds exactly one 1 per pixel and zeros")
    return np.asarray(array.argmax(axis=-3), dtype=np.uint8)


def mirror_label_map(label_map: LabelMap, scheme: str | Path | RegionScheme = "scgan") -> LabelMap:
    """A label map seen in a mirror: (..., H, W) reversed left to right, and the classes change sides."""
    return as_scheme(scheme).mirror[label_map[..., ::-1]]


def _height_width(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    if not (0 < height <= LARGEST_COORDINATE and 0 < width <= LARGEST_COORDINATE):
        raise PointsError(f"a picture of {height} x {width} pixels cannot be drawn")
    return height, width


def _snap(points: NDArray[np.floating]) -> NDArray[np.int64]:
    """Round to 1/256 pixel; halves to even, which commutes with mirroring and with shifts by whole pixels."""
    return np.rint(points.astype(np.float64) * SUBPIXELS).astype(np.int64)


def _fill(corners: NDArray[np.int64], height: int, width: int) -> NDArray[np.bool_]:
    """Even-odd scan conversion of N polygons with snapped corners (N, V, 2) -> bool (N, H, W)."""
    inside = np.zeros((len(corners), height, width), dtype=bool)
    # Only rows and columns that some polygon touches: a mouth costs what a mouth is large.
    (left, top), (right, bottom) = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    row_0, row_1 = max(0, -(-top // SUBPIXELS)), min(height, bottom // SUBPIXELS + 1)
    column_0, column_1 = max(0, -(-left // SUBPIXELS)), min(width, right // SUBPIXELS + 1)
    if row_0 >= row_1 or column_0 >= column_1:
        return inside
    rows, columns = row_1 - row_0, column_1 - column_0

    start, end = corners, np.roll(corners, -1, axis=1)
    downward = (start[..., 1] <= end[..., 1])[..., None]
    upper, lower = np.where(downward, start, end), np.where(downward, end, start)

    # An edge counts in the rows from its upper end up to but not including its lower end: the top rule, and each
    # corner counts once.
    row_y = np.arange(row_0, row_1) * SUBPIXELS
    polygon, edge, row = np.nonzero((upper[..., 1, None] <= row_y) & (row_y < lower[..., 1, None]))
    (x0, y0), (x1, y1) = upper[polygon, edge].T, lower[polygon, edge].T
    dx, dy = x1 - x0, y1 - y0
    # The first centre not left of the crossing x0 + (y - y0) * dx / dy, by exact ceiling division: the left rule.
    first = -((-(x0 * dy + (row_y[row] - y0) * dx)) // (SUBPIXELS * dy))
    first = np.clip(first - column_0, 0, columns)

    cell = (polygon * rows + row) * (columns + 1) + first
    crossings = np.bincount(cell, minlength=len(corners) * rows * (columns + 1)).reshape(-1, rows, columns + 1)
    parity = np.bitwise_xor.accumulate((crossings[..., :-1] & 1).astype(np.uint8), axis=2)
    inside[:, row_0:row_1, column_0:column_1] = parity
    return inside
