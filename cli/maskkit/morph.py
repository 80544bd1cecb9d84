"""The command `maskkit morph`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

import maskkit
from cli.shared import as_json, print_json, progress, say, say_note
from maskkit.morphs.morph_files import Align, Show
from maskkit.morphs.paths import EASINGS, PLAYS

if TYPE_CHECKING:
    from maskkit.morphs.paths import Play


@click.command()
@click.argument("keys", nargs=-1, required=True, metavar="A B [C ...]")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path),
              help=".mp4, .gif, .npz, .csv, .h5, or a name for a folder of PNGs.")  # fmt: skip
@click.option("--frames", type=click.IntRange(2, 10_000), default=24, show_default=True,
              help="Frames of one way through, both ends included.")  # fmt: skip
@click.option("--easing", type=click.Choice(list(EASINGS)), default="linear", show_default=True,
              help="Speed on the way from one face to the next.")  # fmt: skip
@click.option("--play", type=click.Choice(PLAYS), default="once", show_default=True,
              help="Stop at the last face, lead back to the first one, or play forth and back.")  # fmt: skip
@click.option("--beyond", type=click.FloatRange(0, 1), default=0.0, show_default=True,
              help="Overshoot both ends by this share of the way to the next face.")  # fmt: skip
@click.option("--align", type=click.Choice(get_args(Align)), default="eyes", show_default=True,
              help="Photos and point files by their eyes, or all onto the first face's eyes and nose.")  # fmt: skip
@click.option("--show", type=click.Choice(get_args(Show)), default="masks", show_default=True,
              help="What films and PNGs show: masks, photos that bend along, or both.")  # fmt: skip
@click.option("--one-hot", is_flag=True, help="Put one-hot maps into the .npz as well.")
@click.option("--size", type=click.IntRange(8, 4096), default=128, show_default=True, help="Side of the masks.")
@click.option("--scale", type=click.IntRange(1, 16), default=4, show_default=True,
              help="Enlarge the pixels of .mp4 and .gif.")  # fmt: skip
@click.option("--fps", type=click.FloatRange(1, 100), default=12, show_default=True)
@click.option("--scheme", default="scgan", show_default=True, help="Region scheme: a name or a .json file.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@as_json
def morph(
    keys: tuple[str, ...], out: Path, frames: int, easing: str, play: "Play", beyond: float, align: Align, show: Show,
    one_hot: bool, size: int, scale: int, fps: float, scheme: str, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Move the landmarks of face A to those of face B, and on to further faces, and draw the mask of every frame.

    Faces are photos, point files, or rows of a shard (OUT/train-00000.h5#12), mirrored with mirror: before them. An
    .npz holds the label maps and the points, a .csv the points, an .h5 is a shard whose rows `gan render` takes.

    \b
    Example:
      maskkit morph neutral.jpg smile.jpg -o smile.gif --frames 30
      maskkit morph turned.jpg mirror:turned.jpg -o turn.mp4 --play ping-pong --easing sine --show overlay
    """
    if len(keys) < 2:
        raise click.UsageError("Missing argument: a morph needs a second face; mirror:FACE is one")
    with progress("morphing") as advance:
        result = maskkit.write_morph(
            keys, out, frames=frames, easing=easing, play=play, beyond=beyond, align=align, show=show, size=size,
            scheme=scheme, scale=scale, fps=fps, with_one_hot=one_hot, overwrite=overwrite,
            on_frame=lambda done, total: advance(done, total=total),
        )  # fmt: skip
    if as_json:
        print_json({"out": str(out), "frames": result.frames, "size": size, "flicker": asdict(result.flicker)})
    else:
        flicker = result.flicker
        say(
            f"{result.frames} frames in {out}; from one to the next {flicker.changed:.2%} of the pixels change, "
            f"{flicker.reverted:.3%} change back, unevenness {flicker.uneven:.2f}"
        )
    for note in result.notes:
        say_note(note)
