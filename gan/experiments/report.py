"""The report on a reproduction: the table of the finished systems, what the paper has printed, and each recipe."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from gan.evaluation.report import Column, escape_latex
from gan.experiments.compare import Comparison
from gan.experiments.page import section, table_html, text_html
from gan.experiments.printed import Printed
from gan.experiments.request import Request, Standing
from gan.experiments.table import Cell, Row, Table
from gan.settings.run_settings import settings_text
from gan.training.dry_run import duration
from maskkit.files.records import DigestList
from maskkit.files.whole_folder import check_folder, whole_folder

RECORD = DigestList("report", "a report")
TITLE = "Beside what is printed"
NOT_THERE = "not printed"
_SHARE, _ACCURACY = "consistency/independent/share", "consistency/independent/value"
_IOU, _FID = "consistency/independent/mean_iou_generated", "features/fid_generated"
# Each figure printed and measured here, by the key of what is measured.
PAIRS = (("share of the way", _SHARE, 3), ("accuracy", _ACCURACY, 4), ("mIoU", _IOU, 3), ("FID", _FID, 1))


@dataclass(frozen=True)
class ReproductionReport:
    """What came out so far. `standings` are of all systems of the experiment; those in `comparison` are finished."""

    request: Request
    standings: Mapping[str, Standing]
    comparison: Comparison
    printed: Printed

    @property
    def heading(self) -> str:
        """Say what was done."""
        asked = self.request
        return (
            f"{asked.experiment.paper}; each system: {asked.budget.to_text()}, scale {asked.scale}, seed {asked.seed}; "
            f"{self.comparison.heading}"
        )

    @property
    def beside(self) -> Table:
        """Put printed figures beside those of the comparison."""
        return beside_printed(self.comparison.table, self.printed)

    @property
    def progress(self) -> dict[str, str]:
        """Say of each system how much it has trained, or that it is missing in the table."""
        return {name: _trained(one) for name, one in self.standings.items()}

    def to_text(self) -> str:
        """Give all of it as text."""
        progress = "".join(f"{name}: {words}\n" for name, words in self.progress.items())
        return f"{self.heading}\n\n{self.comparison.table.to_text()}\n{TITLE}\n\n{self.beside.to_text()}\n{progress}"

    def to_dict(self) -> dict[str, Any]:
        """Give plain types."""
        asked = self.request
        return {
            "experiment": asked.experiment.name,
            "paper": asked.experiment.paper,
            "budget": asked.budget.to_text(),
            "scale": asked.scale,
            "overrides": list(asked.overrides),
            "seed": asked.seed,
            "systems": {
                name: {**one._asdict(), "settings": asked.settings[name].model_dump(exclude={"data": {"shards"}})}
                for name, one in self.standings.items()
            },
            "comparison": self.comparison.to_dict(),
            "printed": self.beside.to_dict(),
        }

    def to_latex(self) -> str:
        """Give both tables."""
        return (
            f"% {escape_latex(self.heading)}\n{self.comparison.table.to_latex()}\n% {TITLE}\n{self.beside.to_latex()}"
        )

    def to_html(self) -> str:
        """Give one page of HTML that needs nothing but itself."""
        trained = "".join(f"<li>{text_html(f'{name}: {words}')}</li>" for name, words in self.progress.items())
        settings = "".join(
            f"<details><summary>{text_html(name)}</summary><pre>{escape(settings_text(one))}</pre></details>"
            for name, one in self.request.settings.items()
            if self.standings[name].step
        )
        more = (
            section(TITLE, table_html(self.beside))
            + section("Training", f"<ul>{trained}</ul>")
            + section("Settings", settings)
        )
        return self.comparison.to_html(f"Reproduction of {self.request.experiment.name}", self.heading, more)

    def write(self) -> None:
        """Write the folder `report` with report.txt, .json, .tex and .html, in the place of an earlier one.

        Raises maskkit's OutputError, also where somebody has put something of their own there.
        """
        forms = {
            ".txt": self.to_text(),
            ".json": json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n",
            ".tex": self.to_latex(),
            ".html": self.to_html(),
        }
        with whole_folder(report_folder(self.request), RECORD, overwrite=True) as folder:
            for ending, text in forms.items():
                (folder / f"report{ending}").write_text(text, encoding="utf-8")


def check_report(request: Request) -> None:
    """Raise maskkit's OutputError where no report could be written, before any work."""
    check_folder(report_folder(request), RECORD, overwrite=True)


def report_folder(request: Request) -> Path:
    """Name the folder of the report."""
    return request.out / "report"


def beside_printed(measured: Table, printed: Printed) -> Table:
    """Give a table with two columns for each printed figure: as printed, and as measured here.

    Shares compare across judges and data; accuracies, mIoU and distances hang on both, so only their order does.
    """
    columns = tuple(
        Column(f"{title} {where}", f"{where} {key}", decimals, "lower" if key == _FID else "higher")
        for title, key, decimals in PAIRS
        for where in ("printed", "here")
    )
    rows = tuple(_row(row, _printed_row(printed, row.name)) for row in measured.rows)
    bounds = {"floor": {_SHARE: 0.0, _ACCURACY: printed.floor}, "ceiling": {_SHARE: 1.0, _ACCURACY: printed.ceiling}}
    references = tuple(_row(row, bounds[row.name]) for row in measured.references)
    return Table(columns, rows, references, notes=(f"printed for {printed.data}: {printed.source}",))


def _printed_row(printed: Printed, system: str) -> dict[str, float | None]:
    found = printed.systems.get(system)
    if found is None:
        return {}
    return {_SHARE: printed.share(system), _ACCURACY: found.accuracy, _IOU: found.mean_iou, _FID: found.fid}


def _row(row: Row, printed: Mapping[str, float | None]) -> Row:
    cells = {}
    for _, key, _ in PAIRS:
        value = printed.get(key)
        cells[f"printed {key}"] = Cell(value, "" if value is not None else NOT_THERE)
        cells[f"here {key}"] = row.cells.get(key, Cell(None, "it was not measured"))
    return Row(row.name, cells)


def _trained(one: Standing) -> str:
    amount = f"{one.step:,} steps, {one.images:,} real images, {duration(one.seconds)} of training"
    return amount if one.finished else f"not finished and not in the table ({amount})"
