"""The commands `maskkit landmarks` and `maskkit segment`: photos to points and masks."""

import re
from pathlib import Path
from typing import Any

import click

import maskkit
from cli.maskkit_options import face_option, overwrite_option, scheme_option
from cli.shared import EXIT_FAILED, as_json, print_json, progress, say, say_error, say_note
from maskkit.detection import photo_masks, photo_points
from maskkit.detection.cascade import FREE_DETECTORS
from maskkit.errors import PointsError

EXISTING = click.Path(exists=True, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)

out_option = click.option("-o", "--out", required=True, type=FOLDER, help="Folder for the results.")
detector_option = click.option("--detector", type=click.Choice(FREE_DETECTORS), default="auto", show_default=True)
workers_option = click.option(
    "--workers", type=click.IntRange(1), help="Most processes at once.  [default: processors, for photos enough]"
)


@click.command()
@click.argument("images", nargs=-1, required=True, type=EXISTING)
@out_option
@click.option("--format", type=click.Choice(photo_points.FORMATS), default="pts", show_default=True,
              help="One .pts or .json a face, or one landmarks.csv of all.")  # fmt: skip
@face_option
@detector_option
@workers_option
@overwrite_option
@as_json
def landmarks(images: tuple[Path, ...], out: Path, as_json: bool, **options: Any) -> int:
    """Find the 68 points of the largest face in each of IMAGES (photos or folders of photos).

    With --face all every detector looks, and the results of a photo are numbered, NAME-1 for its largest face.

    \b
    Example:
      maskkit landmarks portrait.jpg holiday/ -o points --format csv
    """
    with progress("finding faces") as advance:
        result = maskkit.write_landmarks(
            images, out, **options, on_progress=lambda done, total: advance(done, total=total)
        )
    return _finish(result, "faces", as_json)


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=EXISTING)
@out_option
@click.option("--format", type=click.Choice(list(photo_masks.FORMATS)), default="palette", show_default=True,
              help="Palette PNG, grey PNG, label map .npy, or one-hot .npz.")  # fmt: skip
@click.option("--size", help="Size of the picture that a point file belongs to, SIDE or WIDTHxHEIGHT.")
@face_option
@detector_option
@scheme_option
@click.option("--overlay", is_flag=True,
              help="Also write NAME.overlay.jpg: each photo with the outlines and points of its faces.")  # fmt: skip
@workers_option
@overwrite_option
@as_json
def segment(inputs: tuple[Path, ...], out: Path, size: str | None, as_json: bool, **options: Any) -> int:
    """Make region masks of INPUTS: photos, folders of photos, or point files (.pts, .json, .csv).

    A photo's mask has the size of the photo. A point file's points are taken as they are, on a picture of --size. With
    --face all every detector looks, and the masks of a photo are numbered, NAME-1 for its largest face.

    \b
    Example:
      maskkit segment portrait.jpg -o masks --overlay
      maskkit segment face.pts -o masks --size 640x480 --format one-hot
    """
    with progress("drawing masks") as advance:
        try:
            result = maskkit.write_masks(
                inputs, out, size=_parse_size(size), **options,
                on_progress=lambda done, total: advance(done, total=total),
            )  # fmt: skip
        except PointsError as error:  # what is wrong with one file is told in the result
            raise click.UsageError(str(error)) from error
    return _finish(result, "masks", as_json)


def _parse_size(text: str | None) -> tuple[int, int] | None:
    """The height and width that the option names."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}(x[0-9]{1,5})?", text):
        raise click.UsageError(f"--size {text!r}: give SIDE or WIDTHxHEIGHT in pixels")
    width, _, height = text.partition("x")
    return int(height or width), int(width)


def _finish(result: maskkit.FilesResult, what: str, as_json: bool) -> int:
    """Report what was made and what was not; failed if anything was not."""
    if as_json:
        print_json({"out": str(result.out), "found": result.found, "failed": result.failed})
    else:
        say(f"{len(result.found)} {what} in {result.out}")
    for note in result.notes:
        say_note(note)
    for message in result.failed.values():
        say_error(message)
    return EXIT_FAILED if result.failed else 0
