"""The commands of `gan` that make pictures and sequences from a trained run."""

from pathlib import Path

import click

from cli.gan_options import DEVICE, JSON, OUTPUT, OVERWRITE, RUN, SCALE, SEED, split_names
from cli.shared import print_json


@click.command()
@RUN
@OUTPUT
@click.option("--shards", type=click.Path(path_type=Path), help="Where the run's shards are now, if they moved.")
@click.option("--layout", "layouts", multiple=True, help="A photo, point file or shard row as a row; repeatable.")
@click.option("--attributes", help="Names of the attributes that are 1, with commas; by default the row's own.")
@click.option(
    "--rows", default=4, show_default=True, type=click.IntRange(1, 256), help="Layouts taken from the shards."
)
@click.option("--count", default=6, show_default=True, type=click.IntRange(1, 256), help="Latents along a row.")
@click.option(
    "--columns", type=click.Choice(["z", "c"]), default="z", show_default=True,
    help="Along a row: other latents, or the attributes and then each of them reversed in turn.",
)  # fmt: skip
@SEED
@SCALE
@DEVICE
@OVERWRITE
@JSON
def sample(
    run_folder: Path,
    output: Path,
    shards: Path | None,
    layouts: tuple[str, ...],
    attributes: str | None,
    rows: int,
    count: int,
    columns: str,
    seed: int,
    scale: int,
    device: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write a PNG grid: a layout a row, its photo and mask at the left, generated pictures beside them.

    RUN is a run's folder or a checkpoint file.

    Example: gan sample run -o grid.png --columns c --scale 2
    """
    import gan

    picture = gan.sample(
        run_folder, output, shards=shards, layouts=layouts, attributes=split_names(attributes), rows=rows,
        columns=count, vary="c" if columns == "c" else "z", seed=seed, scale=scale, device=device, overwrite=overwrite,
    )  # fmt: skip
    if as_json:
        print_json({"output": str(output), "width": picture.shape[1], "height": picture.shape[0]})
    else:
        click.echo(f"{output}: {picture.shape[1]} x {picture.shape[0]} pixels", err=True)


@click.command()
@RUN
@OUTPUT
@click.option("--from", "start", required=True, metavar="A", help="A photo, point file or shard row (x.h5#12).")
@click.option("--to", "end", required=True, metavar="B", help="The same, for the last frame.")
@click.option("--frames", default=24, show_default=True, type=click.IntRange(2, 10_000), help="Both ends included.")
@click.option("--fps", default=12, show_default=True, type=click.IntRange(1, 100), help="Frames a second.")
@click.option("--attributes", help="Names of the attributes that are 1, with commas; by default none.")
@click.option("--masks", is_flag=True, help="Put each frame's mask beside it.")
@SEED
@SCALE
@DEVICE
@OVERWRITE
@JSON
def render(
    run_folder: Path,
    output: Path,
    start: str,
    end: str,
    frames: int,
    fps: int,
    attributes: str | None,
    masks: bool,
    seed: int,
    scale: int,
    device: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write the way from face A to face B as .mp4, .gif or a folder of PNGs: landmarks move, z and c stay.

    RUN is a run's folder or a checkpoint file.

    Example: gan render run --from closed.jpg --to open.jpg -o smile.mp4 --masks --scale 4
    """
    import gan

    gan.render(
        run_folder, start, end, output, frames=frames, fps=fps, attributes=split_names(attributes) or (), masks=masks,
        seed=seed, scale=scale, device=device, overwrite=overwrite,
    )  # fmt: skip
    if as_json:
        print_json({"output": str(output), "frames": frames, "fps": fps})
    else:
        click.echo(f"{output}: {frames} frames", err=True)
