"""`dataset.json`: what a folder of shards promises, checked when it is read."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from maskkit.errors import ShardError
from maskkit.files.atomic import leads_out, write_atomically
from maskkit.files.json_text import DIGEST, is_as_written, parse_json, with_digest
from maskkit.files.regular import read_regular_text
from maskkit.masks.regions import RegionScheme

FORMAT = "maskkit-shards"
VERSION = 1
SPLITS = ("train", "val", "test")
FILE_NAME = "dataset.json"
LEDGER, PREVIEW = "ledger.csv", "preview.png"  # derived from the shards
FACE_MARK = "#"  # between a photo's id and the number of a face, where a photo may give several rows
BY_HAND = "by-hand"  # the step of a row whose points a person has set
REJECTED = "rejected by hand"  # the reason of a row that a person has rejected
LARGEST_SIZE = 4096  # the side of a photo
MOST_ATTRIBUTES, LONGEST_NAME = 10_000, 1000
LARGEST_FILE = 1 << 28  # bytes; two million inputs left out
# Nothing else is opened, so no path can lead out of the folder.
SHARD_NAME = re.compile(r"(train|val|test)-[0-9]{5}\.h5")


@dataclass
class ShardEntry:
    """One finished shard: its file, and the inputs of its stretch that were left out, with their reasons."""

    file: str
    split: str
    rows: int
    bytes: int
    sha256: str
    skipped: list[tuple[str, str]] = field(default_factory=list)
    inputs: int | None = None  # the photos of its stretch, where one may give several rows

    @property
    def covered(self) -> int:
        """How many inputs became its rows or were left out."""
        return self.rows + len(self.skipped) if self.inputs is None else self.inputs

    def to_dict(self) -> dict[str, Any]:
        """The entry as `dataset.json` holds it."""
        return {key: value for key, value in vars(self).items() if key != "inputs" or value is not None}


@dataclass
class Dataset:
    """All of `dataset.json`. `complete` is false until the last shard is written."""

    scheme: RegionScheme
    size: int
    attribute_names: tuple[str, ...]
    source: dict[str, Any]
    options: dict[str, Any]
    versions: dict[str, str]
    shards: list[ShardEntry] = field(default_factory=list)
    complete: bool = False
    discards: tuple[str, ...] = ()  # files of an earlier data set in its folder, until they are removed

    def of_split(self, split: str) -> list[ShardEntry]:
        """The shards of one split in order."""
        return [entry for entry in self.shards if entry.split == split]

    def counts(self) -> dict[str, int]:
        """Rows of each split."""
        return {split: sum(entry.rows for entry in self.of_split(split)) for split in SPLITS}

    def skipped(self) -> int:
        """How many inputs were left out."""
        return sum(len(entry.skipped) for entry in self.shards)

    def rejected(self) -> int:
        """How many of these are rows that a person has rejected."""
        return sum(reason == REJECTED for entry in self.shards for _, reason in entry.skipped)

    def all_counts(self) -> dict[str, int]:
        """Rows of each split and inputs left out, as `dataset.json` states them."""
        return {**self.counts(), "skipped": self.skipped()}

    def write(self, folder: Path, *, overwrite: bool = True) -> None:
        """Write `dataset.json` in `folder` atomically; OutputError without `overwrite` where one is there."""
        content = {
            "format": FORMAT,
            "version": VERSION,
            "complete": self.complete,
            "scheme": self.scheme.to_dict(),
            "image_size": self.size,
            "attribute_names": list(self.attribute_names),
            "source": self.source,
            "options": self.options,
            "versions": self.versions,
            "counts": self.all_counts(),
            "shards": [entry.to_dict() for entry in self.shards],
            **({"discards": list(self.discards)} if self.discards else {}),
        }
        text = json.dumps(with_digest(content), indent=1, ensure_ascii=False) + "\n"
        write_atomically(folder / FILE_NAME, lambda file: file.write(text.encode()), overwrite=overwrite)


class Listed(Protocol):
    """An input of a data set, as tables name it; `problem` says why it cannot even be tried."""

    @property
    def id(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def attributes(self) -> tuple[int, ...]: ...
    @property
    def problem(self) -> str: ...


def describe_source(kind: str, inputs: Sequence[Listed], known: Sequence[Any] = ()) -> dict[str, Any]:
    """What `dataset.json` says of the inputs: their kind, their number, and what they are in one digest.

    `known` is what else decides their rows, as JSON can hold it.
    """
    listing = [(one.id, one.attributes, one.split, one.problem) for one in inputs]
    digest = hashlib.sha256(json.dumps([*listing, *known]).encode()).hexdigest()
    return {"kind": kind, "inputs": len(inputs), "inputs_sha256": digest}


def read_dataset(folder: str | Path) -> Dataset:
    """Read and check `dataset.json` of a folder of shards; ShardError names the file and what is wrong."""
    path = Path(folder) / FILE_NAME
    try:
        content = parse_json(read_regular_text(path, LARGEST_FILE))
    except FileNotFoundError as error:
        raise ShardError(f"{folder} holds no {FILE_NAME}; a folder made by `maskkit build-celeba` is needed") from error
    except OSError as error:
        raise ShardError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ShardError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ShardError(f"{path}: not the description of a {FORMAT} data set")
    if content.get("version") != VERSION:
        raise ShardError(f"{path}: format version {content.get('version')}, and this maskkit reads {VERSION}")
    if not is_as_written(content):
        raise ShardError(
            f"{path} is not what was written, by the {DIGEST} in it; take it from a copy, or remove that key to "
            "have it read as it is"
        )
    try:
        dataset = Dataset(
            scheme=RegionScheme.from_dict(content["scheme"], str(path)),
            size=_whole(content["image_size"], 1, LARGEST_SIZE),
            attribute_names=_names(content["attribute_names"]),
            source=dict(content["source"]),
            options=dict(content["options"]),
            versions=dict(content["versions"]),
            shards=[_entry(item) for item in content["shards"]],
            complete=bool(content["complete"]),
            discards=tuple(map(str, content.get("discards", ()))),
        )
        counts = {str(name): int(number) for name, number in content["counts"].items()}
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ShardError(f"{path}: a key is missing or of the wrong kind ({error})") from error
    if counts != dataset.all_counts():
        raise ShardError(f"{path}: its counts {counts} are not the sums of its shards, {dataset.all_counts()}")
    for entry in dataset.shards:
        if not SHARD_NAME.fullmatch(entry.file) or not entry.file.startswith(f"{entry.split}-"):
            raise ShardError(f"{path}: {entry.file!r} is no name of a shard of the split {entry.split!r}")
        if leads_out(path.parent / entry.file, path.parent):
            raise ShardError(f"{path}: {entry.file} is a link that leads out of the folder; copy the file there")
    return dataset


def read_finished(folder: str | Path) -> Dataset:
    """Read and check `dataset.json` of a folder whose build has ended; ShardError where it was stopped."""
    dataset = read_dataset(folder)
    if not dataset.complete:
        raise ShardError(f"{folder} is not complete: its build was stopped; run the same build again to finish it")
    return dataset


def _names(values: list[Any]) -> tuple[str, ...]:
    if len(values) > MOST_ATTRIBUTES:
        raise ValueError(f"{len(values):,} attributes are more than the {MOST_ATTRIBUTES:,} allowed")
    names = tuple(map(str, values))
    if longest := [name for name in names if len(name) > LONGEST_NAME]:
        raise ValueError(f"the attribute {longest[0][:40]!r}... has a name of {len(longest[0]):,} characters")
    return names


def _entry(item: dict[str, Any]) -> ShardEntry:
    skipped = [(str(name), str(reason)) for name, reason in item["skipped"]]
    inputs = None if item.get("inputs") is None else _whole(item["inputs"])
    size = _whole(item["bytes"])
    rows = _whole(item["rows"], most=size)  # each takes some
    return ShardEntry(str(item["file"]), str(item["split"]), rows, size, str(item["sha256"]), skipped, inputs)


def _whole(value: Any, least: int = 0, most: int = 1 << 53) -> int:
    number = int(value)
    if not least <= number <= most:
        raise ValueError(f"{number} is not within {least} and {most}")
    return number
