"""Shards: HDF5 files of photos, label maps, points and attributes, one row a sample (docs/format.md)."""

import hashlib
import io
import json
import math
import os
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from maskkit.errors import ShardError
from maskkit.files.atomic import write_atomically
from maskkit.files.json_text import parse_json
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import RegionScheme
from maskkit.photos.images import Picture
from maskkit.points.landmarks import POINT_COUNT, Points
from maskkit.shards.attribute_text import read_text
from maskkit.shards.description import FORMAT, SPLITS, VERSION, Dataset, ShardEntry, read_finished

GZIP_LEVEL = 4
FOUND = ("landmarks", "detector", "score", "box")  # all of them, or none
ROWS_AT_ONCE = 64
READ_ERRORS = (OSError, RuntimeError, ValueError, IndexError, EOFError, zlib.error)
LARGEST_ROW = 1 << 26  # bytes of a picture, or of a column
LARGEST_RATIO = 1100  # deflate packs at most 1032 to 1; a data set that claims more has never been written
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
    """Write `rows` as a new file `folder/name` in one go, atomically, and give its entry for `dataset.json`.

    The file is composed in memory, so that a full disk is met by plain writing and never leaves a damaged HDF5 file
    behind.
    """
    split = name.split("-")[0]
    data = encode_shard(split, rows, dataset, detectors)
    write_atomically(folder / name, lambda target: target.write(data), overwrite=False)
    return ShardEntry(name, split, len(rows), len(data), hashlib.sha256(data).hexdigest())


def encode_shard(split: str, rows: list[Row], dataset: Dataset, detectors: tuple[str, ...]) -> memoryview:
    """The bytes of a shard, the same for the same rows.

    `detectors` are the names of the steps by code, at least those of the rows.
    """
    content = io.BytesIO()
    with h5py.File(content, "w", libver=("v108", "v108")) as file:
        file.attrs.update(format=FORMAT, version=VERSION, split=split)
        file.attrs["scheme"] = json.dumps(dataset.scheme.to_dict())
        file.attrs["attribute_names"] = json.dumps(dataset.attribute_names)
        _fill_file(file, rows, dataset, detectors)
    return content.getbuffer()


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
        self.path, self._descriptor = path, -1
        try:
            if entry is not None and path.stat().st_size != entry.bytes:
                raise ShardError(f"{path}: {path.stat().st_size:,} bytes, and dataset.json promises {entry.bytes:,}")
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise ShardError(f"{path}: {error.strerror or 'not an HDF5 file that can be read'}") from error
        try:
            _check_structure(self._file, path, dataset, entry)
            self._image, self._mask = self._file["image"], self._file["mask"]
            self._count, self._side = int(self._image.shape[0]), int(self._image.shape[1])
            # Where the data set lies as the format says, its bytes are fetched without HDF5's own work round them.
            self._first_byte = self._image.id.get_offset() if hasattr(os, "preadv") else None
            self._descriptor = self._file.id.get_vfd_handle()
            self._plain_masks = _gzip_alone(self._mask, (1, self._side, self._side))
            # All but the pictures is small, 0.6 kB a row, and reading it row by row would cost more than the pictures.
            found = (*FOUND, "quality") if "quality" in self._file else FOUND
            names = ("attributes", "id", *(found if "landmarks" in self._file else ()))
            self._columns: dict[str, NDArray[Any]] = {name: self._file[name][:] for name in names}
            self._detectors: list[str] = []
            if self.has_landmarks:
                self._detectors = list(map(str, parse_json(read_text(self._file["detector"], "detectors", path))))
        except (KeyError, OSError, RuntimeError, TypeError, ValueError, RecursionError) as error:
            self.close()
            raise ShardError(f"{path}: damaged, or not a shard ({error})") from error
        except ShardError:
            self.close()
            raise

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        """The side of the photos and masks in pixels."""
        return self._side

    @property
    def has_landmarks(self) -> bool:
        """Whether the rows have points, with the step, score and box that found them."""
        return "landmarks" in self._columns

    def read(self, row: int) -> dict[str, Any]:
        """One sample as ShardReader gives it; ShardError if its data cannot be read."""
        columns = self._columns
        try:
            sample: dict[str, Any] = {"image": self._read_image(row), "mask": self._read_mask(row)}
            sample["attributes"], sample["id"] = columns["attributes"][row].copy(), columns["id"][row].decode()
            if self.has_landmarks:
                sample["landmarks"], sample["box"] = columns["landmarks"][row].copy(), columns["box"][row].copy()
                sample["detector"] = self._detectors[columns["detector"][row]]
                sample["score"] = float(columns["score"][row])
                if "quality" in columns:
                    sample["quality"] = float(columns["quality"][row])
        except READ_ERRORS as error:
            raise ShardError(
                f"{self.path}, row {row}: cannot be read ({error}); `maskkit verify` tells more"
            ) from error
        return sample

    def mask(self, row: int) -> LabelMap:
        """One label map, without the photo; ShardError if its data cannot be read."""
        try:
            return self._read_mask(row)
        except READ_ERRORS as error:
            raise ShardError(
                f"{self.path}, row {row}: cannot be read ({error}); `maskkit verify` tells more"
            ) from error

    def _read_image(self, row: int) -> Picture:
        if not 0 <= row < self._count:
            raise IndexError(f"the shard has {self._count} rows")
        if self._first_byte is None:
            return np.asarray(self._image[row])
        image = np.empty((self._side, self._side, 3), dtype=np.uint8)
        if os.preadv(self._descriptor, [image.data], self._first_byte + row * image.nbytes) != image.nbytes:
            raise EOFError("the file ends before it")
        return image

    def _read_mask(self, row: int) -> LabelMap:
        if self._plain_masks:
            left_out, packed = self._mask.id.read_direct_chunk((row, 0, 0))
            if not left_out:  # no filter was left out when it was written
                inflater = zlib.decompressobj()
                unpacked = inflater.decompress(packed, self._side**2 + 1)
                if not inflater.eof:  # its checksum was not reached
                    raise EOFError("a packed mask ends too early")
                return np.frombuffer(unpacked, dtype=np.uint8).reshape(self._side, self._side).copy()
        return np.asarray(self._mask[row])

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
        self._descriptor = -1  # the number may soon be another file's
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
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"row {index} of {count} in the split {self.split} of {self.folder}")
        index %= count
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


