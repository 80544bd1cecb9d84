"""Whether a folder of shards keeps every promise it makes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskkit.errors import ShardError
from maskkit.masks.raster import rasterize
from maskkit.shards.checksums import check_shard
from maskkit.shards.description import LEDGER, Dataset, ShardEntry, read_finished
from maskkit.shards.ledger import ledger_lines, read_ledger
from maskkit.shards.reader import Shard


@dataclass(frozen=True)
class VerifyResult:
    """What was checked and held."""

    shards: int
    rows: int
    skipped: int


def verify(folder: str | Path, on_progress: Callable[[int, int], None] | None = None) -> VerifyResult:
    """Check every shard of a data set; ShardError names the first broken promise.

    Size and SHA-256 of each file; shapes and types; ids sorted and unique; labels below the number of classes;
    attributes 0 or 1; finite points; masks that equal those drawn anew from their points; the ledger against the rows.
    """
    folder = Path(folder)
    dataset = read_finished(folder)
    seen: dict[str, str] = {}
    last_of_split: dict[str, str] = {}
    for number, entry in enumerate(dataset.shards):
        try:
            check_shard(folder / entry.file, entry, anew=True)
        except OSError as error:
            raise ShardError(f"{folder / entry.file}: {error.strerror}") from error
        with Shard(folder / entry.file, dataset, entry) as shard:
            _check_rows(shard, entry, dataset, seen, last_of_split)
        if on_progress is not None:
            on_progress(number + 1, len(dataset.shards))
    if read_ledger(folder) != ledger_lines(folder, dataset):
        raise ShardError(f"{folder / LEDGER} does not list what the shards and dataset.json hold")
    return VerifyResult(len(dataset.shards), sum(dataset.counts().values()), dataset.skipped())


def _check_rows(
    shard: Shard, entry: ShardEntry, dataset: Dataset, seen: dict[str, str], last_of_split: dict[str, str]
) -> None:
    for number in range(entry.rows):
        sample = shard.read(number)
        where = f"{entry.file}, row {number} ({sample['id']})"
        if sample["id"] in seen:
            raise ShardError(f"{where}: the same id stands in {seen[sample['id']]}")
        if sample["id"] < last_of_split.get(entry.split, ""):
            raise ShardError(f"{where}: the ids are not sorted")
        seen[sample["id"]], last_of_split[entry.split] = entry.file, sample["id"]
        _check_sample(sample, where, dataset)


def _check_sample(sample: dict[str, Any], where: str, dataset: Dataset) -> None:
    if sample["mask"].max() >= len(dataset.scheme):
        last = len(dataset.scheme) - 1
        raise ShardError(f"{where}: the mask holds the value {sample['mask'].max()}, and the classes are 0 to {last}")
    if (sample["attributes"] > 1).any():
        raise ShardError(f"{where}: an attribute is {sample['attributes'].max()}, and 0 and 1 are allowed")
    if "landmarks" not in sample:
        return
    if not np.isfinite(sample["landmarks"]).all():
        raise ShardError(f"{where}: a point is NaN or infinite")
    if not dataset.scheme.drawable:
        return
    if (rasterize(sample["landmarks"], dataset.size, dataset.scheme) != sample["mask"]).any():
        raise ShardError(f"{where}: the mask is not the one that its points draw")
