"""Label maps on another grid: labels are chosen, never mixed."""

import numpy as np
from numpy.typing import NDArray

from maskkit.masks.raster import LabelMap


def nearest_pixels(old: int, new: int) -> NDArray[np.int64]:
    """For each of `new` pixels along a side, the one of `old` pixels that its centre lies in: int64 (new,).

    Where that is a corner between two, the one to the right and below: (u + 0.5) * old / new, rounded down.
    """
    return (2 * np.arange(new) + 1) * old // (2 * new)


def resize_labels(mask: LabelMap, size: int) -> LabelMap:
    """A square label map (H, H) on a `size` x `size` grid; each pixel takes the label at its centre."""
    at = nearest_pixels(len(mask), size)
    return np.ascontiguousarray(mask[np.ix_(at, at)])
