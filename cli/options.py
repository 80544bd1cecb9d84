"""Options that both commands share."""

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object of results on standard output.")
