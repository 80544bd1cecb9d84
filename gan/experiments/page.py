"""A comparison as one page of HTML that needs nothing but itself: no script, no network, light and dark."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from gan.evaluation.report import Column, Figure, Report
from gan.experiments.table import ARROWS, Row, Table
from maskkit.files.plain_text import LONGEST, plain

TEMPLATE = Path(__file__).parent / "page.html"
BETTER = {"higher": "higher is better", "lower": "lower is better"}


def make_page(
    table: Table, reports: Mapping[str, Report], pictures: bytes, heading: str, judges: Mapping[str, Any],
    title: str = "", more: str = "",
) -> str:  # fmt: skip
    """Give the page; whatever comes from names of runs, attributes or files is escaped.

    `title` stands for the runs' names, and `more` are sections between the pictures and the judges.
    """
    names = ", ".join(plain(row.name) for row in table.rows)
    fields = {
        "title": text_html(title or f"Comparison of {names}"),
        "heading": text_html(heading),
        "table": table_html(table),
        "more": more,
        "pictures": b64encode(pictures).decode(),
        "alt": escape(f"Test faces in rows; in columns photo, layout, {names}"),
        "caption": "A test face in each row: its photo, its layout, and what each run makes of that layout with the "
        "row's attributes, as far as it takes them. The generated pictures are synthetic and among those that were "
        "measured.",
        "judges": _judges(judges),
        "reports": "".join(_report(name, report) for name, report in reports.items()),
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(fields)


def section(title: str, content: str) -> str:
    """Give a section of HTML under a heading."""
    return f"<h2>{text_html(title)}</h2>{content}"


def text_html(text: str) -> str:
    """Give a text as HTML, cleaned and cut."""
    return escape(plain(text, LONGEST))


def table_html(table: Table) -> str:
    """Give a table that scrolls by itself where it is too wide, and below it what its dashes mean."""
    words = ['<th scope="col" class="words">run</th>']
    words += [f'<th scope="col" class="words">{text_html(fact)}</th>' for fact in table.facts]
    heads = "".join([*words, *map(_head, table.columns)])
    body, foot = ("".join(_line(table, row) for row in rows) for rows in (table.rows, table.references))
    whole = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody><tfoot>{foot}</tfoot></table>"
    return f'<div class="wide">{whole}</div>{_below(table)}'


def _head(column: Column) -> str:
    arrow = f'<abbr title="{BETTER[column.better]}">{ARROWS[column.better]}</abbr>'
    return f'<th scope="col">{text_html(column.title)}&nbsp;{arrow}</th>'


def _line(table: Table, row: Row) -> str:
    words = [f'<th scope="row" class="words">{text_html(row.name)}</th>']
    words += [f'<td class="words">{text_html(row.facts.get(fact, ""))}</td>' for fact in table.facts]
    return f"<tr>{''.join([*words, *(_cell(table, row, column) for column in table.columns)])}</tr>"


def _cell(table: Table, row: Row, column: Column) -> str:
    text, mark = table.shown(row, column)
    if mark is None:
        return f"<td>{text}</td>"
    return f'<td><abbr title="{text_html(table.reasons[mark - 1])}">\u2014<sup>{mark}</sup></abbr></td>'


def _below(table: Table) -> str:
    """Give why cells are dashes, and the notes."""
    reasons = "".join(f"<li>{text_html(reason)}</li>" for reason in table.reasons)
    notes = "".join(f"<p>{text_html(note)}.</p>" for note in table.notes)
    return (f"<p>Where there is a dash:</p><ol>{reasons}</ol>" if reasons else "") + notes


def _judges(judges: Mapping[str, Any]) -> str:
    if not judges:
        return "<p>None of these figures needed one.</p>"
    lines = "".join(_judge(name, judge) for name, judge in judges.items())
    return f"<p>Trained apart, on real rows alone; the same for all runs.</p><ul>{lines}</ul>"


def _judge(name: str, judge: Mapping[str, Any]) -> str:
    kind, digest = text_html(judge["recipe"]["kind"]), text_html(judge["sha256"])
    return f"<li>{text_html(name)}: {kind}; SHA-256 <code>{digest}</code></li>"


def _report(name: str, report: Report) -> str:
    lines = "".join(map(_figure, report.figures.values()))
    head = '<tr><th class="words">measure</th><th>value</th><th>n</th><th class="recipe">recipe</th></tr>'
    table = f'<div class="wide"><table><thead>{head}</thead><tbody>{lines}</tbody></table></div>'
    left_out = _items(f"{key}: {reason}" for key, reason in report.left_out.items())
    return f"<details><summary>{text_html(name)}, {text_html(report.about['run'])}</summary>{table}{left_out}</details>"


def _items(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{text_html(line)}</li>" for line in lines)
    return f"<p>Left out:</p><ul>{items}</ul>" if items else ""


def _figure(figure: Figure) -> str:
    by = ", ".join(f"{name} {value:.3f}" for name, value in figure.by.items())
    recipe = text_html(figure.recipe) + (f"<br>{text_html(by)}" if by else "")
    key = f'<th scope="row" class="words">{text_html(figure.key)}</th>'
    return f'<tr>{key}<td>{figure.value:.4f}</td><td>{figure.count}</td><td class="recipe">{recipe}</td></tr>'
