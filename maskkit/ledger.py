"""What is derived from finished shards: the ledger with a row for every input, and a sheet to look at."""

import csv
import io
import math
from pathlib import Path
from random import Random

from maskkit.dataset import Dataset
from maskkit.errors import ShardError
from maskkit.files import write_atomically
from maskkit.pictures import draw_points, overlay, stack_grid, write_png
from maskkit.shards import Shard

LEDGER = "ledger.csv"
COLUMNS = ("id", "outcome", "reason", "detector", "score", "split")
PREVIEW_ROWS, PREVIEW_COLUMNS = 48, 8


def ledger_lines(folder: Path, dataset: Dataset) -> list[dict[str, str]]:
    """A line for every input, by id: kept or skipped and why, the step that found the face, its score, its split."""
    lines = []
    for entry in dataset.shards:
        with Shard(folder / entry.file, dataset, entry) as shard:
            for name, detector, score in shard.found():
                written = "" if math.isnan(score) else f"{score:.4f}"
                lines.append((name, "kept", "", detector, written, entry.split))
        lines += [(name, "skipped", reason, "", "", entry.split) for name, reason in entry.skipped]
    return [dict(zip(COLUMNS, line, strict=True)) for line in sorted(lines)]


def write_ledger(folder: Path, dataset: Dataset) -> None:
    """Write `ledger.csv` from the shards and `dataset.json`."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(ledger_lines(folder, dataset))
    write_atomically(folder / LEDGER, lambda file: file.write(buffer.getvalue().encode()))


def read_ledger(folder: Path) -> list[dict[str, str]]:
    """The lines of `ledger.csv`."""
    path = folder / LEDGER
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ShardError(f"{path} cannot be read ({error})") from error
    if any(set(line) != set(COLUMNS) for line in lines):
        raise ShardError(f"{path}: the columns are not {', '.join(COLUMNS)}")
    return lines


def write_preview(folder: Path, dataset: Dataset, path: Path) -> None:
    """Write a sheet of 48 random rows, the same at every call: the photo with its points beside its mask over it."""
    everywhere = [(entry, row) for entry in dataset.shards for row in range(entry.rows)]
    chosen = Random(0).sample(everywhere, min(PREVIEW_ROWS, len(everywhere)))
    cells = []
    for entry, row in chosen:
        with Shard(folder / entry.file, dataset, entry) as shard:
            sample = shard.read(row)
        pointed = draw_points(sample["image"], sample["landmarks"]) if "landmarks" in sample else sample["image"]
        cells += [pointed, overlay(sample["image"], sample["mask"], dataset.scheme)]
    width = 2 * PREVIEW_COLUMNS
    write_png(path, stack_grid([cells[i : i + width] for i in range(0, len(cells), width)]))
