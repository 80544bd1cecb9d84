"""Shards: HDF5 files of photos, label maps, points and attributes, one row a sample (docs/format.md)."""

import hashlib
import io
import json
import os
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from maskkit.dataset import FORMAT, SPLITS, VERSION, Dataset, ShardEntry, read_finished
from maskkit.errors import ShardError
from maskkit.files import write_atomically
from maskkit.images import Picture
from maskkit.landmarks import POINT_COUNT, Points
from maskkit.raster import LabelMap
from maskkit.regions import RegionScheme

GZIP_LEVEL = 4
FOUND = ("landmarks", "detector", "score", "box")  # all of them, or none
ROWS_AT_ONCE = 64
FIRST_STEPS = 3  # always named; the names of later steps are there from the first row on that needs one


@dataclass
class Row:
    """One sample: photo uint8 (H, H, 3), label map uint8 (H, H), attributes uint8 (A,) and, where known, the points
    float32 (68, 2) on the same grid with the step, score and box that found them."""

    id: str
    image: Picture
    mask: LabelMap
    attributes: NDArray[np.uint8]
    landmarks: Points | None = None
    detector: str = ""
    score: float = float("nan")
    box: tuple[float, float, float, float] = (0, 0, 0, 0)
    quality: float | None = None


def write_shard(folder: Path, name: str, rows: list[Row], dataset: Dataset, detectors: tuple[str, ...]) -> ShardEntry:
    """Write `rows` as `folder/name` in one go, atomically, and give its entry for `dataset.json`.

    `detectors` are the names of the steps by code, at least those of the rows. The file is composed in memory, so that
    a full disk is met by plain writing and never leaves a damaged HDF5 file behind. The same rows give the same bytes.
    """
    split = name.split("-")[0]
    content = io.BytesIO()
    with h5py.File(content, "w", libver=("v108", "v108")) as file:
        file.attrs.update(format=FORMAT, version=VERSION, split=split)
        file.attrs["scheme"] = json.dumps(dataset.scheme.to_dict())
        file.attrs["attribute_names"] = json.dumps(dataset.attribute_names)
        _fill_file(file, rows, dataset, detectors)
    data = content.getbuffer()
    write_atomically(folder / name, lambda target: target.write(data))
    return ShardEntry(name, split, len(rows), len(data), hashlib.sha256(data).hexdigest())


def _fill_file(file: h5py.File, rows: list[Row], dataset: Dataset, detectors: tuple[str, ...]) -> None:
    count, size = len(rows), dataset.size
    image = file.create_dataset("image", (count, size, size, 3), "uint8")
    chunk = (1, size, size) if count else None
    mask = file.create_dataset(
        "mask", (count, size, size), "uint8", chunks=chunk, compression="gzip" if count else None,
        compression_opts=GZIP_LEVEL if count else None,
    )  # fmt: skip
    for start in range(0, count, ROWS_AT_ONCE):  # row by row, h5py's own work would cost as much as compressing
        part = slice(start, start + ROWS_AT_ONCE)
        image[part] = np.stack([row.image for row in rows[part]])
        mask[part] = np.stack([row.mask for row in rows[part]])
    names = len(dataset.attribute_names)
    file["attributes"] = np.array([row.attributes for row in rows], dtype=np.uint8).reshape(count, names)
    longest = max((len(row.id.encode()) for row in rows), default=1)
    file.create_dataset("id", data=[row.id.encode() for row in rows], dtype=h5py.string_dtype("utf-8", longest))
    found = [(row, row.landmarks) for row in rows if row.landmarks is not None]
    if not found:
        return
    if len(found) < count:
        raise ShardError(f"{found[0][0].id} has points and other rows have none; a shard holds one kind")
    file["landmarks"] = np.array([points for _, points in found], dtype=np.float32)
    codes = [detectors.index(row.detector) for row in rows]
    file["detector"] = np.array(codes, dtype=np.uint8)
    file["detector"].attrs["detectors"] = json.dumps(detectors[: max(FIRST_STEPS, max(codes) + 1)])
    file["score"] = np.array([row.score for row in rows], dtype=np.float32)
    file["box"] = np.array([row.box for row in rows], dtype=np.float32)
    if any(row.quality is not None for row in rows):
        file["quality"] = np.array([row.quality for row in rows], dtype=np.float32)


