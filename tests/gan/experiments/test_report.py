"""What is printed beside what is measured, and the report's folder."""

import json
from pathlib import Path

import pytest

from gan.evaluation.report import Column
from gan.experiments.printed import SCGAN_PRINTED
from gan.experiments.report import beside_printed
from gan.experiments.reproduce import reproduce
from gan.experiments.table import Cell, Row, Table
from maskkit.errors import OutputError
from tests.gan.experiments.test_reproduce import asked

SHARE = "consistency/independent/share"


def test_printed_shares_are_those_of_the_sheet() -> None:
    """(value - floor) / (ceiling - floor) of Table 1, rounded as there."""
    celeba, fashion = SCGAN_PRINTED["binary"], SCGAN_PRINTED["softmax"]
    shares = {name: [celeba.share(name), fashion.share(name)] for name in celeba.systems}
    rounded = {name: [round(share or 0, 3) for share in pair] for name, pair in shares.items()}
    assert rounded["cyclegan"] == [0.122, 0.618]
    assert rounded["pix2pix"] == [0.830, 0.841]
    assert rounded["scgan"] == [0.954, 0.943]
    assert celeba.share("acwgan") is None


def test_each_measured_figure_stands_beside_the_printed_one() -> None:
    column = Column("share of the way", SHARE, 3, "higher")
    rows = (Row("scgan", {SHARE: Cell(0.5)}), Row("acwgan", {SHARE: Cell(None, "it takes no layout")}))
    table = beside_printed(Table((column,), rows, (Row("floor", {SHARE: Cell(0.0)}),)), SCGAN_PRINTED["binary"])
    text = table.to_text()
    assert [line.split()[:3] for line in text.splitlines() if line.startswith("scgan")] == [["scgan", "0.954", "0.500"]]
    assert "not printed" in text and "it takes no layout" in text
    assert next(line for line in text.splitlines() if line.startswith("floor")).split()[:4] == [
        "floor", "0.000", "0.000", "0.9204",
    ]  # fmt: skip


def test_a_report_on_what_is_finished(drawn_shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = reproduce(asked(drawn_shards, out), only=["consistency"], count=4, judge_steps=1)
    assert report is not None
    names = sorted(path.name for path in (out / "report").iterdir() if not path.name.startswith("."))
    assert names == ["report.html", "report.json", "report.tex", "report.txt"]
    told = json.loads((out / "report" / "report.json").read_text())
    assert told["systems"]["pix2pix"] | {"seconds": 0, "settings": 0} == {
        "step": 10, "images": 40, "seconds": 0, "finished": True, "settings": 0,
    }  # fmt: skip
    assert "shards" not in told["systems"]["pix2pix"]["settings"]["data"]
    assert [row["name"] for row in told["comparison"]["rows"]] == ["wgan-gp", "pix2pix"]
    page = (out / "report" / "report.html").read_text()
    assert "Beside what is printed" in page and "cyclegan: not finished and not in the table" in page
    assert "<script" not in page and "http://" not in page.replace("http://www.w3.org", "")
    (out / "report" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds mine.txt"):
        reproduce(asked(drawn_shards, out), only=["consistency"], count=4, judge_steps=1)


def test_a_stop_while_it_is_measured_ends_it(drawn_shards: Path, tmp_path: Path) -> None:
    request = asked(drawn_shards, tmp_path / "out", systems=["pix2pix"])
    heard: list[str] = []

    def hear(title: str, done: int, total: int, note: str = "") -> None:
        heard.append(title)

    def stop() -> bool:
        return "pix2pix: training the independent segmentor" in heard

    assert reproduce(request, only=["consistency"], count=4, judge_steps=3, stop=stop, on_progress=hear) is None
    assert not (request.out / "report").exists() and heard[-1] == "pix2pix: training the independent segmentor"
