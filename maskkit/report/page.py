"""The report: one page of HTML that needs nothing but itself."""

from html import escape
from pathlib import Path
from string import Template

from maskkit.errors import OutputError
from maskkit.files.outputs import refuse_existing, write_result
from maskkit.files.plain_text import plain
from maskkit.report.inspection import Inspection
from maskkit.report.sections import (
    attributes_section,
    detectors_section,
    expected_section,
    pose_section,
    quality_section,
    regions_section,
    rules_section,
    table,
)
from maskkit.report.sheets import doubtful_sheet, figure, random_sheet

TEMPLATE = Path(__file__).parent / "template.html"


def write_report(
    inspection: Inspection, out: str | Path, rows: int = 48, seed: int = 0, overwrite: bool = False
) -> None:
    """Write an inspected data set as one page of HTML with up to `rows` doubtful and `rows` random rows to look at.

    The page holds its pictures and its style, no script, and asks for nothing outside of itself; all names in it are
    escaped. The same data set and `seed` give the same bytes. Raises OutputError if `out` is there already, unless
    `overwrite`, and ShardError for a row that cannot be read.
    """
    path = Path(out)
    check_report(path, overwrite, inspection.folder)
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(_fields(inspection, rows, seed))
    write_result(path, page.encode(), overwrite)


def check_report(path: Path, overwrite: bool, shards: Path) -> None:
    """Raise OutputError for what `write_report` could not write, before the data set is read."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{path}: a report is a page; give it a name that ends in .html")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give another name")
    refuse_existing(path, overwrite, [shards])


def _by_hand(inspection: Inspection) -> str:
    if not (inspection.corrected or inspection.rejected):
        return ""
    return f", by hand {inspection.corrected:,} rows corrected and {inspection.rejected:,} rejected"


def _fields(inspection: Inspection, rows: int, seed: int) -> dict[str, str]:
    dataset, splits = inspection.dataset, inspection.splits
    total = sum(dataset.counts().values())
    facts = (
        f"{total:,} rows of {dataset.size} x {dataset.size} pixels, {dataset.skipped() - inspection.rejected:,} inputs "
        f"left out{_by_hand(inspection)}; "
        f"scheme {plain(dataset.scheme.name)} with {len(dataset.scheme)} classes"
    )
    share = [(name, f"{one.rows:,}", f"{one.rows / total:.1%}") for name, one in splits.items()]
    return {
        "title": escape(plain(inspection.folder.resolve().name)),
        "facts": escape(facts),
        "splits": table(("split", "rows", "share"), share),
        "attributes": attributes_section(inspection),
        "regions": regions_section(inspection),
        "expected": expected_section(inspection),
        "masks": "".join(figure(one.mean_mask(), name) for name, one in splits.items()),
        "pose": pose_section(inspection),
        "detectors": detectors_section(inspection),
        "quality": quality_section(inspection),
        "doubtful_total": f"{inspection.doubtful_total:,}",
        "rules": rules_section(inspection),
        "doubtful": doubtful_sheet(inspection, rows),
        "random": random_sheet(inspection, rows, seed),
    }