class Shard:
    """One open shard file, its structure checked, and its size and rows against `dataset.json` if given.

    Raises ShardError that names the file. To be closed, or used in a `with` statement.
    """

    def __init__(self, path: Path, dataset: Dataset | None = None, entry: ShardEntry | None = None) -> None:
        self.path = path
        try:
            if entry is not None and path.stat().st_size != entry.bytes:
                raise ShardError(f"{path}: {path.stat().st_size:,} bytes, and dataset.json promises {entry.bytes:,}")
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise ShardError(f"{path}: {error.strerror or 'not an HDF5 file that can be read'}") from error
        try:
            _check_structure(self._file, path, dataset, entry)
            self._image, self._mask = self._file["image"], self._file["mask"]
            # All but the pictures is small, 0.6 kB a row, and reading it row by row would cost more than the pictures.
            found = (*FOUND, "quality") if "quality" in self._file else FOUND
            names = ("attributes", "id", *(found if "landmarks" in self._file else ()))
            self._columns: dict[str, NDArray[Any]] = {name: self._file[name][:] for name in names}
            self._detectors: list[str] = []
            if self.has_landmarks:
                self._detectors = list(map(str, json.loads(self._file["detector"].attrs["detectors"])))
        except (KeyError, OSError, RuntimeError, TypeError, ValueError, RecursionError) as error:
            self.close()
            raise ShardError(f"{path}: damaged, or not a shard ({error})") from error
        except ShardError:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._image)

    @property
    def size(self) -> int:
        """The side of the photos and masks in pixels."""
        return int(self._image.shape[1])

    @property
    def has_landmarks(self) -> bool:
        """Whether the rows have points, with the step, score and box that found them."""
        return "landmarks" in self._columns

    def read(self, row: int) -> dict[str, Any]:
        """One sample as ShardReader gives it; ShardError if its data cannot be read."""
        columns = self._columns
        try:
            sample: dict[str, Any] = {"image": self._image[row], "mask": self._mask[row]}
            sample["attributes"], sample["id"] = columns["attributes"][row].copy(), columns["id"][row].decode()
            if self.has_landmarks:
                sample["landmarks"], sample["box"] = columns["landmarks"][row].copy(), columns["box"][row].copy()
                sample["detector"] = self._detectors[columns["detector"][row]]
                sample["score"] = float(columns["score"][row])
                if "quality" in columns:
                    sample["quality"] = float(columns["quality"][row])
        except (OSError, RuntimeError, ValueError, IndexError) as error:
            raise ShardError(
                f"{self.path}, row {row}: cannot be read ({error}); `maskkit verify` tells more"
            ) from error
        return sample

    def mask(self, row: int) -> LabelMap:
        """One label map, without the photo; ShardError if its data cannot be read."""
        try:
            return np.asarray(self._mask[row])
        except (OSError, RuntimeError, ValueError, IndexError) as error:
            raise ShardError(
                f"{self.path}, row {row}: cannot be read ({error}); `maskkit verify` tells more"
            ) from error

    def column(self, name: str) -> NDArray[Any]:
        """All rows of what is small: `attributes`, and of those that have points `landmarks`, `score` and `box`."""
        return self._columns[name].copy()

    def found(self) -> list[tuple[str, str, float]]:
        """The id, detector step and score of every row, without the pictures; "" and NaN where there are no points."""
        try:
            names = [name.decode() for name in self._columns["id"]]
            if not self.has_landmarks:
                return [(name, "", float("nan")) for name in names]
            steps = [self._detectors[code] for code in self._columns["detector"]]
        except (ValueError, IndexError) as error:
            raise ShardError(f"{self.path}: damaged ({error}); `maskkit verify` tells more") from error
        return list(zip(names, steps, self._columns["score"].tolist(), strict=True))

    def qualities(self) -> NDArray[np.float32] | None:
        """The quality score of every row, float32 (N,), where the data set was built with it."""
        return self._columns.get("quality")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "Shard":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class ShardReader:
    """One split of a data set as a sequence of samples.

    `reader[i]` is a dictionary: `image` uint8 (H, W, 3), `mask` uint8 (H, W), `attributes` uint8 (A,), `id` str and,
    where the data set has points, `landmarks` float32 (68, 2), `detector` str, `score` float, `box` float32 (4,), and
    `quality` float where it was asked for.
    Files are opened when first needed, anew in each process, so that a reader can be pickled and handed to the
    workers of a torch `DataLoader`. Raises ShardError for anything that is not what `dataset.json` promises.
    """

    def __init__(self, folder: str | Path, split: str = "train") -> None:
        if split not in SPLITS:
            raise ShardError(f"there is no split {split!r}: take one of {', '.join(SPLITS)}")
        self.folder, self.split = Path(folder), split
        self.dataset = read_finished(folder)
        self.entries = self.dataset.of_split(split)
        self._ends = list(accumulate(entry.rows for entry in self.entries))
        self._open: dict[int, Shard] = {}
        self._process = os.getpid()

    @property
    def size(self) -> int:
        """The side of the photos and masks in pixels."""
        return self.dataset.size

    @property
    def scheme(self) -> RegionScheme:
        """The region scheme of the masks."""
        return self.dataset.scheme

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """The names of the attributes in their order."""
        return self.dataset.attribute_names

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)} in the split {self.split} of {self.folder}")
        index %= len(self)
        number = bisect_right(self._ends, index)
        row = index - (self._ends[number - 1] if number else 0)
        return self._shard(number).read(row)

    def _shard(self, number: int) -> Shard:
        if self._process != os.getpid():  # a handle must not cross a fork
            self._open, self._process = {}, os.getpid()
        if number not in self._open:
            entry = self.entries[number]
            self._open[number] = Shard(self.folder / entry.file, self.dataset, entry)
        return self._open[number]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}


