"""Rows of shards on their way out, and the tables that lie beside every export."""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.errors import SchemeError
from maskkit.exchange.folders import file_names
from maskkit.files.json_text import with_digest
from maskkit.masks.label_tables import translate_labels
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import RegionScheme, load_scheme
from maskkit.photos.images import Picture
from maskkit.points.landmarks import Points
from maskkit.points.point_files import COLUMNS, table_row
from maskkit.shards.description import Dataset, ShardEntry, read_finished
from maskkit.shards.reader import Shard

FOUND = ("detector", "score", "left", "top", "right", "bottom")

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Sample:
    """One row on its way out. `name` is the path of its files without ending, `number` counts within the split."""

    split: str
    number: int
    name: str
    id: str
    image: Picture
    mask: LabelMap
    attributes: NDArray[np.uint8]
    landmarks: Points | None
    found: dict[str, Any]  # detector, score and box, where there are points

    def about(self, attribute_names: tuple[str, ...]) -> dict[str, Any]:
        """Everything but the pictures as plain types for JSON; a score that is not there is null."""
        about: dict[str, Any] = {"id": self.id, "split": self.split}
        about["attributes"] = dict(zip(attribute_names, self.attributes.tolist(), strict=True))
        if self.landmarks is not None:
            score = self.found["score"]
            about["landmarks"] = self.landmarks.astype(float).tolist()
            about |= {"detector": self.found["detector"], "score": None if math.isnan(score) else score}
            about["box"] = self.found["box"]
        return about


class Outgoing:
    """The shards of a data set, read one row at a time, with their labels in the scheme that is asked for."""

    def __init__(self, folder: Path, splits: tuple[str, ...], scheme: str | None, on_progress: OnProgress | None):
        self.folder, self.splits, self.on_progress = folder, splits, on_progress
        self.dataset: Dataset = read_finished(folder)
        self.own_scheme = self.dataset.scheme
        self.scheme: RegionScheme = load_scheme(scheme) if scheme else self.own_scheme
        if self.scheme != self.own_scheme:
            translate_labels(np.zeros((1, 1), np.uint8), self.own_scheme, self.scheme.name)  # refused before writing
        self.total, self._done = sum(self.count(split) for split in splits), 0

    @property
    def size(self) -> int:
        """The side of photos and masks in pixels."""
        return self.dataset.size

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """The names of the attributes in their order."""
        return self.dataset.attribute_names

    def count(self, split: str) -> int:
        """Rows of one split."""
        return self.dataset.counts()[split]

    def samples(self, split: str) -> Iterator[Sample]:
        """All rows of one split in order."""
        for part in self.parts(split):
            yield from part

    def parts(self, split: str) -> Iterator[Iterator[Sample]]:
        """The rows of one split, shard by shard; each part is to be used up before the next is taken."""
        entries = [entry for entry in self.dataset.of_split(split) if entry.rows]
        names = iter(file_names(self._ids(entries), str(self.folder)))
        start = 0
        for entry in entries:
            yield self._part(entry, start, names)
            start += entry.rows

    def has_landmarks(self, split: str) -> bool:
        """Whether the rows of a split have points; all of a data set's have or none."""
        for entry in self.dataset.of_split(split):
            with Shard(self.folder / entry.file, self.dataset, entry) as shard:
                if len(shard):
                    return shard.has_landmarks
        return False

    def _ids(self, entries: list[ShardEntry]) -> list[str]:
        ids: list[str] = []
        for entry in entries:
            with Shard(self.folder / entry.file, self.dataset, entry) as shard:
                ids += [row[0] for row in shard.found()]
        return ids

    def _part(self, entry: ShardEntry, start: int, names: Iterator[str]) -> Iterator[Sample]:
        with Shard(self.folder / entry.file, self.dataset, entry) as shard:
            for row in range(entry.rows):
                yield self._sample(shard.read(row), entry.split, start + row, next(names))
                self._done += 1
                if self.on_progress is not None:
                    self.on_progress(self._done, self.total)

    def _sample(self, row: dict[str, Any], split: str, number: int, name: str) -> Sample:
        mask: LabelMap = row["mask"]
        if mask.max() >= len(self.own_scheme):
            raise SchemeError(
                f"{self.folder}, {row['id']}: the mask holds the value {mask.max()}, and the classes are 0 to "
                f"{len(self.own_scheme) - 1}; `maskkit verify` tells more"
            )
        if self.scheme != self.own_scheme:
            mask = translate_labels(mask, self.own_scheme, self.scheme.name)
        found: dict[str, Any] = {key: row[key] for key in ("detector", "score") if key in row}
        if "box" in row:
            found["box"] = row["box"].tolist()
        return Sample(
            split, number, name, row["id"], row["image"], mask, row["attributes"], row.get("landmarks"), found
        )


class SampleTable:
    """`samples.csv` and, where there are points, `landmarks.csv`, written row by row while samples go by."""

    def __init__(self, folder: Path, outgoing: Outgoing) -> None:
        self.folder, self.names = folder, outgoing.attribute_names
        self.pointed = any(outgoing.has_landmarks(split) for split in outgoing.splits)

    def __enter__(self) -> "SampleTable":
        self._files = [(self.folder / "samples.csv").open("w", newline="", encoding="utf-8")]
        self._samples = csv.writer(self._files[0], lineterminator="\n")
        self._samples.writerow(["split", "name", "id", *self.names, *(FOUND if self.pointed else ())])
        if self.pointed:
            self._files.append((self.folder / "landmarks.csv").open("w", newline="", encoding="utf-8"))
            self._points = csv.writer(self._files[1], lineterminator="\n")
            self._points.writerow(["id", *COLUMNS])
        return self

    def __exit__(self, *exception: object) -> None:
        for file in self._files:
            file.close()

    def add(self, sample: Sample, name: str | None = None) -> None:
        """Write one line for a sample, under its own name or the one that its files have."""
        cells = [sample.split, name or sample.name, sample.id, *sample.attributes.tolist()]
        if sample.landmarks is not None:
            cells += [sample.found["detector"], sample.found["score"], *sample.found["box"]]
            self._points.writerow(table_row(sample.id, sample.landmarks))
        self._samples.writerow(cells)


def write_classes(folder: Path, scheme: RegionScheme) -> None:
    """Write the class table twice: `classes.csv` for people, `scheme.json` for `--scheme`."""
    write_json(folder / "scheme.json", with_digest(scheme.to_dict()))
    lines = [[i, r.name, *r.color, r.mirror] for i, r in enumerate(scheme.regions)]
    with (folder / "classes.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([["index", "name", "red", "green", "blue", "mirror"], *lines])


def write_json(path: Path, content: dict[str, Any] | Iterable[Any]) -> None:
    """Write JSON text, UTF-8."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
