"""The commands of `gan` that make pictures and sequences from a trained run."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cli.gan.options import DEVICE, NAMES, OUTPUT, OVERWRITE, RUN, RUNS, SCALE, SEED, split_names
from cli.shared import as_json, print_json, progress, say, say_note

if TYPE_CHECKING:
    from gan.pictures.latents import LatentPath


EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
# What `gan render` takes for the way between two faces, and has no meaning where a video shows the way.
OF_A_WAY = {"start": "--from", "end": "--to", "frames": "--frames", "fps": "--fps", "attributes_to": "--attributes-to",
            "seed_to": "--seed-to", "path": "--path", "rows": "--rows"}  # fmt: skip


def also_drives(render: Callable[..., None]) -> Callable[..., None]:
    """Give `gan render` the option --drive and those that go with it."""

    @click.option("--drive", "clip", type=EXISTING, metavar="CLIP",
                  help="Follow the face of a video instead of the way from A to B.")  # fmt: skip
    @click.option("--relative", metavar="A",
                  help="With --drive: move A, a neutral face, as the face in the video moves.")  # fmt: skip
    @click.option("--clip", "beside", is_flag=True, help="With --drive: show the video, aligned, at the left.")
    @click.option("--bridge", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
                  help="With --drive: draw points into gaps of at most so long.  [default: none]")  # fmt: skip
    @wraps(render)
    def choose(clip: Path | None, relative: str | None, beside: bool, bridge: float, **options: Any) -> None:
        if clip is not None:
            _drive(clip, relative, beside, bridge, options)
            return
        if relative is not None or beside or bridge:
            raise click.UsageError("--relative, --clip and --bridge need a video; give --drive CLIP")
        for name in ("start", "end"):
            if options[name] is None:
                raise click.UsageError(f"Missing option '{OF_A_WAY[name]}'; or give --drive CLIP")
        render(**options)

    return choose


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
    help="Along a row: other latents, or the attributes and then each reversed in turn (one of n: each class).",
)  # fmt: skip
@SEED
@SCALE
@DEVICE
@OVERWRITE
@as_json
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
        say(f"{output}: {picture.shape[1]} x {picture.shape[0]} pixels", err=True)


@click.command()
@RUNS
@OUTPUT
@NAMES
@click.option("--from", "start", metavar="A", help="A photo, point file or shard row (x.h5#12).")
@click.option("--to", "end", metavar="B", help="The same, for the last frame.")
@click.option("--frames", default=24, show_default=True, type=click.IntRange(2, 10_000), help="Both ends included.")
@click.option("--fps", default=12, show_default=True, type=click.IntRange(1, 100), help="Frames a second.")
@click.option("--attributes", help="Names of the attributes that are 1, with commas; by default none.")
@click.option("--attributes-to", help="The same at the end; by default they stay.")
@click.option(
    "--seed-to", type=click.IntRange(0, 2**63 - 1), help="Decides the latent at the end; by default it stays."
)
@click.option(
    "--path", type=click.Choice(["linear", "spherical"]), default="linear", show_default=True,
    help="Way between the latents.",
)  # fmt: skip
@click.option(
    "--rows", default=1, show_default=True, type=click.IntRange(1, 64),
    help="Rows from the first latent and attributes to the last, each with all frames.",
)  # fmt: skip
@click.option("--masks", is_flag=True, help="Show each frame's mask.")
@SEED
@click.option(
    "--scale", type=click.IntRange(1, 32), help="Repeat pixels.  [default: films as large as a screen shows whole]"
)
@DEVICE
@OVERWRITE
@as_json
@also_drives
def render(
    runs: tuple[Path, ...],
    output: Path,
    names: tuple[str, ...],
    start: str,
    end: str,
    frames: int,
    fps: int,
    attributes: str | None,
    attributes_to: str | None,
    seed_to: int | None,
    path: "LatentPath",
    rows: int,
    masks: bool,
    seed: int,
    scale: int | None,
    device: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write the way from face A to face B as .mp4, .gif or a folder of PNGs, or all frames in one .png.

    Landmarks move; latent and attributes stay, or go to those of --seed-to and --attributes-to: from frame to frame,
    or with --rows from row to row. With --drive the face follows that of a video instead. RUN is a run's folder or a
    checkpoint file; several play the same landmarks side by side, each under its name.

    Example: gan render run --from closed.jpg --to open.jpg -o smile.mp4 --masks --scale 4

    Example: gan render run --drive clip.mp4 -o talk.mp4 --clip --masks
    """
    import gan

    render_runs = gan.render  # before anything else, so that a missing torch is a sentence
    with progress("render", frames) as advance:
        render_runs(
            runs, start, end, output, names=names, frames=frames, fps=fps, seed=seed, seed_to=seed_to, path=path,
            attributes=split_names(attributes) or (), attributes_to=split_names(attributes_to), rows=rows, masks=masks,
            scale=scale, device=device, overwrite=overwrite, on_frame=advance,
        )  # fmt: skip
    if as_json:
        print_json({"output": str(output), "frames": frames, "fps": fps, "rows": rows})
    else:
        say(f"{output}: {frames} frames", err=True)


@click.command()
@RUN
@click.argument("faces", nargs=-1, required=True, metavar="FACE...")
@click.option("-o", "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write.")
@DEVICE
@OVERWRITE
@as_json
def layouts(run_folder: Path, faces: tuple[str, ...], out: Path, device: str, overwrite: bool, as_json: bool) -> None:
    """Write the layout that a CycleGAN makes of each FACE, a palette PNG: its other direction.

    RUN is a run's folder, a checkpoint file or an exported .safetensors file. A FACE is a photo, which is aligned by
    its eyes, or a shard row (x.h5#12).

    Example: gan layouts run portrait.jpg shards/val-00000.h5#3 -o layouts
    """
    import gan

    make_layouts = gan.make_layouts
    with progress("layouts", len(faces)) as advance:
        written = make_layouts(run_folder, faces, out, device=device, overwrite=overwrite, on_face=advance)
    if as_json:
        print_json({"layouts": [str(path) for path in written]})
    else:
        say(f"{out}: {len(written)} layouts", err=True)


def _drive(clip: Path, relative: str | None, beside: bool, bridge: float, options: dict[str, Any]) -> None:
    source = click.get_current_context().get_parameter_source
    given = [option for name, option in OF_A_WAY.items() if source(name) == ParameterSource.COMMANDLINE]
    if given:
        raise click.UsageError(f"{given[0]} has no meaning with --drive: the video shows the way")
    if len(options["runs"]) > 1:
        raise click.UsageError("--drive takes one RUN")
    import gan

    run_drive = gan.drive  # before anything else, so that a missing torch is a sentence
    with progress("drive") as advance:
        result = run_drive(
            options["runs"][0], clip, options["output"], relative=relative, bridge=bridge, seed=options["seed"],
            attributes=split_names(options["attributes"]) or (), beside=beside, masks=options["masks"],
            scale=options["scale"], device=options["device"], overwrite=options["overwrite"],
            on_follow=lambda done, total: advance(done, "following the face", 2 * total),
            on_frame=lambda done, total: advance(total + done, "rendering", 2 * total),
        )  # fmt: skip
    for note in result.notes:
        say_note(note)
    if options["as_json"]:
        print_json({"output": str(options["output"]), "frames": result.frames, "neutral": result.neutral,
                    "notes": list(result.notes)})  # fmt: skip
    else:
        say(f"{options['output']}: {result.frames} frames", err=True)