def _check_structure(file: h5py.File, path: Path, dataset: Dataset | None, entry: ShardEntry | None) -> None:
    if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
        raise ShardError(f"{path}: not a shard of {FORMAT} version {VERSION}")
    for name in file:
        # Links and outside storage would let a shard from a stranger read other files of this machine.
        inside = isinstance(file.get(name, getlink=True), h5py.HardLink) and isinstance(file[name], h5py.Dataset)
        if not inside or file[name].is_virtual or file[name].external:
            raise ShardError(f"{path}: {name} does not hold its own data; such shards are refused")
    if dataset is not None and entry is not None:
        _check_description(file, path, dataset, entry)
    if "image" not in file or file["image"].ndim != 4:
        raise ShardError(f"{path}: the data set 'image' of shape (N, H, W, 3) is missing")
    count, size = entry.rows if entry else len(file["image"]), dataset.size if dataset else file["image"].shape[1]
    names = list(map(str, json.loads(file.attrs["attribute_names"])))
    expected: dict[str, tuple[tuple[int, ...], str]] = {
        "image": ((count, size, size, 3), "uint8"),
        "mask": ((count, size, size), "uint8"),
        "attributes": ((count, len(names)), "uint8"),
    }
    if "landmarks" in file:
        expected |= {
            "landmarks": ((count, POINT_COUNT, 2), "float32"),
            "detector": ((count,), "uint8"),
            "score": ((count,), "float32"),
            "box": ((count, 4), "float32"),
        }
        if "quality" in file:
            expected["quality"] = ((count,), "float32")
    for name, (shape, kind) in expected.items():
        if name not in file or file[name].shape != shape or file[name].dtype != kind:
            found = f"{file[name].dtype} {file[name].shape}" if name in file else "nothing"
            raise ShardError(f"{path}: {name} is {found}, and {kind} {shape} was promised")
    if "id" not in file or file["id"].shape != (count,) or file["id"].dtype.kind != "S":
        raise ShardError(f"{path}: id is not {count} fixed-length strings")


def _check_description(file: h5py.File, path: Path, dataset: Dataset, entry: ShardEntry) -> None:
    """Compare what the file says of itself with `dataset.json`: mixed-up names would be learned without a word."""
    promised = {
        "split": entry.split,
        "scheme": dataset.scheme.to_dict(),
        "attribute_names": list(dataset.attribute_names),
    }
    found = {name: file.attrs[name] if name == "split" else json.loads(file.attrs[name]) for name in promised}
    for name, value in promised.items():
        if found[name] != value:
            raise ShardError(f"{path}: its {name} is {found[name]}, and dataset.json promises {value}")
