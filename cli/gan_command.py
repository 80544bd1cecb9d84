"""The command `gan`: arguments and progress; what is done stands in the package `gan`."""

import os
from typing import NoReturn

import click

import maskkit
from cli.gan.export import export, import_release
from cli.gan.figures import figure
from cli.gan.fit import fit
from cli.gan.measures import compare, evaluate
from cli.gan.pictures import layouts, render, sample
from cli.gan.reproduce import reproduce
from cli.gan.systems import systems
from cli.shared import run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(maskkit.__version__)
def group() -> None:
    """Train SCGAN, or a system beside it, on shards made by maskkit, and make pictures and sequences with it."""


group.add_command(systems)
group.add_command(fit)
group.add_command(sample)
group.add_command(render)
group.add_command(layouts)
group.add_command(export)
group.add_command(import_release)
group.add_command(figure)
group.add_command(evaluate)
group.add_command(compare)
group.add_command(reproduce)


def main() -> NoReturn:
    """Run the command line."""
    # The threads of GNU OpenMP spin for milliseconds while they wait for each other. Beside another busy process that
    # makes training on two cores seven times slower; a short spin costs a quarter on an idle machine. libgomp reads
    # this when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    run(group)
