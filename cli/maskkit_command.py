"""The command `maskkit`: photos to points, masks, morphs and shards."""

from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Table

import maskkit
from cli.maskkit.build import build_celeba, build_folder
from cli.maskkit.exchange import export_command, import_command
from cli.maskkit.inspect import inspect
from cli.maskkit.morph import morph
from cli.maskkit.photos import landmarks, segment
from cli.maskkit.studio import correct, studio
from cli.shared import as_json, print_json, progress, run, say
from maskkit.doctor import examine

FOLDER = click.Path(file_okay=False, path_type=Path)


def main() -> NoReturn:
    """Entry point of the console script."""
    run(group)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(maskkit.__version__)
def group() -> None:
    """Region masks from facial landmarks, morphs between faces, and packed data sets."""


@group.command()
@click.argument("shards", type=FOLDER)
@as_json
def verify(shards: Path, as_json: bool) -> int:
    """Check that a data set keeps its promises: checksums, shapes, labels, masks that equal their points' masks.

    \b
    Example:
      maskkit verify shards
    """
    with progress("verifying") as advance:
        result = maskkit.verify(shards, lambda done, total: advance(done, total=total))
    if as_json:
        print_json(asdict(result))
    else:
        counts = f"{result.rows:,} rows in {result.shards} shards, {result.skipped} inputs left out"
        say(f"{shards} is sound: {counts}")
    return 0


@group.command()
@as_json
def doctor(as_json: bool) -> int:
    """Tell what is installed, which models are found, what is missing and how to get it.

    \b
    Example:
      maskkit doctor
    """
    findings = examine()
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
        return 0
    console = Console(width=None if Console().is_terminal else 160, markup=False, highlight=False)
    table = Table("", "what", "detail", "needed for", box=None)
    for one in findings:
        table.add_row("ok" if one.found else "--", one.name, one.detail if one.found else "see below", one.purpose)
    console.print(table)
    for one in findings:
        if not one.found:  # below the table, so that a command can be copied in one piece
            console.print(f"\n{one.name}: {one.detail}", soft_wrap=True)
    return 0


group.add_command(build_celeba)
group.add_command(build_folder)
group.add_command(landmarks)
group.add_command(segment)
group.add_command(morph)
group.add_command(inspect)
group.add_command(correct)
group.add_command(studio)
group.add_command(export_command)
group.add_command(import_command)
