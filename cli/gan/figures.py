"""The commands `gan figure NAME`: the pictures of the SCGAN paper from trained runs."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.gan.options import DEVICE, NAMES, OUTPUT, OVERWRITE, RUN, RUNS, SCALE, SEED, split_names
from cli.shared import as_json, print_json, say

if TYPE_CHECKING:
    from gan.figures.label_panels import LatentPer
    from gan.pictures.latents import LatentPath
    from gan.pictures.tiles import Picture

SHARDS = click.option(
    "--shards", type=click.Path(path_type=Path), help="Where the run's shards are now, if they moved."
)
LAYOUTS = click.option("--layout", "layouts", multiple=True, help="A photo, point file or shard row; repeatable.")
START = click.option("--from", "start", required=True, metavar="A", help="A photo, point file or shard row (x.h5#12).")
END = click.option("--to", "end", required=True, metavar="B", help="The same, for the last column.")
LABELS = click.option(
    "--attributes", "labels", multiple=True, help="A row with these attributes, with commas; repeatable."
)


ROWS = partial(click.option, "--rows", show_default=True, type=click.IntRange(1, 256))
COLUMNS = partial(click.option, "--columns", default=6, show_default=True)


@click.group()
def figure() -> None:
    """Draw the pictures of the SCGAN paper from trained runs."""


@figure.command()
@RUN
@OUTPUT
@SHARDS
@LAYOUTS
@ROWS(default=4, help="Layouts taken from the shards.")
@click.option(
    "--z-per", type=click.Choice(["row", "column"]), default="row", show_default=True, help="Where one latent holds."
)
@SEED
@SCALE
@DEVICE
@OVERWRITE
@as_json
def panels(
    run_folder: Path, output: Path, shards: Path | None, layouts: tuple[str, ...], rows: int, z_per: "LatentPer",
    seed: int, scale: int, device: str, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Layouts x labels (Figures 4 and 7): photo, layout, and the generated picture under each label.

    Labels are hair x gender x age for CelebA's five attributes, otherwise each attribute alone.

    Example: gan figure panels run -o panels.png --z-per column
    """
    from gan import figures

    picture = figures.panels(
        run_folder, output, shards=shards, layouts=layouts, rows=rows, z_per=z_per, seed=seed, scale=scale,
        device=device, overwrite=overwrite,
    )  # fmt: skip
    _report(output, picture, as_json)


@figure.command()
@RUN
@OUTPUT
@START
@END
@ROWS(default=4, help="Labels, spread over those of the panels.")
@COLUMNS(type=click.IntRange(2, 256), help="Layouts, both ends included.")
@LABELS
@SEED
@SCALE
@DEVICE
@OVERWRITE
@as_json
def smile(
    run_folder: Path, output: Path, start: str, end: str, rows: int, columns: int, labels: tuple[str, ...], seed: int,
    scale: int, device: str, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """From a closed mouth to a smile (Figure 5, NoSmile2Smile): a label and a latent in each row.

    Example: gan figure smile run --from closed.jpg --to smile.jpg -o smile.png --attributes Male,Young
    """
    from gan import figures

    picture = figures.smile(
        run_folder, start, end, output, rows=rows, columns=columns, attributes=_split(labels), seed=seed, scale=scale,
        device=device, overwrite=overwrite,
    )  # fmt: skip
    _report(output, picture, as_json)


@figure.command()
@RUN
@OUTPUT
@START
@END
@ROWS(default=4, help="Latents, both ends included.")
@COLUMNS(type=click.IntRange(2, 256), help="Layouts, both ends included.")
@click.option("--attributes", help="Names of the attributes that are 1, with commas; by default the first label's.")
@SEED
@click.option("--seed-to", type=click.IntRange(0, 2**63 - 1), help="Decides the last row's latent.  [default: next]")
@click.option(
    "--path", type=click.Choice(["linear", "spherical"]), default="linear", show_default=True,
    help="Way between the latents.",
)  # fmt: skip
@SCALE
@DEVICE
@OVERWRITE
@as_json
def turn(
    run_folder: Path, output: Path, start: str, end: str, rows: int, columns: int, attributes: str | None, seed: int,
    seed_to: int | None, path: "LatentPath", scale: int, device: str, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Latents x pose (Figure 6, Left2Right): rows go from one latent to another, columns from face A to face B.

    Example: gan figure turn run --from left.jpg --to right.jpg -o turn.png --attributes Young
    """
    from gan import figures

    picture = figures.turn(
        run_folder, start, end, output, rows=rows, columns=columns, attributes=split_names(attributes), seed=seed,
        seed_to=seed_to, path=path, scale=scale, device=device, overwrite=overwrite,
    )  # fmt: skip
    _report(output, picture, as_json)


@figure.command()
@RUNS
@OUTPUT
@NAMES
@SHARDS
@LAYOUTS
@ROWS(default=2, help="Labels and latents for each run.")
@COLUMNS(type=click.IntRange(1, 256), help="Layouts taken from the shards.")
@LABELS
@SEED
@SCALE
@DEVICE
@OVERWRITE
@as_json
def compare(
    runs: tuple[Path, ...], output: Path, names: tuple[str, ...], shards: Path | None, layouts: tuple[str, ...],
    rows: int, columns: int, labels: tuple[str, ...], seed: int, scale: int, device: str, overwrite: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """The same layouts, labels and latents through several runs (Figures 8 and 9), a block of rows for each.

    Example: gan figure compare joint-run frozen-run --name joint --name frozen -o compare.png
    """
    from gan import figures

    picture = figures.compare(
        runs, output, names=names, shards=shards, layouts=layouts, rows=rows, columns=columns,
        attributes=_split(labels), seed=seed, scale=scale, device=device, overwrite=overwrite,
    )  # fmt: skip
    _report(output, picture, as_json)


@figure.command()
@RUNS
@OUTPUT
@NAMES
@click.option("--scale", default=1, show_default=True, type=click.IntRange(1, 8), help="Enlarge the figure.")
@OVERWRITE
@as_json
def losses(
    runs: tuple[Path, ...], output: Path, names: tuple[str, ...], scale: int, overwrite: bool, as_json: bool
) -> None:
    """Loss curves, shares of the components in the last epoch, and a sample's progress (Figure 10).

    Example: gan figure losses run -o losses.png
    """
    from gan import figures

    drawn = figures.losses(runs, output, names=names, scale=scale, overwrite=overwrite)
    _report(output, drawn.picture, as_json, shares=drawn.shares)


def _split(labels: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [split_names(names) or () for names in labels]


def _report(output: Path, picture: "Picture", as_json: bool, **more: object) -> None:
    height, width = picture.shape[:2]
    if as_json:
        print_json({"output": str(output), "width": width, "height": height, **more})
    else:
        say(f"{output}: {width} x {height} pixels", err=True)
