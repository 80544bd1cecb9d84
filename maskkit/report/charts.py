"""Small drawings of the report, as SVG that stands in the page."""

from html import escape

from maskkit.report.histogram import Histogram

COLORS = {"train": "#2563eb", "val": "#d97706", "test": "#16a34a"}  # by split
WIDTH, HEIGHT, BINS = 320, 120, 48
FLOOR = HEIGHT - 18  # above the numbers of the axis


def distribution(title: str, histograms: dict[str, Histogram], low: float, high: float) -> str:
    """One curve for each split: the share of its rows in each of 48 stretches from `low` to `high`."""
    curves = {split: histogram.coarse(low, high, BINS) for split, histogram in histograms.items()}
    highest = max((share for curve in curves.values() for share in curve), default=0) or 1
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    parts.append(f'<line x1="0" y1="{FLOOR}" x2="{WIDTH}" y2="{FLOOR}" stroke="#999"/>')
    for split, curve in curves.items():
        corners = [f"0,{FLOOR}"]
        for number, share in enumerate(curve):
            y = FLOOR - share / highest * (FLOOR - 6)
            corners += [f"{number * WIDTH / BINS:.1f},{y:.1f}", f"{(number + 1) * WIDTH / BINS:.1f},{y:.1f}"]
        line = " ".join([*corners, f"{WIDTH},{FLOOR}"])
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLORS[split]}" stroke-width="1.5"/>')
    for x, anchor, value in ((0, "start", low), (WIDTH / 2, "middle", (low + high) / 2), (WIDTH, "end", high)):
        parts.append(f'<text x="{x:g}" y="{HEIGHT - 4}" text-anchor="{anchor}">{value:g}</text>')
    return "".join([*parts, "</svg>"])


def bar(share: float) -> str:
    """A bar of this share of its cell."""
    width = 100 * min(1.0, max(0.0, share)) if share == share else 0
    return f'<span class="bar"><span style="width:{width:.1f}%"></span></span>'
