"""The outline of a region along the edges of its pixels."""

from collections import defaultdict

import cv2
import numpy as np
from numpy.typing import NDArray

Corner = tuple[int, int]


def outline(region: NDArray[np.bool_]) -> list[list[Corner]]:
    """One polygon for each connected piece of a region, bool (H, W): corners (x, y) between pixels, (0, 0) the corner
    of the picture.

    The even-odd inside of the polygons is the region exactly. A hole is joined to the outline of its piece by a line
    that is walked there and back and so encloses nothing, because COCO's polygons cannot be subtracted.
    """
    count, pieces = cv2.connectedComponents(region.astype(np.uint8), connectivity=4)
    polygons = []
    for piece in range(1, count):
        ys, xs = np.nonzero(pieces == piece)
        left, top = int(xs.min()), int(ys.min())
        cut = pieces[top : ys.max() + 1, left : xs.max() + 1] == piece
        loops = [[(x + left, y + top) for x, y in loop] for loop in _loops(cut)]
        # The outer loop touches the leftmost edge first; every other one is a hole.
        loops.sort(key=min)
        polygons.append(_joined(loops))
    return polygons


def _loops(piece: NDArray[np.bool_]) -> list[list[Corner]]:
    """The closed walks round a piece and its holes, the piece on the right hand, corners only."""
    padded = np.pad(piece, 1)
    following: dict[Corner, list[Corner]] = defaultdict(list)
    # An edge of a pixel belongs to the outline where its other side lies outside of the piece.
    for (dy, dx), (ax, ay), (bx, by) in (
        ((-1, 0), (0, 0), (1, 0)), ((0, 1), (1, 0), (1, 1)), ((1, 0), (1, 1), (0, 1)), ((0, -1), (0, 1), (0, 0)),
    ):  # fmt: skip
        beside = padded[1 + dy : padded.shape[0] - 1 + dy, 1 + dx : padded.shape[1] - 1 + dx]
        for y, x in np.argwhere(piece & ~beside).tolist():
            following[x + ax, y + ay].append((x + bx, y + by))
    loops = []
    while following:
        start = min(following)
        loop, here = [start], following[start].pop()
        while here != start:
            loop.append(here)
            here = following[here].pop()
        for corner in (*loop, start):
            if not following.get(corner, True):
                del following[corner]
        loops.append([b for a, b, c in zip(loop[-1:] + loop[:-1], loop, loop[1:] + loop[:1], strict=True)
                      if not (a[0] == b[0] == c[0] or a[1] == b[1] == c[1])])  # fmt: skip
    return loops


def _joined(loops: list[list[Corner]]) -> list[Corner]:
    polygon, *holes = loops
    for hole in holes:
        ends = np.array(polygon)
        distance = np.abs(ends[:, None] - np.array(hole)).sum(axis=-1)
        at, first = (int(i) for i in np.unravel_index(distance.argmin(), distance.shape))
        there = hole[first:] + hole[: first + 1]
        polygon = [*polygon[: at + 1], *there, *polygon[at:]]
    return polygon
