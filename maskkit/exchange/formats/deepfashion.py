"""DeepFashion's Fashion Synthesis subset: G2.h5 (pictures, label maps), language_original.mat (colours), ind.mat.

G2.h5 holds `ih` (N, 3, W, H), pictures in [0, 1] less the mean picture `ih_mean` (3, W, H), and `b_` (N, 1, W, H), the
classes 0 to 6; the last two axes are swapped. `color_` counts the 17 colours from 1, and `train_ind` and `test_ind`
count the rows of the official split from 1 (systems: Zhu et al., Be Your Own Prada, ICCV 2017, and its code).
"""

from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from maskkit.errors import ExchangeError
from maskkit.exchange.incoming import Incoming, Pair
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import load_scheme
from maskkit.photos.images import Picture
from maskkit.shards.guard import checked_numbers, open_hdf5, read_matlab

COLORS = 17
ATTRIBUTES = tuple(f"color_{number:02d}" for number in range(1, COLORS + 1))
RANGES = ("fixed", "per-image")


def read(source: Path, brightness: str) -> Incoming:
    """Find Fashion Synthesis in `source`, the three files side by side; nothing but the tables is read before rows are.

    `brightness` is `fixed`, where 0 and 1 become black and white, or `per-image`, where each picture's darkest and
    brightest values do, as in SCGAN's release. An id is the row in G2.h5, counted from 0. Raises ExchangeError.
    """
    if brightness not in RANGES:
        raise ExchangeError(f"there is no range {brightness!r}: take one of {', '.join(RANGES)}")
    with ExitStack() as stack:
        file = stack.enter_context(open_hdf5(source / "G2.h5", ExchangeError))
        incoming = _describe(source, file, brightness)
        incoming.close = stack.pop_all().close
    return incoming


def _describe(source: Path, file: h5py.File, brightness: str) -> Incoming:
    pictures = checked_numbers(file, "ih", 4)
    labels = checked_numbers(file, "b_", 4)
    count, channels, width, height = pictures.shape
    if 0 in pictures.shape:
        raise ExchangeError(f"{file.filename}: ih is {pictures.shape}, and holds no picture")
    if channels != 3 or labels.shape != (count, 1, width, height):
        raise ExchangeError(f"{file.filename}: ih is {pictures.shape} and b_ is {labels.shape}, not of one set")
    mean = _mean(file, (channels, width, height))
    colors = read_matlab(source / "language_original.mat", "color_").ravel()
    if len(colors) != count or not np.isin(colors, np.arange(1, COLORS + 1)).all():
        raise ExchangeError(f"{source / 'language_original.mat'}: color_ is not {count:,} values from 1 to {COLORS}")
    splits = _splits(source / "ind.mat", count)
    scheme = load_scheme("deepfashion")
    pairs = []
    for row in range(count):
        attributes = tuple(int(number == colors[row]) for number in range(1, COLORS + 1))
        problem = "" if splits[row] else "no row in ind.mat"
        pairs.append(Pair(f"{row:06d}", splits[row] or "train", attributes, problem, row))

    def load(pair: Pair) -> tuple[Picture, LabelMap]:
        image, mask = _read_row(file, pictures, labels, pair.files)
        return _as_picture(image + mean, brightness, pair.id), _as_labels(mask, len(scheme), pair.id)

    return Incoming("deepfashion", scheme, ATTRIBUTES, pairs, load)


def _mean(file: h5py.File, shape: tuple[int, ...]) -> NDArray[np.float64]:
    stored = checked_numbers(file, "ih_mean", 3, 4)
    if int(np.prod(stored.shape)) != int(np.prod(shape)):
        raise ExchangeError(f"{file.filename}: ih_mean is {stored.shape}, and the pictures are {shape}")
    try:
        mean = np.asarray(stored[()], dtype=np.float64).reshape(shape)
    except (OSError, RuntimeError) as error:
        raise ExchangeError(f"{file.filename}: ih_mean cannot be read ({error})") from error
    if not (mean.min() >= 0 and mean.max() <= 1):
        raise ExchangeError(f"{file.filename}: ih_mean runs from {mean.min():g} to {mean.max():g}, not within 0 and 1")
    return mean


def _splits(path: Path, count: int) -> list[str]:
    """The split of each row, "" for one in neither."""
    splits = [""] * count
    for name, split in (("train_ind", "train"), ("test_ind", "test")):
        for number in read_matlab(path, name).ravel().tolist():
            if not 1 <= number <= count or number != int(number) or splits[int(number) - 1]:
                raise ExchangeError(f"{path}: {name} holds {number:g}, which is no row of {count} or one named twice")
            splits[int(number) - 1] = split
    return splits


def _read_row(
    file: h5py.File, pictures: h5py.Dataset, labels: h5py.Dataset, row: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        return np.asarray(pictures[row], dtype=np.float64), np.asarray(labels[row][0], dtype=np.float64)
    except (OSError, RuntimeError, ValueError) as error:
        raise ExchangeError(f"{file.filename}: row {row} cannot be read ({error})") from error


def _as_picture(values: NDArray[np.float64], brightness: str, name: str) -> Picture:
    """Values (3, W, H), around 0 to 1, to uint8 RGB (H, W, 3)."""
    if not np.isfinite(values).all():
        raise ExchangeError(f"row {name}: the picture holds NaN or infinity")
    if brightness == "per-image":
        values = values - values.min()
        values = values / max(values.max(), 1e-12)
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8).transpose(2, 1, 0)


def _as_labels(values: NDArray[np.float64], classes: int, name: str) -> LabelMap:
    """Values (W, H) to uint8 (H, W)."""
    wrong = values[~np.isin(values, np.arange(classes))]
    if wrong.size:
        raise ExchangeError(f"row {name}: the label {wrong[0]:g} is outside of the classes 0 to {classes - 1}")
    return values.astype(np.uint8).T
