"""The command `gan evaluate`: the measures of a run."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from cli.gan_options import DEVICE, OUT, OVERWRITE, RUN, SEED, split_names
from cli.shared import Advance, as_json, print_json, progress, say
from gan.names import MEASURES
from maskkit.files.outputs import owned
from maskkit.files.plain_text import for_terminal, plain

if TYPE_CHECKING:
    from gan.evaluation.report import Figure, Report
    from gan.evaluation.work import OnProgress

PLAIN_WIDTH = 140  # of the table where standard output is no terminal


@click.command()
@RUN
@click.argument("shards", type=click.Path(path_type=Path))
@click.option("--count", default=2000, show_default=True, type=click.IntRange(2), help="Rows of val and test, at most.")
@click.option("--only", help=f"Parts to do, with commas: {', '.join(MEASURES)}; by default all.")
@click.option("--judges", type=click.Path(path_type=Path), help="Folder of trained judges; by default RUN/judges.")
@click.option(
    "--judge-steps", default=1000, show_default=True, type=click.IntRange(1), help="Batches a judge learns from."
)
@click.option(*OUT, type=click.Path(dir_okay=False, path_type=Path), help="JSON file to write as well.")
@click.option("--latex", is_flag=True, help="Print a row of a LaTeX table instead.")
@SEED
@DEVICE
@OVERWRITE
@as_json
def evaluate(
    run_folder: Path, shards: Path, count: int, only: str | None, judges: Path | None, judge_steps: int,
    output: Path | None, latex: bool, seed: int, device: str, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Measure RUN on the val and test rows of SHARDS, and print each figure with its recipe.

    RUN is a run's folder, a checkpoint file or an exported .safetensors file. Independent judges are trained on the
    train rows once and kept.

    Example: gan evaluate run shards -o figures.json
    """
    import gan
    from gan.evaluation.report import check_report

    if latex and as_json:
        raise click.UsageError("--latex and --json both say what to print; take one")
    parts = MEASURES if only is None else split_names(only) or ()
    with ExitStack() as stack:
        if output is not None:
            check_report(output, overwrite, run_folder, [shards, *([judges] if judges else [])])
            stack.enter_context(owned(output))
        with _bars() as on_progress:
            report = gan.evaluate_run(
                run_folder, shards, only=parts, count=count, seed=seed, judges=judges, judge_steps=judge_steps,
                device=device, on_progress=on_progress,
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


@contextmanager
def _bars() -> Iterator["OnProgress"]:
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
        console.print(f"{name}: SHA-256 {judge['sha256']}", soft_wrap=True, highlight=False)
    for key, reason in report.left_out.items():
        console.print(for_terminal(f"left out: {key}: {reason}"), soft_wrap=True, highlight=False)


def _explained(figure: "Figure") -> str:
    by = ", ".join(f"{name} {value:.3f}" for name, value in figure.by.items())
    return f"{figure.recipe}\n{by}" if by else figure.recipe
