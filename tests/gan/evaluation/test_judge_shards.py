"""Judges that learn from other shards than those measured, and figures of several kinds of judges kept apart."""

from pathlib import Path

import pytest

import gan
from gan.errors import DataError, InputError
from gan.evaluation.report import Report, check_same_judges
from gan.evaluation.work import Request, prepare
from tests.drawn import write_drawn_shards

LITTLE = {"count": 4, "judge_steps": 1, "device": "cpu"}


def test_judges_learn_from_other_rows(
    small_run: Path, drawn_shards: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The drawn faces 0 to 19 of `others` are among the 40 that the run has learned from; the measured ones are not."""
    others = write_drawn_shards(tmp_path / "others", {"train": 20})
    reports = [
        gan.evaluate_run(
            small_run, drawn_shards, only=["consistency"], judges=tmp_path / "judges", judge_shards=shards, **LITTLE
        )
        for shards in (None, others)
    ]
    own, apart = (report.about["judges_learned_from"] for report in reports)
    assert own["shards"] == str(drawn_shards) and own["count"] == 40 and own["seen_in_training"] == 40
    assert apart["shards"] == str(others) and apart["count"] == 20 and apart["seen_in_training"] == 20
    assert own["measured"] == apart["measured"] == 0 and not caplog.text
    recipes = [report.about["judges"]["independent segmentor"]["recipe"] for report in reports]
    assert [recipe["shards"] for recipe in recipes] == [own["sha256"], apart["sha256"]]
    assert reports[1].figures["consistency/own/value"] == reports[0].figures["consistency/own/value"]
    reports[1].about["run"] = "other"
    with pytest.raises(InputError, match=rf"the independent segmentor.*{small_run} by [0-9a-f]{{12}}; other by "):
        check_same_judges(reports)


def test_rows_that_the_judges_know_are_counted(
    small_run: Path, drawn_shards: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    others = write_drawn_shards(tmp_path / "others", {"train": 43})  # 40 to 47 are the measured ones
    request = Request(small_run, drawn_shards, ["diversity"], 8, 0, tmp_path, 1, "cpu", others)
    about = prepare(request, lambda *progress: None).report.about
    assert about["judges_learned_from"]["measured"] == 3 and about["seen_in_training"] == 0
    assert "3 of the 8 measured rows have ids of rows that the judges learn from, 000040.png the first" in caplog.text


def test_shards_without_train_rows_are_measured_by_judges_of_others(
    small_run: Path, drawn_shards: Path, tmp_path: Path
) -> None:
    alone = write_drawn_shards(tmp_path / "alone", {"test": 6})
    parts = ["features", "consistency"]
    report = gan.evaluate_run(
        small_run, alone, only=parts, judges=tmp_path / "judges", judge_shards=drawn_shards, **LITTLE
    )
    assert "0 train rows to compare with" in report.left_out["features"] and "consistency/own/share" in report.figures
    with pytest.raises(DataError, match=r"alone: judges learn from train rows, and there are 0"):
        gan.evaluate_run(small_run, alone, only=parts, judges=tmp_path / "judges", **LITTLE)


def test_other_attributes_cannot_teach(small_run: Path, drawn_shards: Path, tmp_path: Path) -> None:
    others = write_drawn_shards(tmp_path / "others", {"train": 4}, names=("Bald",))
    with pytest.raises(DataError, match=r"others have the scheme scgan and the attributes \('Bald',\), and the run"):
        gan.evaluate_run(small_run, drawn_shards, judge_shards=others, judges=tmp_path / "judges", **LITTLE)
    assert not (tmp_path / "judges").exists()


def test_only_figures_of_the_same_judges_belong_in_one_table() -> None:
    def report(run: str, **judges: str) -> Report:
        return Report({"run": run, "judges": {name.replace("_", " "): {"sha256": s} for name, s in judges.items()}})

    a = report("a", own_segmentor="1", independent_segmentor="5" * 64, independent_classifier="6" * 64)
    b = report("b", own_segmentor="2", independent_segmentor="5" * 64, independent_classifier="6" * 64)
    unconditional = report("c", independent_segmentor="5" * 64)
    check_same_judges([a, b, unconditional, report("d")])
    other = report("e", independent_segmentor="5" * 64, independent_classifier="7" * 64)
    with pytest.raises(InputError) as refusal:
        check_same_judges([a, b, unconditional, other])
    assert "the independent classifier (SHA-256) is not the same for all: a, b by 666666666666; e by 777777777777" in (
        str(refusal.value)
    )
