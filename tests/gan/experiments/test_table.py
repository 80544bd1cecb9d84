"""A table of hand-made reports: its cells, bounds, dashes with their reasons, and what it refuses to hold."""

import math
import re

import pytest

from gan.errors import InputError
from gan.evaluation.report import COLUMNS, Report
from gan.experiments.page import make_page
from gan.experiments.table import Cell, Row, Table, build_table
from gan.names import MEASURES

EVIL = "<b>a&b</b>_$x"


def report(judge: str = "aa", seen: int | None = 0, **figures: float) -> Report:
    """A report with some figures of the independent segmentor and of landmarks."""
    made = Report(
        {"run": "runs/x", "measured": 8, "seed": 0, "size": 32, "rows": {"val": {"sha256": "cc"}},
         "seen_in_training": seen,
         "judges": {"own segmentor": {"sha256": str(id(figures))}, "independent segmentor": {"sha256": judge}}}
    )  # fmt: skip
    for key, value in figures.items():
        part = "landmarks" if key.startswith(("error", "mouth")) else "consistency/independent"
        made.add(f"{part}/{key}", value, 8, "as made by hand")
    return made


BOUNDS = {"floor": 0.75, "ceiling": 0.9, "mean_iou_real": 0.8, "error_real": 0.02}


def a_table() -> Table:
    ours = report(value=0.85, share=2 / 3, mean_iou_generated=0.7, error_generated=0.031, error_other_face=0.2,
                  mouth_r=math.nan, **BOUNDS)  # fmt: skip
    theirs = report(value=0.75, share=0.0, mean_iou_generated=0.5, error_generated=0.19, error_other_face=0.21,
                    seen=3, **BOUNDS)  # fmt: skip
    theirs.leave_out("landmarks/mouth", "the scheme x has no polygons to draw")
    ours.leave_out("attributes", "X takes no attributes")
    facts = {"ours": {"seed": "0"}, EVIL: {"seed": "7"}}
    return build_table({"ours": ours, EVIL: theirs}, ("consistency", "landmarks", "attributes"), facts)


def cells(table: Table, name: str) -> dict[str, Cell]:
    row = next(row for row in (*table.rows, *table.references) if row.name == name)
    return {column.title: table.cell(row, column) for column in table.columns}


def test_every_cell_is_a_figure_or_a_reason() -> None:
    table = a_table()
    titles = ["mIoU", "pAcc", "share of the way", "landmark error", "mouth r", "attributes", "edited"]
    assert [column.title for column in table.columns] == titles and table.facts == ("seed",)
    ours, theirs, floor, ceiling = (cells(table, name) for name in ("ours", EVIL, "floor", "ceiling"))
    assert ours["share of the way"] == (2 / 3, "") and theirs["landmark error"].value == 0.19
    assert ours["mouth r"] == (None, "it has no value on these rows")
    assert theirs["mouth r"] == (None, "the scheme x has no polygons to draw")
    assert ours["edited"] == (None, "X takes no attributes") and theirs["edited"] == (None, "it was not measured")
    assert (floor["pAcc"].value, ceiling["pAcc"].value, ceiling["mIoU"].value) == (0.75, 0.9, 0.8)
    assert (floor["share of the way"].value, ceiling["share of the way"].value) == (0, 1)
    assert floor["mIoU"] == (None, "the measure has no such bound") and ceiling["landmark error"].value == 0.02
    assert floor["landmark error"].reason == f"landmark error: each run has its own, ours 0.2000, {EVIL} 0.2100"
    assert ceiling["attributes"].reason == "no run has this figure"
    assert ceiling["mouth r"].value is None  # no run has a value, so neither has the bound a meaning


def test_as_text() -> None:
    lines = a_table().to_text().splitlines()
    assert lines[0].split() == ["share", "of", "landmark"]
    assert " ".join(lines[1].split()) == "seed mIoU ↑ pAcc ↑ the way ↑ error ↓ mouth r ↑ attributes ↑ edited ↑"
    assert re.match(r"ours +0 +0\.700 +0\.8500 +0\.667 +0\.0310 +-- \[1\] +-- \[2\] +-- \[2\]$", lines[3])
    assert "[1] it has no value on these rows" in lines and "[2] X takes no attributes" in lines
    assert lines[-1] == f"note: {EVIL} has learned from 3 of the 8 measured rows, which flatters it"
    assert lines[2] == lines[5] == "-" * len(lines[3])
    assert lines[6].startswith("floor") and lines[7].startswith("ceiling")


def test_as_latex_and_as_plain_types() -> None:
    table = a_table()
    latex = table.to_latex().splitlines()
    body = [line for line in latex if line.endswith(r"\\")]
    assert latex[0] == r"\begin{tabular}{llrrrrrrr}" and {line.count(" & ") for line in body} == {8}
    assert body[2].startswith(
        r"\textless{}b\textgreater{}a\&b\textless{}/b\textgreater{}\_\$x & 7 & 0.500 & 0.7500 & 0.000 & 0.1900 & --$^{"
    )
    found = table.to_dict()
    assert found["rows"][0]["figures"]["landmarks/mouth_r"] == {
        "value": None,
        "reason": "it has no value on these rows",
    }
    assert found["rows"][1]["seed"] == "7" and found["references"][0]["name"] == "floor"
    assert found["columns"][0]["better"] == "higher"


def test_the_page_escapes_every_text_and_asks_for_nothing() -> None:
    one = report(share=0.5)
    one.add("attributes/edited", 0.5, 2, EVIL, {EVIL: 0.25})
    one.leave_out("landmarks", EVIL)
    one.about["run"] = EVIL
    table = build_table({EVIL: one}, MEASURES, {EVIL: {EVIL: EVIL}})
    page = make_page(table, {EVIL: one}, b"png", EVIL, {EVIL: {"sha256": EVIL, "recipe": {"kind": EVIL}}})
    assert EVIL not in page and "<b>" not in page and page.count("&lt;b&gt;a&amp;b&lt;/b&gt;") >= 10
    assert not re.search(r"<script|https?:|url\(|@import|<link(?! rel=\"icon\" href=\"data:)", page)
    assert "prefers-color-scheme: dark" in page and 'src="data:image/png;base64,cG5n"' in page


def test_what_was_measured_otherwise_has_no_place_in_a_table() -> None:
    with pytest.raises(InputError, match=r"segmentor \(SHA-256\) is not the same for all: runs/x by aa"):
        build_table({"one": report(), "judge": report("bb")}, MEASURES)
    others = {"count": report(), "rows": report()}
    others["count"].about["measured"] = 9
    others["rows"].about["rows"] = {"val": {"sha256": "dd"}}
    for what, said in (("count", r"different numbers of rows \(9 and 8\)"),
                       ("rows", r"different val rows \(dd and cc\)")):  # fmt: skip
        with pytest.raises(InputError, match=rf"{what} and one were measured with {said}"):
            build_table({"one": report(), what: others[what]}, MEASURES)


def test_a_row_of_others_figures_stands_beside() -> None:
    """Printed results, which have no report."""
    share = next(column for column in COLUMNS if column.title == "share of the way")
    table = Table((*COLUMNS,), (Row("paper", {share.key: Cell(0.954)}),))
    assert table.shown(table.rows[0], share) == ("0.954", None)
    assert table.reasons == ("it was not measured",) and "paper" in table.to_text()
