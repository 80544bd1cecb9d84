"""The sections of the report that are tables and charts, as HTML; whatever comes from a data set is escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from maskkit.detection.cascade import STEPS
from maskkit.files.plain_text import plain
from maskkit.report.charts import COLORS, bar, distribution
from maskkit.report.doubtful import FEWEST, RULES, SHAKY
from maskkit.report.inspection import Inspection

POSE_CHARTS = {
    "yaw": ("Yaw: the nose's tip beside the middle of the eyes, in eye distances", -1.0, 1.0),
    "roll": ("Roll: the line of the eyes falls to the right, in degrees", -30.0, 30.0),
    "pitch": ("Pitch: the nose's tip between the eyes (0) and the upper lip (1)", 0.0, 1.0),
    "mouth": ("Mouth: gap of the inner lips, in distances of the outer eye corners", 0.0, 0.5),
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of plain text."""
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return table_head(head) + lines + "</tbody></table>"


def table_head(head: Sequence[str]) -> str:
    """The beginning of a table, up to its first row."""
    return "<table><thead><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr></thead><tbody>"


def attributes_section(inspection: Inspection) -> str:
    """The rows of each split that have an attribute."""
    names = inspection.dataset.attribute_names
    if not names:
        return "<p>The rows have no attributes.</p>"
    lines = []
    for number, name in enumerate(names):
        cells = []
        for one in inspection.splits.values():
            share = one.ones[number] / one.rows
            cells.append(f"<td>{one.ones[number]:,} ({share:.1%}){bar(share)}</td>")
        lines.append(f"<tr><td>{escape(plain(name))}</td>{''.join(cells)}</tr>")
    return table_head(("attribute", *inspection.splits)) + "".join(lines) + "</tbody></table>"


def regions_section(inspection: Inspection) -> str:
    """The share of the picture of each class."""
    lines = []
    for region in inspection.dataset.scheme.regions:
        color = "#" + bytes(region.color).hex()
        cells = ""
        for one in inspection.splits.values():
            areas = one.areas[region.name]
            ends = f"{areas.quantile(0.01):.2%} \u2013 {areas.quantile(0.99):.2%}"
            cells += f"<td>{areas.mean:.2%}</td><td>{ends}</td><td>{one.absent[region.name]:,}</td>"
        swatch = f'<span class="swatch" style="background:{color}"></span>'
        lines.append(f"<tr><td>{swatch}{escape(plain(region.name))}</td>{cells}</tr>")
    heads = [f"{split}: {what}" for split in inspection.splits for what in ("mean", "98 %", "absent")]
    return table_head(("class", *heads)) + "".join(lines) + "</tbody></table>"


def expected_section(inspection: Inspection) -> str:
    """For the scheme `scgan`, the mean shares beside those of the layouts that the paper's page shows."""
    lines: dict[tuple[str, ...], list[str]] = {}
    ranges: dict[tuple[str, ...], str] = {}
    for one in inspection.splits.values():
        for entry in one.expected_areas():
            mark = "" if entry["inside"] else ' class="outside"'
            lines.setdefault(entry["regions"], []).append(f"<td{mark}>{entry['mean']:.2%}</td>")
            ranges[entry["regions"]] = f"{entry['least']:.1%} \u2013 {entry['largest']:.1%}"
    if not lines:
        return ""
    body = "".join(
        f"<tr><td>{escape(' + '.join(names))}</td><td>{ranges[names]}</td>{''.join(cells)}</tr>"
        for names, cells in lines.items()
    )
    note = "<p>Mean shares, and the range of the five layouts on the SCGAN paper's project page; red lies outside.</p>"
    return note + table_head(("regions", "expected", *inspection.splits)) + body + "</tbody></table>"


def pose_section(inspection: Inspection) -> str:
    """Charts of how heads are turned and mouths opened."""
    charts = []
    for name, (title, low, high) in POSE_CHARTS.items():
        histograms = {split: one.pose[name] for split, one in inspection.splits.items() if one.pose[name].total}
        if histograms:
            drawn = distribution(title, histograms, low, high)
            charts.append(f"<figure>{drawn}<figcaption>{escape(title)}</figcaption></figure>")
    if not charts:
        return "<p>The rows have no points.</p>"
    legend = ", ".join(f'<span style="color:{COLORS[split]}">{split}</span>' for split in inspection.splits)
    note = f"<p>Share of the rows of {legend}; what lies beyond an axis is counted at its end.</p>"
    return f'{note}<div class="charts">{"".join(charts)}</div>'


def detectors_section(inspection: Inspection) -> str:
    """How many rows each step of the detector found."""
    found = {step for one in inspection.splits.values() for step in one.detectors}
    steps = [*(step for step in STEPS if step in found), *sorted(found.difference(STEPS))]
    if not steps:
        return "<p>The rows have no points.</p>"
    counts = [(plain(step), *(f"{one.detectors[step]:,}" for one in inspection.splits.values())) for step in steps]
    return table(("step", *inspection.splits), counts)


def quality_section(inspection: Inspection) -> str:
    """How far the points of the rows move with the box of their face; nothing where no row has a quality."""
    histograms = {split: one.quality for split, one in inspection.splits.items() if one.quality.total}
    if not histograms:
        return "<p>The rows have no quality scores; maskkit build-celeba and build-folder give them with --quality.</p>"
    title = "Quality: how far points move when the box is shifted by 5 %, in distances of the outer eye corners"
    drawn = distribution(title, histograms, 0.0, 2 * SHAKY)
    lines = [
        (split, f"{one.mean:.3f}", f"{one.quantile(0.5):.3f}", f"{one.quantile(0.99):.3f}", f"{one.missing:,}")
        for split, one in histograms.items()
    ]
    note = f"<p>0 is best; above {SHAKY:g} a row is doubtful. What lies beyond the axis is counted at its end.</p>"
    chart = f'<div class="charts"><figure>{drawn}<figcaption>{escape(title)}</figcaption></figure></div>'
    return note + chart + table(("split", "mean", "median", "99 %", "without"), lines)


def rules_section(inspection: Inspection) -> str:
    """The rules by which rows are doubtful, and how many rows meet each."""
    lines = [(f"{rule}: {text}", f"{inspection.doubtful_rules.get(rule, 0):,}") for rule, text in RULES.items()]
    note = f"<p>A row is doubtful by any of these rules; the first three need {FEWEST} rows in the split.</p>"
    return note + table(("rule", "rows"), lines)
