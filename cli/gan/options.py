"""Options and arguments that several commands of `gan` share."""

from pathlib import Path

import click

DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace what is at the output.")
SEED = click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 2**63 - 1), help="Decides the latents."
)
SCALE = click.option("--scale", default=1, show_default=True, type=click.IntRange(1, 32), help="Repeat pixels.")
OUT = ("-o", "--out", "--output", "output")  # the last but one is the earlier name
OUTPUT = click.option(*OUT, required=True, type=click.Path(path_type=Path), help="File to write.")
RUN = click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
RUNS = click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
NAMES = click.option("--name", "names", multiple=True, help="Of each run in turn; by default its folder's.")


def split_names(text: str | None) -> tuple[str, ...] | None:
    """Split names at commas."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())
