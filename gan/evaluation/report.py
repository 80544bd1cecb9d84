"""Figures with their recipes, and what was left out with its reason."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan.errors import InputError
from gan.runs.run_folder import check_beside
from maskkit.files.atomic import make_folder, write_atomically
from maskkit.files.outputs import refuse_existing

OWN_SEGMENTOR = "own segmentor"  # which is another in every run
# One row of a LaTeX table: what stands over a column, the figure in it, and its decimals.
COLUMNS = (
    ("mIoU", "consistency/independent/mean_iou_generated", 3),
    ("pAcc", "consistency/independent/value", 4),
    ("share of the way", "consistency/independent/share", 3),
    ("landmark error", "landmarks/error_generated", 4),
    ("mouth r", "landmarks/mouth_r", 3),
    ("attributes", "attributes/accuracy_generated", 3),
    ("edited", "attributes/edited", 3),
    ("FID", "features/fid_generated", 2),
    ("classifier Frechet distance", "features/classifier_frechet_generated", 2),
    ("MS-SSIM over z", "diversity/ms_ssim_z", 3),
    ("background ratio", "decoupling/background_ratio", 3),
)
_LATEX = str.maketrans(
    {letter: f"\\{letter}" for letter in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


@dataclass(frozen=True)
class Figure:
    """One measured value: `key` is part/name, `count` how many images, pairs or frames it is taken over.

    `by` breaks it down, by class, attribute or group of points; `recipe` says in one line how it is made.
    """

    key: str
    value: float
    count: int
    recipe: str
    by: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Report:
    """Everything that one evaluation found, free of clocks but for `seconds`, which `to_dict` leaves out.

    `about` says what was measured, on which rows, by which judges; `left_out` why a part or some of it is missing.
    """

    about: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, key: str, value: float, count: int, recipe: str, by: Mapping[str, float] | None = None) -> None:
        """Add a figure."""
        self.figures[key] = Figure(key, float(value), count, recipe, by or {})

    def leave_out(self, key: str, reason: str) -> None:
        """Say why a part, or some figures of it, are not there."""
        self.left_out[key] = reason

    def judges(self) -> dict[str, str]:
        """Give the SHA-256 of each judge trained apart, by its name."""
        used = self.about.get("judges", {})
        return {name: judge["sha256"] for name, judge in used.items() if name != OWN_SEGMENTOR}

    def to_dict(self) -> dict[str, Any]:
        """Give plain types; a figure that has no value, such as a share of no way, is None."""
        figures = {
            key: {
                "value": _finite(one.value),
                "count": one.count,
                "recipe": one.recipe,
                "by": {name: _finite(value) for name, value in one.by.items()},
            }
            for key, one in self.figures.items()
        }
        return {**self.about, "figures": figures, "left_out": self.left_out}

    def write(self, path: Path, overwrite: bool = True) -> None:
        """Write `to_dict` as JSON, atomically. Raises maskkit's OutputError."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        make_folder(path.parent)
        write_atomically(path, lambda file: file.write(text.encode()), overwrite=overwrite)

    def to_latex(self, name: str) -> str:
        """Give one row of a table, its judges and columns named in comments above it; what was left out is a dash.

        Only rows with the same judges belong in one table.
        """
        cells = [_cell(self.figures.get(key), decimals) for _, key, decimals in COLUMNS]
        header = " & ".join(["name", *(title for title, _, _ in COLUMNS)])
        judges = ", ".join(f"{judge} {sha256}" for judge, sha256 in self.judges().items()) or "no judges"
        return f"% {judges}\n% {header}\n{' & '.join([_escaped(name), *cells])} \\\\"


def check_same_judges(reports: Iterable[Report]) -> None:
    """Raise InputError, naming the runs, where judges of one name differ: no table may hold figures of both.

    A report in which a judge had nothing to do fits all others.
    """
    runs: dict[str, dict[str, list[str]]] = {}  # by judge and its SHA-256
    for report in reports:
        for name, sha256 in report.judges().items():
            runs.setdefault(name, {}).setdefault(sha256, []).append(str(report.about["run"]))
    for name, by_sha256 in runs.items():
        if len(by_sha256) > 1:
            who = "; ".join(f"{', '.join(some)} by {sha256[:12]}" for sha256, some in by_sha256.items())
            raise InputError(
                f"figures by different judges do not belong in one table, and the {name} (SHA-256) is not the same for "
                f"all: {who}. Evaluate these runs again with one folder of --judges, the same --judge-steps and the "
                "same --judge-shards"
            )


def check_report(path: Path, overwrite: bool, run: Path, inputs: Iterable[Path]) -> None:
    """Raise RunError or maskkit's OutputError for a name that no report can have, before any work."""
    check_beside(path, [run])
    refuse_existing(path, overwrite, [run, *inputs])


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _cell(figure: Figure | None, decimals: int) -> str:
    return "--" if figure is None or not math.isfinite(figure.value) else f"{figure.value:.{decimals}f}"


def _escaped(text: str) -> str:
    return text.translate(_LATEX)
