"""Figures with their recipes, and what was left out with its reason."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from gan.errors import InputError
from gan.runs.run_folder import check_beside
from maskkit.files.atomic import make_folder, write_atomically
from maskkit.files.outputs import refuse_existing

OWN_SEGMENTOR = "own segmentor"  # which is another in every run


class Column(NamedTuple):
    """One column of a table: what stands over it, the figure in it and its decimals, and which way is better.

    `floor` and `ceiling` are what chance and what real photos would get: a figure's key, a number that the measure
    has by its definition, or None where there is none.
    """

    title: str
    key: str
    decimals: int
    better: Literal["higher", "lower"]
    floor: str | float | None = None
    ceiling: str | float | None = None


_SEEN, _ASKED = "consistency/independent/", "attributes/accuracy_"
COLUMNS = (
    Column("mIoU", f"{_SEEN}mean_iou_generated", 3, "higher", None, f"{_SEEN}mean_iou_real"),
    Column("pAcc", f"{_SEEN}value", 4, "higher", f"{_SEEN}floor", f"{_SEEN}ceiling"),
    Column("share of the way", f"{_SEEN}share", 3, "higher", 0.0, 1.0),
    Column("landmark error", "landmarks/error_generated", 4, "lower", "landmarks/error_other_face",
           "landmarks/error_real"),
    Column("mouth r", "landmarks/mouth_r", 3, "higher", "landmarks/mouth_r_still_over_frames", 1.0),
    Column("attributes", f"{_ASKED}generated", 3, "higher", f"{_ASKED}guessed", f"{_ASKED}real"),
    Column("edited", "attributes/edited", 3, "higher"),
    Column("FID", "features/fid_generated", 2, "lower", None, "features/fid_real"),
    Column("classifier Frechet distance", "features/classifier_frechet_generated", 2, "lower", None,
           "features/classifier_frechet_real"),
    Column("MS-SSIM over z", "diversity/ms_ssim_z", 3, "lower", 1.0),
    Column("background ratio", "decoupling/background_ratio", 3, "lower"),
)  # fmt: skip
_LATEX = str.maketrans(
    {letter: f"\\{letter}" for letter in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}"}
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

    def why_missing(self, key: str) -> str:
        """Say why there is no such figure: what is said of it, or else all that is said of its part."""
        if key in self.figures:
            return "it has no value on these rows"
        part = key.split("/")[0]
        said = {name: reason for name, reason in self.left_out.items() if name.split("/")[0] == part}
        of_it = [reason for name, reason in said.items() if any(map(key.startswith, _named(name)))]
        return "; ".join(dict.fromkeys(of_it or said.values())) or "it was not measured"

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
        cells = [_cell(self.figures.get(column.key), column.decimals) for column in COLUMNS]
        header = " & ".join(["name", *(column.title for column in COLUMNS)])
        judges = ", ".join(f"{judge} {sha256}" for judge, sha256 in self.judges().items()) or "no judges"
        return f"% {judges}\n% {header}\n{' & '.join([escape_latex(name), *cells])} \\\\"


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


def _named(left_out: str) -> list[str]:
    """Give the beginnings of keys that a reason is about: "features/fid, kid" are features/fid and features/kid."""
    part, _, names = left_out.partition("/")
    return [f"{part}/{name}" for name in names.split(", ")] if names else [part]


def escape_latex(text: str) -> str:
    """Write a text so that LaTeX prints it as it is."""
    return text.translate(_LATEX)
