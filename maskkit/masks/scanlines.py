"""The rasteriser's inner loop, compiled by numba: the same integers as the NumPy code in `raster`, without its arrays.

Imported on first use alone, because numba takes half a second to import. The compiled code is kept on the disk,
beside this file or in the user's cache folder, so that another process loads it instead of compiling again.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

SIGNATURE = "void(float32[:, :, ::1], int64[::1], int64[::1], uint8[::1], uint8[:, :, ::1])"

Whole = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Paint = Callable[[NDArray[np.float32], Whole, Whole, Bytes, Bytes], None]


def _paint(faces: NDArray[np.float32], indices: Whole, ends: Whole, values: Bytes, labels: Bytes) -> None:
    """Paint polygons over each other: faces (N, 68, 2) within a million pixels -> labels (N, H, W), which are zeros.

    The points of polygon k are `indices[ends[k - 1] : ends[k]]` and its label is `values[k]`.
    """
    count, height, width = labels.shape
    snapped = np.empty((faces.shape[1], 2), dtype=np.int64)
    edges = 0  # the most that a polygon has, and so the most crossings of a row
    begin = 0
    for end in ends:
        edges = max(edges, end - begin)
        begin = end
    crossings = np.empty((height, edges), dtype=np.int32)
    found = np.zeros(height, dtype=np.int32)  # crossings of each row; zeros again after each polygon
    for face in range(count):
        for point in range(snapped.shape[0]):
            snapped[point, 0] = np.int64(np.rint(np.float64(faces[face, point, 0]) * 256))
            snapped[point, 1] = np.int64(np.rint(np.float64(faces[face, point, 1]) * 256))
        begin = 0
        for polygon in range(len(ends)):
            end = ends[polygon]
            row_0, row_1 = height, 0
            last = indices[end - 1]
            for corner in range(begin, end):
                start, last = last, indices[corner]
                x0, y0, x1, y1 = snapped[start, 0], snapped[start, 1], snapped[last, 0], snapped[last, 1]
                if y0 > y1:
                    x0, y0, x1, y1 = x1, y1, x0, y0
                # From the upper end up to but not including the lower end; >> is exact floor division by 256.
                top, bottom = max(0, -(-y0 >> 8)), min(height, -(-y1 >> 8))
                if top >= bottom:
                    continue
                row_0, row_1 = min(row_0, top), max(row_1, bottom)
                # The first centre not left of the crossing is ceil((x0 * dy + (y - y0) * dx) / (256 * dy)). From row to
                # row that grows by dx / dy: whole part and remainder are carried along, so that nothing is rounded.
                dx, dy = x1 - x0, y1 - y0
                over = x0 * dy + (top * 256 - y0) * dx + 256 * dy - 1
                first = over // (256 * dy)
                rest = over - first * 256 * dy
                step = dx // dy
                rest_step = 256 * (dx - step * dy)
                for row in range(top, bottom):
                    crossings[row, found[row]] = min(max(first, 0), width)
                    found[row] += 1
                    first += step
                    rest += rest_step
                    if rest >= 256 * dy:
                        rest -= 256 * dy
                        first += 1
            value = values[polygon]
            for row in range(row_0, row_1):
                for place in range(1, found[row]):  # sorted by insertion, for they are two or four
                    crossing = crossings[row, place]
                    while place > 0 and crossings[row, place - 1] > crossing:
                        crossings[row, place] = crossings[row, place - 1]
                        place -= 1
                    crossings[row, place] = crossing
                for place in range(0, found[row], 2):  # even-odd: inside from each first to each second
                    for column in range(crossings[row, place], crossings[row, place + 1]):
                        labels[face, row, column] = value
                found[row] = 0
            begin = end


def _compiled() -> Paint:
    """Compile, or load what was compiled before; where nothing can be kept on the disk it is compiled for this run."""
    try:
        kept: Any = njit(SIGNATURE, cache=True, nogil=True)(_paint)
    except Exception:  # no folder to write, a full disk, a damaged file, which may raise whatever pickle can
        kept = njit(SIGNATURE, nogil=True)(_paint)
    paint: Paint = kept
    return paint


paint = _compiled()
