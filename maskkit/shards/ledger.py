"""What is derived from finished shards: the ledger with a row for every input, and a sheet to look at."""

import csv
import io
import math
from contextlib import ExitStack
from pathlib import Path
from random import Random

from maskkit.errors import ShardError
from maskkit.files.atomic import write_atomically
from maskkit.files.regular import open_regular_text
from maskkit.masks.pictures import draw_points, overlay, stack_grid, write_png
from maskkit.shards.description import BY_HAND, LEDGER, REJECTED, Dataset
from maskkit.shards.reader import Shard

LARGEST_LEDGER = 1 << 32  # bytes
COLUMNS = ("id", "outcome", "reason", "detector", "score", "split")
KEPT_ROW, CORRECTED_ROW, SKIPPED_ROW, REJECTED_ROW = "kept", "corrected", "skipped", "rejected"  # outcomes
QUALITY = "quality"  # a column more where the data set was built with the score
PREVIEW_ROWS, PREVIEW_COLUMNS = 48, 8


def ledger_lines(folder: Path, dataset: Dataset) -> list[dict[str, str]]:
    """A line for every input, by id: kept or skipped and why, the step that found the face, its score, its split.

    Rows whose points a person has set are called corrected, those that a person has left out rejected. Where a photo
    gave several rows, a line for each. A data set with quality scores has a column of them.
    """
    lines: list[tuple[str, ...]] = []
    columns = (*COLUMNS, QUALITY) if dataset.options.get(QUALITY) else COLUMNS
    for entry in dataset.shards:
        with Shard(folder / entry.file, dataset, entry) as shard:
            scores = shard.qualities()
            qualities = [float("nan")] * len(shard) if scores is None else scores.tolist()
            for (name, detector, score), moved in zip(shard.found(), qualities, strict=True):
                outcome = CORRECTED_ROW if detector == BY_HAND else KEPT_ROW
                lines.append((name, outcome, "", detector, _number(score), entry.split, _number(moved)))
        for name, reason in entry.skipped:
            outcome = REJECTED_ROW if reason == REJECTED else SKIPPED_ROW
            lines.append((name, outcome, reason, "", "", entry.split, ""))
    return [dict(zip(columns, line, strict=False)) for line in sorted(lines)]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def write_ledger(folder: Path, dataset: Dataset) -> None:
    """Write a new `ledger.csv` from the shards and `dataset.json`."""
    buffer = io.StringIO()
    lines = ledger_lines(folder, dataset)
    writer = csv.DictWriter(buffer, lines[0] if lines else COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    write_atomically(folder / LEDGER, lambda file: file.write(buffer.getvalue().encode()), overwrite=False)


def read_ledger(folder: Path) -> list[dict[str, str]]:
    """The lines of `ledger.csv`."""
    path = folder / LEDGER
    try:
        with open_regular_text(path, LARGEST_LEDGER, newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ShardError(f"{path} cannot be read ({error})") from error
    if any(set(line) not in (set(COLUMNS), {*COLUMNS, QUALITY}) for line in lines):
        raise ShardError(f"{path}: the columns are not {', '.join(COLUMNS)}")
    return lines


def write_preview(folder: Path, dataset: Dataset, path: Path) -> None:
    """Write a new sheet of 48 random rows, always the same: the photo with its points beside its mask over it."""
    everywhere = [(entry, row) for entry in dataset.shards for row in range(entry.rows)]
    chosen = Random(0).sample(everywhere, min(PREVIEW_ROWS, len(everywhere)))
    cells = []
    with ExitStack() as opened:
        shards: dict[str, Shard] = {}
        for entry, row in chosen:
            if entry.file not in shards:
                shards[entry.file] = opened.enter_context(Shard(folder / entry.file, dataset, entry))
            sample = shards[entry.file].read(row)
            pointed = draw_points(sample["image"], sample["landmarks"]) if "landmarks" in sample else sample["image"]
            cells += [pointed, overlay(sample["image"], sample["mask"], dataset.scheme)]
    width = 2 * PREVIEW_COLUMNS
    write_png(path, stack_grid([cells[i : i + width] for i in range(0, len(cells), width)]), overwrite=False)
