"""Points to label maps, exactly: a pixel belongs to a polygon when its centre does.

Points are snapped to 1/256 pixel and everything after that is integer arithmetic, so that every machine and every
backend gives the same pixels. Ties follow the top-left rule of graphics hardware: a centre on a left or top edge is
inside, one on a right or bottom edge is not. Inside is what the even-odd rule calls inside.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskkit.errors import MaskkitError, MissingExtraError, PointsError, SchemeError
from maskkit.masks.regions import RegionScheme, as_scheme
from maskkit.points.landmarks import LARGEST_COORDINATE, check_points

if TYPE_CHECKING:
    from maskkit.masks.scanlines import Paint

SUBPIXELS = 256
PIXELS_AT_ONCE = 64 * 128 * 128  # bounds the memory of a batch

LabelMap = NDArray[np.uint8]
Backend = Literal["auto", "numpy", "numba"]


def rasterize(
    points: ArrayLike,
    size: int | tuple[int, int],
    scheme: str | Path | RegionScheme = "scgan",
    backend: Backend = "auto",
) -> LabelMap:
    """Paint the regions of a scheme: points (68, 2) -> uint8 (H, W); (N, 68, 2) -> (N, H, W).

    `size` is the side of a square or (H, W). Points may lie outside of the picture, cross, run backwards or enclose
    nothing. Every `backend` gives the same pixels: "numba" is compiled and takes half a second to load, "numpy" needs
    nothing, "auto" is numba where it is installed. Raises PointsError, SchemeError, or MissingExtraError.
    """
    array = check_points(points)
    height, width = _height_width(size)
    chosen = as_scheme(scheme)
    if not chosen.drawable:
        raise SchemeError(f"the scheme {chosen.name} has no polygons, so its masks cannot be drawn from points")
    faces = array.reshape(-1, *array.shape[-2:])
    labels = np.zeros((len(faces), height, width), dtype=np.uint8)
    paint = None if backend == "numpy" else _compiled(backend)
    if paint is not None:
        # The compiled code takes arrays as NumPy itself makes them, not read-only, strided or unaligned ones.
        paint(faces if faces.flags.carray else faces.copy(), *chosen.polygons, labels)
    else:
        _paint(faces, chosen, labels)
    return labels.reshape(*array.shape[:-2], height, width)


def fill_polygon(corners: ArrayLike, size: int | tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centres lie in one polygon: corners (V, 2) in pixels -> bool (H, W)."""
    array = np.asarray(corners, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2 or not (np.abs(array) <= LARGEST_COORDINATE).all():
        raise PointsError(f"a polygon is finite corners of shape (V, 2), not {array.shape}")
    inside = np.zeros(_height_width(size), dtype=bool)
    if len(array):
        snapped = _snap(array[None])
        bit = np.ones(len(array), dtype=np.uint8)
        rows, columns, filled = _fill(snapped, np.roll(snapped, -1, axis=1), bit, *inside.shape)
        inside[rows, columns] = filled[0]
    return inside


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


@lru_cache
def _compiled(backend: Backend) -> "Paint | None":
    """The compiled painter; None for "auto" where numba is not installed."""
    if backend not in ("auto", "numba"):
        raise MaskkitError(f"there is no backend {backend!r}: take auto, numpy or numba")
    try:
        from maskkit.masks.scanlines import paint
    except ImportError as error:
        if backend == "auto":
            return None
        raise MissingExtraError("numba", "fast", "drawing masks by compiled code") from error
    return paint


def _paint(faces: NDArray[np.float32], scheme: RegionScheme, labels: LabelMap) -> None:
    """Paint by NumPy alone: faces (N, 68, 2) -> labels (N, H, W), which are zeros."""
    height, width = labels.shape[1:]
    at_once = max(1, PIXELS_AT_ONCE // (height * width))
    for first in range(0, len(faces), at_once):
        some = slice(first, first + at_once)
        snapped = _snap(faces[some])
        for group in scheme.edge_groups:
            rows, columns, inside = _fill(snapped[:, group.start], snapped[:, group.end], group.bit, height, width)
            part = labels[some, rows, columns]
            np.copyto(part, group.label[inside], where=inside > 0)


def _height_width(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    if not (0 < height <= LARGEST_COORDINATE and 0 < width <= LARGEST_COORDINATE):
        raise PointsError(f"a picture of {height} x {width} pixels cannot be drawn")
    return height, width


def _snap(points: NDArray[np.floating]) -> NDArray[np.int64]:
    """Round to 1/256 pixel; halves to even, which commutes with mirroring and with shifts by whole pixels."""
    return np.rint(points.astype(np.float64) * SUBPIXELS).astype(np.int64)


def _fill(
    start: NDArray[np.int64], end: NDArray[np.int64], bit: NDArray[np.uint8], height: int, width: int
) -> tuple[slice, slice, NDArray[np.uint8]]:
    """Even-odd scan conversion of up to eight polygons of N faces at once.

    `start` and `end` are the snapped ends of their edges, (N, E, 2); `bit` tells the polygons apart, (E,). Gives the
    rows and columns that some polygon touches, and for their pixels, (N, rows, columns), the bits of the polygons that
    they lie in.
    """
    (left, top), (right, bottom) = start.min(axis=(0, 1)), start.max(axis=(0, 1))
    row_0, row_1 = max(0, -(-top // SUBPIXELS)), min(height, bottom // SUBPIXELS + 1)
    column_0, column_1 = max(0, -(-left // SUBPIXELS)), min(width, right // SUBPIXELS + 1)
    rows, columns = max(0, row_1 - row_0), max(0, column_1 - column_0)

    downward = (start[..., 1] <= end[..., 1])[..., None]
    upper, lower = np.where(downward, start, end), np.where(downward, end, start)
    # An edge counts in the rows from its upper end up to but not including its lower end: the top rule, and each
    # corner counts once.
    row_y = np.arange(row_0, row_0 + rows) * SUBPIXELS
    face, edge, row = np.nonzero((upper[..., 1, None] <= row_y) & (row_y < lower[..., 1, None]))
    (x0, y0), (x1, y1) = upper[face, edge].T, lower[face, edge].T
    dx, dy = x1 - x0, y1 - y0
    # The first centre not left of the crossing x0 + (y - y0) * dx / dy, by exact ceiling division: the left rule.
    first = -((-(x0 * dy + (row_y[row] - y0) * dx)) // (SUBPIXELS * dy))
    first = np.clip(first - column_0, 0, columns)

    # A crossing turns its polygon's bit round in all pixels from there on.
    crossed = np.zeros((len(start), rows, columns + 1), dtype=np.uint8)
    np.bitwise_xor.at(crossed.reshape(-1), (face * rows + row) * (columns + 1) + first, bit[edge])
    inside = np.bitwise_xor.accumulate(crossed, axis=2)[..., :-1]
    return slice(row_0, row_0 + rows), slice(column_0, column_0 + columns), inside
