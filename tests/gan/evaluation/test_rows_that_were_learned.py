"""Measuring a run on rows that it has learned from is said, and counted in the report."""

from pathlib import Path

import pytest

import gan
from gan.evaluation.work import Request, prepare
from tests.drawn import write_drawn_shards


def seen(run: Path, shards: Path, judges: Path, count: int | None = None) -> int | None:
    request = Request(run, shards, ["landmarks"], count, 0, judges, 1, "cpu", shards)
    found: int | None = prepare(request, lambda *progress: None).report.about["seen_in_training"]
    return found


def test_rows_of_its_own_training_are_counted_by_their_ids(
    small_run: Path, drawn_shards: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert seen(small_run, drawn_shards, tmp_path) == 0 and not caplog.text
    # The same faces as those of the run, which has learned from the first 40 of them.
    others = write_drawn_shards(tmp_path / "others", {"train": 34, "val": 2, "test": 6})
    assert seen(small_run, others, tmp_path) == 6
    assert (
        "6 of the 8 measured rows have ids of rows that the run has learned from, 000034.png the first" in caplog.text
    )
    assert seen(small_run, others, tmp_path, count=5) == 5


def test_what_cannot_be_told_is_said(
    small_run: Path, drawn_shards: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An exported generator knows the SHA-256 of its train rows and not where they lie."""
    alone = tmp_path / "G.safetensors"
    gan.export_generator(small_run, alone)
    assert seen(alone, drawn_shards, tmp_path) == 0 and not caplog.text
    assert seen(alone, write_drawn_shards(tmp_path / "others", {"train": 4, "val": 2}), tmp_path) is None
    assert "whether the run has learned from the measured rows cannot be told" in caplog.text
