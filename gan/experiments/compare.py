"""Several runs measured on the same rows by the same judges, as one table with pictures."""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gan.errors import InputError, explained
from gan.evaluation.measures import evaluate_run
from gan.evaluation.report import OWN_SEGMENTOR, Report, check_report
from gan.evaluation.work import OnProgress, silent
from gan.experiments.faces import draw_faces
from gan.experiments.page import make_page
from gan.experiments.table import Table, build_table
from gan.names import MEASURES
from gan.pictures.several_runs import distinct_names, load_alike
from gan.runs.loading import LoadedGenerator
from maskkit.files.atomic import make_folder, write_atomically
from maskkit.files.outputs import refuse_existing
from maskkit.files.plain_text import LONGEST, plain


@dataclass(frozen=True)
class Comparison:
    """A table over runs, the reports by name that it was made from, and `pictures` of some faces by each, a PNG."""

    table: Table
    reports: dict[str, Report]
    pictures: bytes

    @property
    def about(self) -> dict[str, Any]:
        """What was measured, the same for all: shards, rows, image size, seed and the independent judges."""
        told = [report.about for report in self.reports.values()]
        judges = {name: judge for one in told for name, judge in one["judges"].items() if name != OWN_SEGMENTOR}
        shared = ("shards", "rows", "measured", "size", "seed", "judges_learned_from")
        return {key: told[0][key] for key in shared} | {"judges": judges}

    @property
    def heading(self) -> str:
        """Say in one line what the figures are of."""
        about = self.about
        return f"{about['measured']} rows of {about['shards']} at {about['size']} pixels, seed {about['seed']}"

    def to_text(self) -> str:
        """Give the table as text, with the judges' hashes below."""
        judges = "".join(f"{name}: SHA-256 {judge['sha256']}\n" for name, judge in self.about["judges"].items())
        return f"{plain(self.heading, LONGEST)}\n\n{self.table.to_text()}\n{judges}"

    def to_dict(self) -> dict[str, Any]:
        """Give plain types: what was measured, the table, and every report whole."""
        reports = {name: report.to_dict() for name, report in self.reports.items()}
        return {**self.about, **self.table.to_dict(), "reports": reports}

    def to_latex(self) -> str:
        """Give a tabular, and below it what its dashes mean."""
        return f"% {plain(self.heading, LONGEST)}\n{self.table.to_latex()}"

    def to_html(self, title: str = "", heading: str = "", more: str = "") -> str:
        """Give one page of HTML that needs nothing but itself, with what a report on more than this says of it."""
        told = heading or self.heading
        return make_page(self.table, self.reports, self.pictures, told, self.about["judges"], title, more)

    def write(self, path: str | Path, overwrite: bool = False) -> None:
        """Write it as the name's ending says: .txt, .json, .tex or .html. Raises InputError, maskkit's OutputError."""
        path = Path(path)
        content = FORMS[_form(path)](self).encode()
        refuse_existing(path, overwrite)
        make_folder(path.parent)
        write_atomically(path, lambda file: file.write(content), overwrite=overwrite)


FORMS = {
    ".txt": Comparison.to_text,
    ".json": lambda comparison: json.dumps(comparison.to_dict(), indent=1, allow_nan=False) + "\n",
    ".tex": Comparison.to_latex,
    ".html": Comparison.to_html,
}


@explained("comparing", "take fewer rows (--count)")
def compare_runs(
    runs: Sequence[str | Path],
    shards: str | Path,
    *,
    names: Sequence[str] = (),
    only: Collection[str] = MEASURES,
    count: int | None = 2000,
    seed: int = 0,
    judges: str | Path | None = None,
    judge_steps: int = 1000,
    judge_shards: str | Path | None = None,
    device: str = "auto",
    on_progress: OnProgress = silent,
) -> Comparison:
    """Measure runs one after the other as `evaluate_run` does, and put their figures into one table with pictures.

    All are measured on the same rows with the same seed by the same judges, which are trained once and kept in
    `judges`, or by default nowhere. `names` stand for the runs, by default their folders'. `on_progress` is told the
    run's name with what is being done. Raises InputError where runs make pictures of other kinds or have one name, and
    as `evaluate_run`.
    """
    called = distinct_names(runs, names)
    generators = load_alike(runs, device)
    reports: dict[str, Report] = {}
    with _kept(judges) as folder:
        for name, run in zip(called, runs, strict=True):
            reports[name] = evaluate_run(
                run, shards, only=only, count=count, seed=seed, judges=folder, judge_steps=judge_steps,
                judge_shards=judge_shards, device=device, on_progress=_with_name(on_progress, name),
            )  # fmt: skip
    facts = {
        name: _facts(generator, report)
        for (name, report), generator in zip(reports.items(), generators, strict=True)
    }  # fmt: skip
    table = build_table(reports, only, facts)
    measured = reports[called[0]].about["measured"]
    return Comparison(table, reports, draw_faces(generators, called, shards, measured, seed))


def check_outputs(paths: Sequence[Path], overwrite: bool, runs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Raise GanError or maskkit's OutputError for names that no comparison can have, before any work."""
    for i, path in enumerate(paths):
        _form(path)
        if path.is_dir():
            raise InputError(f"{path} is a folder; give another name")
        if path.resolve() in [other.resolve() for other in paths[:i]]:
            raise InputError(f"{path} is named twice; give each form a name of its own")
        for run in runs:
            check_report(path, overwrite, run, inputs)


def _form(path: Path) -> str:
    if path.suffix.lower() not in FORMS:
        raise InputError(f"{path}: a comparison is written as .txt, .json, .tex or .html; give a name that ends in one")
    return path.suffix.lower()


@contextmanager
def _kept(judges: str | Path | None) -> Iterator[Path]:
    """Give the folder of the judges, or one that is gone at the end."""
    if judges is not None:
        yield Path(judges)
        return
    with TemporaryDirectory(prefix="judges-") as folder:
        yield Path(folder)


def _with_name(on_progress: OnProgress, name: str) -> OnProgress:
    def tell(title: str, done: int, total: int, note: str = "") -> None:
        on_progress(f"{name}: {title}", done, total, note)

    return tell


def _facts(generator: LoadedGenerator, report: Report) -> dict[str, str]:
    return {"system": generator.title, "step": str(report.about["step"]), "seed": str(generator.settings.seed)}
