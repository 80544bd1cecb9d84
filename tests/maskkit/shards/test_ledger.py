"""The ledger and the preview: what is derived from shards, and what it must say."""

from pathlib import Path

import numpy as np
import pytest

import maskkit
from maskkit.errors import ShardError
from maskkit.shards.description import Dataset
from maskkit.shards.ledger import COLUMNS, ledger_lines, read_ledger, write_ledger, write_preview
from maskkit.shards.writer import Row, write_shard
from tests.drawn import drawn_row


def folder_of(folder: Path, rows: list[Row], options: dict[str, object] | None = None) -> Dataset:
    """A folder with one shard of train rows, before which two photos were left out, and one of a val photo left out."""
    names = tuple(f"attribute{number}" for number in range(len(rows[0].attributes)))
    dataset = Dataset(maskkit.load_scheme("scgan"), 32, names, {}, options or {}, {})
    dataset.shards = [
        write_shard(folder, "train-00000.h5", rows, dataset, ("hog",)),
        write_shard(folder, "val-00000.h5", [], dataset, ("hog",)),
    ]
    dataset.shards[0].skipped = [("x.png", 'no face, "found"'), ("000000b.png", "no such photo")]
    dataset.shards[1].skipped = [("a.png", "no such photo")]
    return dataset


def test_a_line_for_every_input_by_id(tmp_path: Path) -> None:
    rows = [drawn_row(number, 32) for number in range(2)]
    rows[1].score = float("nan")
    dataset = folder_of(tmp_path, rows)
    write_ledger(tmp_path, dataset)
    lines = read_ledger(tmp_path)
    assert lines == ledger_lines(tmp_path, dataset)
    assert [tuple(line.values()) for line in lines] == [
        ("000000.png", "kept", "", "hog", "1.0000", "train"),
        ("000000b.png", "skipped", "no such photo", "", "", "train"),
        ("000001.png", "kept", "", "hog", "", "train"),
        ("a.png", "skipped", "no such photo", "", "", "val"),
        ("x.png", "skipped", 'no face, "found"', "", "", "train"),
    ]


def test_quality_scores_have_a_column_where_they_were_asked_for(tmp_path: Path) -> None:
    rows = [drawn_row(number, 32) for number in range(2)]
    for row, score in zip(rows, (0.0123, float("nan")), strict=True):
        row.quality = score
    dataset = folder_of(tmp_path, rows, {"quality": True})
    write_ledger(tmp_path, dataset)
    assert [line["quality"] for line in read_ledger(tmp_path)] == ["0.0123", "", "", "", ""]
    assert (tmp_path / "ledger.csv").read_text().splitlines()[0] == ",".join((*COLUMNS, "quality"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"id,outcome\na,kept\n", "the columns are not id, outcome"), (b"\xff\xfe", "cannot be read"), (None, "No such")],
)
def test_another_table_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "ledger.csv").write_bytes(content)
    with pytest.raises(ShardError, match=message) as error:
        read_ledger(tmp_path)
    assert str(tmp_path / "ledger.csv") in str(error.value)


def test_the_preview_is_the_same_at_every_call_and_shows_rows_of_all_shards(tmp_path: Path) -> None:
    rows = [drawn_row(number, 32) for number in range(3)]
    rows[2].image = np.full((32, 32, 3), 250, np.uint8)  # is seen wherever it stands
    dataset = folder_of(tmp_path, rows)
    sheets = []
    for name in ("one.png", "two.png"):
        write_preview(tmp_path, dataset, tmp_path / name)
        sheets.append((tmp_path / name).read_bytes())
    assert sheets[0] == sheets[1]
    sheet = maskkit.read_image(tmp_path / "one.png")
    assert sheet.shape == (32, 6 * 34 - 2, 3)  # photo and mask of three rows in one line
    cells = [sheet[:, place * 34 : place * 34 + 32] for place in (0, 2, 4)]
    assert sum((cell[0] == 250).all() for cell in cells) == 1
