"""Masks and points shown on the photo they belong to: outlines, dots and a legend, as large as the face asks for."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike

from maskkit.masks.pictures import colorize, draw_points, encode_png, enlarge, overlay
from maskkit.masks.raster import rasterize
from maskkit.masks.regions import RegionScheme, as_scheme
from maskkit.photos.images import Picture
from maskkit.points.landmarks import POINT_COUNT, Points, eye_distance, scale_points

LEAST_SIDE = 1000  # of the longer side: pixels of smaller photos are repeated, so that lines leave something to see
LINE, DOT = 1 / 100, 1 / 70  # of the eye distance: the width of an outline, the radius of a point
FONT, TEXT = cv2.FONT_HERSHEY_SIMPLEX, 1 / 45  # the height of a line of the legend, of the photo's longer side
LEAST_TEXT = 14  # pixels
PLAIN_TEXT = 30  # pixels of a line at OpenCV's scale 1
BLACK = (0, 0, 0)
NOTEBOOK_SIDE = 256  # pixels of a face that a notebook shows


def notebook_png(points: Points, image: Picture | None = None) -> bytes:
    """One face as a notebook shows it: its regions over its photo, or alone, filling a square. PNG."""
    if image is not None:
        shown = overlay(image, rasterize(points, image.shape[:2], backend="numpy"))
        return encode_png(enlarge(shown, max(1, NOTEBOOK_SIDE // max(image.shape[:2]))))
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    reach = max(float(np.abs(points - middle).max()), 1.0) * 1.1
    placed = (points - middle + reach) * (NOTEBOOK_SIDE / (2 * reach))
    return encode_png(colorize(rasterize(placed, NOTEBOOK_SIDE, backend="numpy")))


def annotate(image: Picture, points: ArrayLike, scheme: str | Path | RegionScheme = "scgan") -> Picture:
    """Draw the regions' outlines and the points of faces, (68, 2) or (N, 68, 2), on a photo; a legend stands below.

    uint8 RGB (H, W, 3) -> (k * H + the legend's lines, k * W, 3), where k enlarges small photos. Lines and dots are
    sized by each face, the text by the photo.
    """
    regions = as_scheme(scheme)
    scale = max(1, LEAST_SIDE // max(image.shape[:2]))
    drawn = enlarge(image, scale)
    for face in scale_points(points, 1, scale).reshape(-1, POINT_COUNT, 2):
        distance = float(eye_distance(face))
        _draw_outlines(drawn, face, regions, max(1, round(distance * LINE)))
        drawn = draw_points(drawn, face, round(distance * DOT))
    return _with_legend(drawn, regions)


def _draw_outlines(drawn: Picture, face: Points, scheme: RegionScheme, width: int) -> None:
    """Draw in place. A dark line lies below each, because skin's colour on skin would not be seen."""
    height, across = drawn.shape[:2]
    left, top = (int(max(0, np.floor(edge) - 1)) for edge in face.min(axis=0))
    right, bottom = (int(np.ceil(edge) + 2) for edge in face.max(axis=0))
    right, bottom = min(right, across), min(bottom, height)
    if right <= left or bottom <= top:
        return
    mask = rasterize(face - np.array([left, top], np.float32), (bottom - top, right - left), scheme, backend="numpy")
    outlines = [
        cv2.findContours((mask == index).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE, offset=(left, top))[0]
        for index in range(1, len(scheme))
    ]
    for contours in outlines:
        cv2.drawContours(drawn, contours, -1, BLACK, width + 2)
    for contours, region in zip(outlines, scheme.regions[1:], strict=True):
        cv2.drawContours(drawn, contours, -1, region.color, width)


def _with_legend(drawn: Picture, scheme: RegionScheme) -> Picture:
    """The picture with a strip below it: a square of each region's colour and its name, in as many lines as needed."""
    line = max(LEAST_TEXT, round(max(drawn.shape[:2]) * TEXT))
    scale, stroke = line / PLAIN_TEXT * 0.8, max(1, line // 18)
    widths = [line + cv2.getTextSize(one.name, FONT, scale, stroke)[0][0] + line for one in scheme.regions[1:]]
    across = drawn.shape[1]
    places: list[tuple[int, int]] = []
    x = y = 0
    for width in widths:
        if x and x + width > across:
            x, y = 0, y + line
        places.append((x, y))
        x += width
    height = drawn.shape[0]
    sheet = np.full((height + y + line + line // 3, across, 3), 255, dtype=np.uint8)
    sheet[:height] = drawn
    for (x, y), region in zip(places, scheme.regions[1:], strict=True):
        top = height + y + line // 3
        cv2.rectangle(sheet, (x + 2, top), (x + line * 3 // 4, top + line * 2 // 3), region.color, cv2.FILLED)
        cv2.rectangle(sheet, (x + 2, top), (x + line * 3 // 4, top + line * 2 // 3), BLACK)
        cv2.putText(sheet, region.name, (x + line, top + line * 2 // 3), FONT, scale, BLACK, stroke, cv2.LINE_AA)
    return sheet
