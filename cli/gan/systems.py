"""The command `gan systems`: what can be trained."""

import click
from rich.console import Console
from rich.table import Table

from cli.shared import as_json, print_json

INPUTS = {"z": "z (latent)", "c": "c (attributes)", "s": "s (layout)", "x": "x (picture)"}
PLAIN_WIDTH = 140  # of the table where standard output is no terminal


@click.command()
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
