"""The command `maskkit inspect`."""

from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

import maskkit
from cli.shared import as_json, print_json, progress
from maskkit.files.plain_text import plain
from maskkit.report.doubtful import RULES
from maskkit.report.histogram import Histogram
from maskkit.report.page import check_report
from maskkit.report.statistics import POSE_RANGES

PLAIN_WIDTH = 160  # of tables where standard output is no terminal
LISTED = 10  # doubtful rows in the terminal


@click.command()
@click.argument("shards", type=click.Path(file_okay=False, path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Also write a page with pictures, report.html.")
@click.option("--rows", type=click.IntRange(0, 1000), default=48, show_default=True,
              help="Doubtful rows and random rows on the page, up to so many of each.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Draws the random rows.")
@click.option("--overwrite", is_flag=True, help="Replace a page that is there.")
@as_json
def inspect(shards: Path, out: Path | None, rows: int, seed: int, overwrite: bool, as_json: bool) -> None:
    """Look at a data set: splits, attributes, regions, pose, mouths, detector steps, and rows that deserve a look.

    The page opens in a browser without a network and shows doubtful and random rows as photo, points and mask.

    \b
    Example:
      maskkit inspect shards -o report.html
    """
    if out is not None:
        check_report(out, overwrite, shards)
    with progress("inspecting") as advance:
        inspection = maskkit.inspect_shards(shards, lambda done, total: advance(done, total=total))
    if out is not None:
        maskkit.write_report(inspection, out, rows=rows, seed=seed, overwrite=overwrite)
    if as_json:
        print_json({**inspection.to_dict(), "report": None if out is None else str(out)})
        return
    console = Console(width=None if Console().is_terminal else PLAIN_WIDTH)
    for table in _tables(inspection):
        console.print(table)
        console.print()
    for row in inspection.doubtful[:LISTED]:
        console.print(Text(f"{row.file}#{row.row} {plain(row.id)}: {plain('; '.join(row.reasons))}"), soft_wrap=True)
    if inspection.doubtful_total > LISTED:
        console.print(Text(f"... {inspection.doubtful_total - LISTED:,} more; --json lists them"))
    if out is not None:
        console.print(Text(f"pictures in {out}"), soft_wrap=True)


def _tables(inspection: maskkit.Inspection) -> list[Table]:
    """All figures, a table a subject."""
    parts = inspection.splits
    shares = {
        name: [f"{one.ones[number] / one.rows:.1%}" for one in parts.values()]
        for number, name in enumerate(inspection.dataset.attribute_names)
    }
    areas = {
        name: [f"{one.areas[name].mean:.2%}" for one in parts.values()] for name in inspection.dataset.scheme.names
    }
    poses = {name: [_spread(one.pose[name]) for one in parts.values()] for name in POSE_RANGES}
    scored = [one.quality for one in parts.values() if one.quality.total]
    qualities = {"quality": [_spread(one.quality) for one in parts.values()]}
    steps = sorted({step for one in parts.values() for step in one.detectors})
    found = {step: [f"{one.detectors[step]:,}" for one in parts.values()] for step in steps}
    rules = {rule: [f"{inspection.doubtful_rules.get(rule, 0):,}"] for rule in RULES}
    by_hand = {"corrected": [f"{inspection.corrected:,}"], "rejected": [f"{inspection.rejected:,}"]}
    rules["any of them"] = [f"{inspection.doubtful_total:,}"]
    return [
        _table("", parts, {"rows": [f"{one.rows:,}" for one in parts.values()]}),
        *([_table("attribute", parts, shares)] if shares else []),
        _table("mean share of the picture", parts, areas),
        *([_table("mean (and of 98 % of the rows)", parts, poses)] if found else []),
        *([_table("detector step", parts, found)] if found else []),
        *([_table("mean (and of 98 % of the rows)", parts, qualities)] if scored else []),
        *([_table("by hand", ["rows"], by_hand)] if inspection.corrected or inspection.rejected else []),
        _table("doubtful by", ["rows"], rules),
    ]


def _table(title: str, columns: Iterable[str], lines: dict[str, list[str]]) -> Table:
    """A table of text; names that come from the data set are never read as markup."""
    table = Table(title, *columns, box=None, padding=(0, 2, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, cells in lines.items():
        table.add_row(Text(plain(name)), *map(Text, cells))
    return table


def _spread(values: Histogram) -> str:
    return f"{values.mean:.2f} ({values.quantile(0.01):.2f} to {values.quantile(0.99):.2f})"
