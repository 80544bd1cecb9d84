"""The command `gan`: arguments and progress; what is done stands in the package `gan`."""

import os
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Table

from cli.gan_export import export, import_release
from cli.gan_figures import figure
from cli.gan_fit import fit
from cli.gan_measures import evaluate
from cli.gan_pictures import render, sample
from cli.shared import as_json, print_json, run

INPUTS = {"z": "z (latent)", "c": "c (attributes)", "s": "s (layout)", "x": "x (picture)"}
PLAIN_WIDTH = 140  # of the table where standard output is no terminal


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Train SCGAN, or a system beside it, on shards made by maskkit, and make pictures and sequences with it."""


@group.command()
@as_json
def systems(as_json: bool) -> None:
    """List the systems that can be trained: what each generator takes, its presets, its paper.

    Example: gan systems
    """
    import gan

    found = gan.list_systems()
    if as_json:
        print_json({"systems": [one.to_dict() for one in found]})
        return
    console = Console(markup=False, emoji=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    table = Table()
    for column in ("--system", "takes", "layouts and photos", "presets", "paper"):
        table.add_column(column)
    for one in found:
        takes = ", ".join(INPUTS[name] for name in one.takes)
        table.add_row(one.name, takes, one.pairing, ", ".join(one.presets), one.paper)
    console.print(table)


group.add_command(fit)
group.add_command(sample)
group.add_command(render)
group.add_command(export)
group.add_command(import_release)
group.add_command(figure)
group.add_command(evaluate)


def main() -> NoReturn:
    """Run the command line."""
    # The threads of GNU OpenMP spin for milliseconds while they wait for each other. Beside another busy process that
    # makes training on two cores seven times slower; a short spin costs a quarter on an idle machine. libgomp reads
    # this when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    run(group)
