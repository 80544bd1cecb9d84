"""The commands `gan evaluate` and `gan compare`: the measures of one run, and of several in one table."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from cli.gan.options import DEVICE, NAMES, OUT, OVERWRITE, RUN, RUNS, SEED, split_names
from cli.shared import Advance, as_json, print_json, progress, say
from gan.names import MEASURES
from maskkit.files.outputs import owned
from maskkit.files.plain_text import for_terminal, plain

if TYPE_CHECKING:
    from gan.evaluation.report import Figure, Report
    from gan.evaluation.work import OnProgress

PLAIN_WIDTH = 140  # of the table where standard output is no terminal
COUNT = click.option(
    "--count", default=2000, show_default=True, type=click.IntRange(2), help="Rows of val and test, at most."
)
ONLY = click.option("--only", help=f"Parts to do, with commas: {', '.join(MEASURES)}; by default all.")
JUDGE_STEPS = click.option(
    "--judge-steps", default=1000, show_default=True, type=click.IntRange(1), help="Batches a judge learns from."
)
JUDGE_SHARDS = click.option(
    "--judge-shards", type=click.Path(path_type=Path),
    help="Shards whose train rows teach the judges, best photos that no run has seen; by default SHARDS.",
)  # fmt: skip


@click.command()
@RUN
@click.argument("shards", type=click.Path(path_type=Path))
@COUNT
@ONLY
@click.option("--judges", type=click.Path(path_type=Path), help="Folder of trained judges; by default RUN/judges.")
@JUDGE_STEPS
@JUDGE_SHARDS
@click.option(*OUT, type=click.Path(dir_okay=False, path_type=Path), help="JSON file to write as well.")
@click.option("--latex", is_flag=True, help="Print a row of a LaTeX table instead.")
@SEED
@DEVICE
@OVERWRITE
@as_json
def evaluate(
    run_folder: Path, shards: Path, count: int, only: str | None, judges: Path | None, judge_steps: int,
    judge_shards: Path | None, output: Path | None, latex: bool, seed: int, device: str, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Measure RUN on the val and test rows of SHARDS, and print each figure with its recipe.

    RUN is a run's folder, a checkpoint file or an exported .safetensors file. Independent judges are trained on the
    train rows, of SHARDS or of other shards, once and kept.

    Example: gan evaluate run shards -o figures.json
    """
    import gan
    from gan.evaluation.report import check_report

    if latex and as_json:
        raise click.UsageError("--latex and --json both say what to print; take one")
    with ExitStack() as stack:
        if output is not None:
            check_report(output, overwrite, run_folder, [shards, *filter(None, (judges, judge_shards))])
            stack.enter_context(owned(output))
        with bars() as on_progress:
            report = gan.evaluate_run(
                run_folder, shards, only=measures_of(only), count=count, seed=seed, judges=judges,
                judge_steps=judge_steps, judge_shards=judge_shards, device=device, on_progress=on_progress,
            )  # fmt: skip
        if as_json:
            print_json(report.to_dict())
        elif latex:
            say(report.to_latex(run_folder.resolve().name))
        else:
            _print_table(report)
        seconds = ", ".join(f"{part} {spent:.1f} s" for part, spent in report.seconds.items())
        say(seconds, err=True)
        if output is not None:
            report.write(output, overwrite)  # last, so that nothing is lost where it cannot be written


@click.command()
@RUNS
@click.argument("shards", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", "--output", "outputs", multiple=True, required=True, type=click.Path(path_type=Path),
    help="File to write: .txt, .json, .tex or .html; repeatable.",
)  # fmt: skip
@NAMES
@COUNT
@ONLY
@click.option(
    "--judges", type=click.Path(path_type=Path),
    help="Folder of trained judges; by default the folder judges beside the first output.",
)  # fmt: skip
@JUDGE_STEPS
@JUDGE_SHARDS
@SEED
@DEVICE
@OVERWRITE
@as_json
def compare(
    runs: tuple[Path, ...], shards: Path, outputs: tuple[Path, ...], names: tuple[str, ...], count: int,
    only: str | None, judges: Path | None, judge_steps: int, judge_shards: Path | None, seed: int, device: str,
    overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Measure several RUNs on the same val and test rows of SHARDS by the same judges, and write one table.

    The .html is one page with pictures of some faces by each run. What a run cannot be measured by is a dash with its
    reason; floor and ceiling are what chance gets and what real photos would.

    Example: gan compare scgan pix2pix spade shards -o table.html -o table.tex
    """
    import gan

    compare_runs = gan.compare_runs  # before anything else, so that a missing torch is a sentence
    from gan.experiments.compare import check_outputs

    kept = outputs[0].parent / "judges" if judges is None else judges
    check_outputs(outputs, overwrite, runs, [shards, kept, *filter(None, [judge_shards])])
    with ExitStack() as stack:
        for output in outputs:
            stack.enter_context(owned(output))
        with bars() as on_progress:
            comparison = compare_runs(
                runs, shards, names=names, only=measures_of(only), count=count, seed=seed, judges=kept,
                judge_steps=judge_steps, judge_shards=judge_shards, device=device, on_progress=on_progress,
            )  # fmt: skip
        if as_json:
            print_json(comparison.to_dict())
        else:
            say(comparison.to_text().removesuffix("\n"))
        for output in outputs:
            comparison.write(output, overwrite)


def measures_of(only: str | None) -> tuple[str, ...]:
    """Give the parts that `--only` names, all by default."""
    return MEASURES if only is None else split_names(only) or ()


@contextmanager
def bars() -> Iterator["OnProgress"]:
    """Give a callback that shows a bar for each title in turn."""
    with ExitStack() as stack:
        shown: list[tuple[str, Advance]] = []

        def show(title: str, done: int, total: int, note: str = "") -> None:
            if not shown or shown[-1][0] != title:
                stack.close()
                shown.append((title, stack.enter_context(progress(title, total))))
            shown[-1][1](done, note, total)

        yield show


def _print_table(report: "Report") -> None:
    console = Console(markup=False, emoji=False)  # names of attributes are no markup
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    about = report.about
    table = Table(title=f"step {about['step']}, {about['measured']} rows, {about['size']} pixels, seed {about['seed']}")
    for column in ("measure", "value", "n", "recipe"):
        table.add_column(column, justify="right" if column in ("value", "n") else "left")
    part = None
    for figure in report.figures.values():
        if part not in (None, figure.key.split("/")[0]):
            table.add_section()
        part = figure.key.split("/")[0]
        table.add_row(plain(figure.key), f"{figure.value:.4f}", str(figure.count), for_terminal(_explained(figure)))
    console.print(table)
    for name, judge in about["judges"].items():
        kind = f", {judge['recipe']['kind']}" if "recipe" in judge else ""
        console.print(f"{name}: SHA-256 {judge['sha256']}{kind}", soft_wrap=True, highlight=False)
    if any("recipe" in judge for judge in about["judges"].values()):
        taught = about["judges_learned_from"]
        where = for_terminal(f"judges learned from {taught['count']} train rows of {taught['shards']}")
        console.print(where, soft_wrap=True, highlight=False)
    for key, reason in report.left_out.items():
        console.print(for_terminal(f"left out: {key}: {reason}"), soft_wrap=True, highlight=False)


def _explained(figure: "Figure") -> str:
    by = ", ".join(f"{name} {value:.3f}" for name, value in figure.by.items())
    return f"{figure.recipe}\n{by}" if by else figure.recipe