def _gzip_alone(data: h5py.Dataset, chunk: tuple[int, ...]) -> bool:
    """Whether a data set lies in chunks of this shape that are compressed by gzip and by nothing else."""
    if data.chunks != chunk:
        return False
    filters = data.id.get_create_plist()
    return [filters.get_filter(i)[0] for i in range(filters.get_nfilters())] == [h5py.h5z.FILTER_DEFLATE]


def _check_structure(file: h5py.File, path: Path, dataset: Dataset | None, entry: ShardEntry | None) -> None:
    if not _says_format(file, path):
        raise ShardError(f"{path}: not a shard of {FORMAT} version {VERSION}")
    for name in file:
        # Links and outside storage would let a shard from a stranger read other files of this machine.
        inside = isinstance(file.get(name, getlink=True), h5py.HardLink) and isinstance(file[name], h5py.Dataset)
        if not inside or file[name].is_virtual or file[name].external:
            raise ShardError(f"{path}: {name} does not hold its own data; such shards are refused")
        _check_storage(file[name], name, path)
    if dataset is not None and entry is not None:
        _check_description(file, path, dataset, entry)
    if "image" not in file or file["image"].ndim != 4:
        raise ShardError(f"{path}: the data set 'image' of shape (N, H, W, 3) is missing")
    count, size = entry.rows if entry else len(file["image"]), dataset.size if dataset else file["image"].shape[1]
    names = list(map(str, parse_json(read_text(file, "attribute_names", path))))
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


def _check_storage(data: h5py.Dataset, name: str, path: Path) -> None:
    """Refuse what claims more memory than its file could fill."""
    item = data.dtype.itemsize
    # The pictures are read row by row and may be packed; all else is read at once.
    ratio, row = (LARGEST_RATIO, data.shape[1:]) if name in ("image", "mask") else (1, data.shape)
    claims = (math.prod(data.shape) * item > ratio * path.stat().st_size, math.prod(row) * item > LARGEST_ROW)
    if any(claims) or math.prod(data.chunks or ()) * item > LARGEST_ROW:
        raise ShardError(f"{path}: {name} claims the shape {data.shape}, which this file cannot hold")


def _says_format(file: h5py.File, path: Path) -> bool:
    try:
        version = file.attrs.get_id("version")
        plain = version.shape == () and version.dtype.kind in "iu"
        return plain and read_text(file, "format", path) == FORMAT and int(file.attrs["version"]) == VERSION
    except KeyError:
        return False


def _check_description(file: h5py.File, path: Path, dataset: Dataset, entry: ShardEntry) -> None:
    """Compare what the file says of itself with `dataset.json`: mixed-up names would be learned without a word."""
    promised = {
        "split": entry.split,
        "scheme": dataset.scheme.to_dict(),
        "attribute_names": list(dataset.attribute_names),
    }
    texts = {name: read_text(file, name, path) for name in promised}
    found = {name: text if name == "split" else parse_json(text) for name, text in texts.items()}
    for name, value in promised.items():
        if found[name] != value:
            raise ShardError(f"{path}: its {name} is {found[name]}, and dataset.json promises {value}")
