"""The one writer of shard folders: rows in, shards out, and what is derived from them (docs/format.md)."""

import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from maskkit.errors import ShardError
from maskkit.files.atomic import write_atomically
from maskkit.masks.raster import LabelMap
from maskkit.photos.images import Picture
from maskkit.points.landmarks import Points
from maskkit.shards.description import FORMAT, LEDGER, PREVIEW, REJECTED, VERSION, Dataset, Listed, ShardEntry
from maskkit.shards.ledger import write_ledger, write_preview

GZIP_LEVEL = 4
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


@dataclass(frozen=True)
class Skip:
    """An input that is left out, and why; the reason names no folder, so that it is the same everywhere."""

    reason: str


@dataclass(frozen=True)
class Rejection:
    """A row, of this id, that a person has rejected."""

    id: str


Outcome = list[Row | Rejection] | Skip


@dataclass
class ShardWriter:
    """Cuts the rows of inputs into the shards of `dataset`, going on after those that it has.

    A shard is written whenever it is full or its split ends, and then `dataset.json`. `detectors` are as `write_shard`
    takes them; `several` says that an input may give several rows.
    """

    folder: Path
    dataset: Dataset
    shard_size: int  # rows
    detectors: tuple[str, ...]
    several: bool = False

    def write(self, outcomes: Iterable[tuple[Listed, Outcome]]) -> None:
        """Write what became of inputs, which come split by split, the first one that no shard covers first."""
        for split, of_split in groupby(outcomes, key=lambda pair: pair[0].split):
            stretch: list[tuple[Listed, Outcome]] = []
            rows = 0
            for one, outcome in of_split:
                stretch.append((one, outcome))
                rows += len(_rows(outcome))
                if rows >= self.shard_size:
                    self._finish(split, stretch)
                    stretch, rows = [], 0
            if stretch:
                self._finish(split, stretch)

    def _finish(self, split: str, stretch: list[tuple[Listed, Outcome]]) -> None:
        rows = [row for _, outcome in stretch for row in _rows(outcome)]
        name = f"{split}-{len(self.dataset.of_split(split)):05d}.h5"
        entry = write_shard(self.folder, name, rows, self.dataset, self.detectors)
        entry.skipped = [left_out for one, outcome in stretch for left_out in _left_out(one, outcome)]
        entry.inputs = len(stretch) if self.several else None
        self.dataset.shards.append(entry)
        self.dataset.write(self.folder)


def _rows(outcome: Outcome) -> list[Row]:
    return [] if isinstance(outcome, Skip) else [row for row in outcome if isinstance(row, Row)]


def _left_out(one: Listed, outcome: Outcome) -> list[tuple[str, str]]:
    """What of an input is left out, each with its reason."""
    if isinstance(outcome, Skip):
        return [(one.id, outcome.reason)]
    return [(row.id, REJECTED) for row in outcome if isinstance(row, Rejection)]


def finish_folder(folder: Path, dataset: Dataset) -> None:
    """Call a data set complete, and make from its shards what is derived from them and not there."""
    if not dataset.complete:
        dataset.complete = True
        dataset.write(folder)
    if not (folder / LEDGER).exists():
        write_ledger(folder, dataset)
    if not (folder / PREVIEW).exists():
        write_preview(folder, dataset, folder / PREVIEW)


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
