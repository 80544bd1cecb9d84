"""Shards read: HDF5 files of photos, label maps, points and attributes, one row a sample (docs/format.md)."""

import os
import zlib
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any, overload

import h5py
import numpy as np
from numpy.typing import NDArray

from maskkit.errors import ShardError
from maskkit.files.json_text import parse_json
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import RegionScheme
from maskkit.photos.images import Picture
from maskkit.shards.attribute_text import read_text
from maskkit.shards.checksums import check_lone_shard, check_shard
from maskkit.shards.description import SPLITS, Dataset, ShardEntry, read_finished
from maskkit.shards.guard import open_hdf5
from maskkit.shards.structure import check_structure

FOUND = ("landmarks", "detector", "score", "box")  # all of them, or none
READ_ERRORS = (OSError, RuntimeError, ValueError, IndexError, EOFError, zlib.error)


class Shard:
    """One open shard file, its structure checked, and its size, SHA-256 and rows against `dataset.json` if given.

    Raises ShardError that names the file. To be closed, or used in a `with` statement.
    """

    def __init__(self, path: Path, dataset: Dataset | None = None, entry: ShardEntry | None = None) -> None:
        self.path, self._descriptor = path, -1
        try:
            if entry is not None:
                check_shard(path, entry)
            else:
                check_lone_shard(path)
        except OSError as error:
            raise ShardError(f"{path}: {error.strerror}") from error
        self._file = open_hdf5(path, ShardError)
        try:
            check_structure(self._file, path, dataset, entry)
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
    `quality` float where it was asked for. `reader[0:3]` is a list of these.
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

    def __repr__(self) -> str:
        rows = f"{len(self):,} rows of {self.size} x {self.size}"
        return f"ShardReader({self.folder}, {self.split}: {rows}, scheme {self.scheme.name})"

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        count = len(self)
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(count))]
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
