"""The outline of a region along the edges of its pixels."""

from collections import defaultdict
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Corner = tuple[int, int]


class Outline(NamedTuple):
    """One connected piece of a region as one closed polygon, for both ways in which tools fill polygons.

    The even-odd inside of `corners`, points (x, y) between pixels with (0, 0) the corner of the picture, is the piece
    exactly. `pixels` are the piece's pixels at these corners, as (column, row): filled together with the line through
    them, as OpenCV's `fillPoly` does, they give the piece exactly, where `corners` would give a pixel too much.
    """

    corners: list[Corner]
    pixels: list[Corner]


class _Turn(NamedTuple):
    corner: Corner
    pixel: Corner


def outline(region: NDArray[np.bool_]) -> list[Outline]:
    """One outline for each connected piece of a region, bool (H, W).

    A hole is joined to its piece by a line along a row of the piece's pixels that is walked there and back and so
    encloses nothing, because polygons of COCO and YOLO cannot be subtracted.
    """
    _, pieces, boxes, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8), connectivity=4)
    outlines = []
    for piece, (left, top, width, height, _) in enumerate(boxes.tolist()[1:], 1):
        cut = pieces[top : top + height, left : left + width] == piece
        turns = _joined(_loops(cut), cut)
        corners = [(x + left, y + top) for (x, y), _ in turns]
        # pycocotools gives nonsense for two equal corners in a row.
        corners = [one for one, before in zip(corners, corners[-1:] + corners[:-1], strict=True) if one != before]
        outlines.append(Outline(corners, [(x + left, y + top) for _, (x, y) in turns]))
    return outlines


def _loops(piece: NDArray[np.bool_]) -> list[list[_Turn]]:
    """The closed walks round a piece and its holes, the piece on the right hand, the piece's own first."""
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
        loop = [min(following)]  # of the loops that are left the leftmost, which every hole's piece is
        before: Corner = loop[0]
        while len(loop) == 1 or loop[-1] != loop[0]:
            here = loop[-1]
            ways = following[here]
            # Where two pixels of the piece touch in a corner, a turn to the right stays with the same pixel.
            right = (here[0] - (here[1] - before[1]), here[1] + (here[0] - before[0]))
            loop.append(right if right in ways else ways[0])
            ways.remove(loop[-1])
            if not ways:
                del following[here]
            before = here
        loops.append(_turns(loop[:-1]))
    return loops


def _turns(loop: list[Corner]) -> list[_Turn]:
    turns = []
    for before, here, after in zip(loop[-1:] + loop[:-1], loop, loop[1:] + loop[:1], strict=True):
        into, out = (here[0] - before[0], here[1] - before[1]), (after[0] - here[0], after[1] - here[1])
        if into == out:
            continue
        # The piece lies on the right: left of what goes down, above of what goes left.
        x = here[0] - ((into[1] or out[1]) > 0)
        y = here[1] - ((into[0] or out[0]) < 0)
        turns.append(_Turn(here, (x, y)))
    return turns


def _joined(loops: list[list[_Turn]], piece: NDArray[np.bool_]) -> list[_Turn]:
    """One walk round all loops: from the top left of each hole leftwards to what comes first, and back again."""
    polygon, *holes = loops
    for hole in sorted(holes, key=min):
        (_, y), (x, row) = hole[0]  # the corner above and left of the hole's first pixel
        outside = np.flatnonzero(~piece[row, :x])
        end = int(outside[-1]) + 1 if outside.size else 0
        meeting = _Turn((end, y), (end, row))
        at = next(
            i for i, (one, after) in enumerate(zip(polygon, polygon[1:] + polygon[:1], strict=True))
            if one.corner[0] == after.corner[0] == end and after.corner[1] < y <= one.corner[1]
        )  # fmt: skip
        polygon = [*polygon[: at + 1], meeting, *hole, hole[0], meeting, *polygon[at + 1 :]]
    return polygon
