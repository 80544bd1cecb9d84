"""One imported pair, photo and label map of whatever size, onto the square grid of a shard."""

import numpy as np

from maskkit.errors import ExchangeError, ImageError
from maskkit.exchange.incoming import Known
from maskkit.masks.raster import LabelMap, rasterize
from maskkit.masks.regions import RegionScheme
from maskkit.masks.resizing import nearest_pixels
from maskkit.photos.images import Crop, Picture
from maskkit.shards.writer import Row


def on_grid(image: Picture, mask: LabelMap, size: int) -> tuple[Picture, LabelMap]:
    """Cut the square in the middle of both and resize it: (H, W, 3), (h, w) -> (size, size, 3), (size, size).

    The photo is averaged or interpolated, the mask takes the nearest pixel. Raises ImageError where photo and mask
    have not the same shape but for a rounded pixel.
    """
    (height, width), (rows, columns) = image.shape[:2], mask.shape
    if abs(height * columns - width * rows) > max(height, width, rows, columns):
        raise ImageError(f"the photo has {width} x {height} pixels and the mask {columns} x {rows}, another shape")
    square = Crop.centred(height, width, min(height, width), size)
    return square.image(image), nearest(mask, size)


def nearest(mask: LabelMap, size: int) -> LabelMap:
    """The square in the middle of a label map (H, W), resized to (size, size).

    Each pixel takes the label at its centre; where that is a corner between pixels, the one to the right and below.
    """
    height, width = mask.shape
    square = Crop.centred(height, width, min(height, width), size)
    at = nearest_pixels(square.side, size)
    return np.ascontiguousarray(mask[np.ix_(square.top + at, square.left + at)])


def add_points(row: Row, known: Known, scheme: RegionScheme, height_width: tuple[int, ...]) -> None:
    """Give a row the points of an export, moved with its photo, and where that resized it a mask drawn from them.

    Raises ExchangeError where the mask of an unresized photo is not the one that its points draw.
    """
    size = len(row.mask)
    if known.points is None:
        raise ExchangeError("no points in landmarks.csv")
    height, width = height_width
    row.landmarks = Crop.centred(height, width, min(height, width), size).points(known.points)
    row.detector, row.score, row.box = known.detector, known.score, known.box
    if not scheme.drawable:
        return
    drawn = rasterize(row.landmarks, size, scheme)
    if (height, width) == (size, size) and (drawn != row.mask).any():
        raise ExchangeError(
            "its points do not draw its mask; to take the masks alone, remove landmarks.csv, export.json and the last "
            "six columns of samples.csv"
        )
    row.mask = drawn
