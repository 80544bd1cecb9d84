"""One table over several systems: a row for each, figures as columns; what is missing is a dash with its reason."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any, NamedTuple

from gan.errors import InputError
from gan.evaluation.report import COLUMNS, Column, Report, check_same_judges, escape_latex
from maskkit.files.plain_text import LONGEST, plain

DASH = "--"
TITLE_WIDTH = 10  # characters
ARROWS = {"higher": "\u2191", "lower": "\u2193"}
_SAME = {"size": "image sizes", "measured": "numbers of rows", "seed": "seeds"}


class Cell(NamedTuple):
    """A figure, or why there is none."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """One line: `cells` by the columns' keys, and what else is told of it by the table's `facts`."""

    name: str
    cells: Mapping[str, Cell]
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows of systems, and `references`: what chance gets and what real photos would get.

    `facts` name what stands between a row's name and its figures, `notes` are sentences below.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    references: tuple[Row, ...] = ()
    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why cells are dashes, each reason once, as they come; a dash is marked by their number, from 1."""
        cells = (self.cell(row, column) for row in (*self.rows, *self.references) for column in self.columns)
        return tuple(dict.fromkeys(cell.reason for cell in cells if cell.value is None))

    def cell(self, row: Row, column: Column) -> Cell:
        """Give a figure of a row, or why it has none."""
        return row.cells.get(column.key, Cell(None, "it was not measured"))

    def shown(self, row: Row, column: Column) -> tuple[str, int | None]:
        """Give a figure as text, or a dash and the number of its reason."""
        cell = self.cell(row, column)
        if cell.value is None:
            return DASH, self.reasons.index(cell.reason) + 1
        return f"{cell.value:.{column.decimals}f}", None

    def to_text(self) -> str:
        """Give lines of text, each figure under its title; an arrow points where better figures are."""
        heads = [("",), *((name,) for name in self.facts), *(_stacked(column) for column in self.columns)]
        height = max(map(len, heads))
        above = [[*[""] * (height - len(head)), *head] for head in heads]
        rows = [[line[i] for line in above] for i in range(height)]
        rows += [self._line(row) for row in (*self.rows, *self.references)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        words = 1 + len(self.facts)
        lines = ["  ".join(_padded(row, widths, words)).rstrip() for row in rows]
        width = sum(widths) + 2 * (len(widths) - 1)
        lines.insert(height, "-" * width)
        if self.references:
            lines.insert(height + 1 + len(self.rows), "-" * width)
        below = [f"[{number}] {plain(reason, LONGEST)}" for number, reason in enumerate(self.reasons, 1)]
        below += [f"note: {plain(note, LONGEST)}" for note in self.notes]
        return "\n".join([*lines, *([""] if below else []), *below]) + "\n"

    def _line(self, row: Row) -> list[str]:
        cells = [self.shown(row, column) for column in self.columns]
        marked = [text if mark is None else f"{text} [{mark}]" for text, mark in cells]
        return [plain(row.name), *(plain(row.facts.get(name, "")) for name in self.facts), *marked]

    def to_dict(self) -> dict[str, Any]:
        """Give plain types: columns, rows and references, each figure by its key with its value or its reason."""
        return {
            "columns": [column._asdict() for column in self.columns],
            "rows": [self._row_dict(row) for row in self.rows],
            "references": [self._row_dict(row) for row in self.references],
            "notes": list(self.notes),
        }

    def _row_dict(self, row: Row) -> dict[str, Any]:
        cells = {column.key: self.cell(row, column) for column in self.columns}
        figures = {key: {"value": one.value} if one.value is not None else one._asdict() for key, one in cells.items()}
        return {"name": row.name, **row.facts, "figures": figures}

    def to_latex(self) -> str:
        """Give a tabular that needs no package, and below it what its dashes mean."""
        arrows = {"higher": r"$\uparrow$", "lower": r"$\downarrow$"}
        heads = ["", *map(escape_latex, self.facts)]
        heads += [f"{escape_latex(column.title)} {arrows[column.better]}" for column in self.columns]
        lines = [rf"\begin{{tabular}}{{{'l' * (1 + len(self.facts))}{'r' * len(self.columns)}}}", r"\hline"]
        lines += [f"{' & '.join(heads)} \\\\", r"\hline", *map(self._latex_line, self.rows), r"\hline"]
        if self.references:
            lines += [*map(self._latex_line, self.references), r"\hline"]
        lines.append(r"\end{tabular}")
        reasons = [(f"$^{{{number}}}$", reason) for number, reason in enumerate(self.reasons, 1)]
        below = [*reasons, *(("note:", note) for note in self.notes)]
        lines += [rf"\par\footnotesize {mark} {escape_latex(plain(text, LONGEST))}" for mark, text in below]
        return "\n".join(lines) + "\n"

    def _latex_line(self, row: Row) -> str:
        cells = [self.shown(row, column) for column in self.columns]
        words = [plain(row.name), *(plain(row.facts.get(name, "")) for name in self.facts)]
        marked = [text if mark is None else f"{text}$^{{{mark}}}$" for text, mark in cells]
        return f"{' & '.join([*map(escape_latex, words), *marked])} \\\\"


def build_table(
    reports: Mapping[str, Report], parts: Collection[str], facts: Mapping[str, Mapping[str, str]] | None = None
) -> Table:
    """Put reports by name into one table, with what `facts` tells of each.

    Its columns are those of `parts`. Raises InputError where reports differ in their rows, seed or judges.
    """
    check_comparable(reports)
    columns = tuple(column for column in COLUMNS if column.key.split("/")[0] in parts)
    facts = facts or {}
    rows = [
        Row(name, {column.key: _cell(report, column.key) for column in columns}, facts.get(name, {}))
        for name, report in reports.items()
    ]
    references = [
        Row("floor", {column.key: _bound(reports, column, column.floor) for column in columns}),
        Row("ceiling", {column.key: _bound(reports, column, column.ceiling) for column in columns}),
    ]
    notes = [note for name, report in reports.items() if (note := _flattered(name, report))]
    named = dict.fromkeys(fact for row in rows for fact in row.facts)
    return Table(columns, tuple(rows), tuple(references), tuple(named), tuple(notes))


def check_comparable(reports: Mapping[str, Report]) -> None:
    """Raise InputError where reports are of other rows, seeds or judges."""
    check_same_judges(reports.values())
    seen: dict[str, tuple[str, Any]] = {}
    for name, report in reports.items():
        about = report.about
        told = {words: about[key] for key, words in _SAME.items()}
        told |= {f"{split} rows": one["sha256"] for split, one in about["rows"].items()}
        for what, value in told.items():
            first, known = seen.setdefault(what, (name, value))
            if value != known:
                raise InputError(
                    f"{name} and {first} were measured with different {what} ({value} and {known}), so one table "
                    "cannot hold both; measure them again together"
                )


def _cell(report: Report, key: str) -> Cell:
    figure = report.figures.get(key)
    if figure is None or not math.isfinite(figure.value):
        return Cell(None, report.why_missing(key))
    return Cell(figure.value)


def _bound(reports: Mapping[str, Report], column: Column, bound: str | float | None) -> Cell:
    """Give the floor or ceiling of a column, where all runs have the same."""
    if bound is None:
        return Cell(None, "the measure has no such bound")
    wanted = bound if isinstance(bound, str) else column.key
    cells = {name: _cell(report, wanted) for name, report in reports.items()}
    found = {name: cell.value for name, cell in cells.items() if cell.value is not None}
    if not found:
        reasons = {cell.reason for cell in cells.values()}
        return Cell(None, reasons.pop() if len(reasons) == 1 else "no run has this figure")
    if not isinstance(bound, str):
        return Cell(bound)
    shown = {name: f"{value:.{column.decimals}f}" for name, value in found.items()}
    if len(set(shown.values())) == 1:
        return Cell(next(iter(found.values())))
    return Cell(None, f"{column.title}: each run has its own, {', '.join(map(' '.join, shown.items()))}")


def _flattered(name: str, report: Report) -> str | None:
    """Say where a run knows the measured rows, or may."""
    seen, measured = report.about["seen_in_training"], report.about["measured"]
    if seen is None:
        return f"whether {name} has learned from some of the measured rows cannot be told"
    return f"{name} has learned from {seen} of the {measured} measured rows, which flatters it" if seen else None


def _stacked(column: Column) -> tuple[str, ...]:
    """Give a title in short lines."""
    *first, last = wrap(column.title, TITLE_WIDTH, break_long_words=False)
    return *first, f"{last} {ARROWS[column.better]}"


def _padded(row: list[str], widths: list[int], words: int) -> list[str]:
    """Give the cells of a line at their widths: names and facts at the left, figures at the right."""
    return [
        text.ljust(width) if i < words else text.rjust(width)
        for i, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
