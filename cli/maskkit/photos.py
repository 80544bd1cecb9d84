"""The commands `maskkit landmarks` and `maskkit segment`: photos and videos to points and masks."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

import maskkit
from cli.maskkit.options import face_option, overwrite_option, scheme_option
from cli.shared import EXIT_FAILED, as_json, print_json, progress, say, say_error, say_note
from maskkit.detection import photo_points
from maskkit.detection.cascade import FREE_DETECTORS
from maskkit.errors import PointsError
from maskkit.photos.videos import is_video
from maskkit.video import video_masks, video_points

EXISTING = click.Path(exists=True, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)

out_option = click.option("-o", "--out", required=True, type=FOLDER, help="Folder for the results.")
detector_option = click.option("--detector", type=click.Choice(FREE_DETECTORS), default="auto", show_default=True)
workers_option = click.option(
    "--workers", type=click.IntRange(1), help="Most processes at once.  [default: processors, for photos enough]"
)

Write = Callable[..., maskkit.FilesResult]


def video_options(command: Callable[..., int]) -> Callable[..., int]:
    """What is asked of videos alone."""
    options = (
        click.option("--smooth/--no-smooth", default=True, show_default=True,
                     help="Of a video: make the points steady, without lag."),
        click.option("--bridge", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
                     help="Of a video: draw points into gaps of at most so long.  [default: none]"),
        click.option("--every", type=click.IntRange(1), default=1, show_default=True, metavar="N",
                     help="Of a video: write every N-th frame."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("images", nargs=-1, required=True, type=EXISTING)
@out_option
@click.option("--format", type=click.Choice(dict.fromkeys((*photo_points.FORMATS, *video_points.FORMATS))),
              help="One .pts or .json a face, or one landmarks.csv of all; one .csv or .npz a video.  "
                   "[default: pts; csv of a video]")  # fmt: skip
@face_option
@detector_option
@video_options
@workers_option
@overwrite_option
@as_json
def landmarks(images: tuple[Path, ...], out: Path, format: str | None, as_json: bool, **options: Any) -> int:
    """Find the 68 points of the largest face in each of IMAGES: photos, folders of photos, or videos.

    With --face all every detector looks, and the results of a photo are numbered, NAME-1 for its largest face. Through
    a video one face is followed; frames without it are named.

    \b
    Example:
      maskkit landmarks portrait.jpg holiday/ -o points --format csv
      maskkit landmarks clip.mp4 -o points --bridge 0.2
    """
    photos = {"format": format or "pts"}
    videos = {"format": format or "csv"}
    doors = maskkit.write_landmarks, maskkit.write_video_landmarks
    result = _write(doors, ("finding faces", "following faces"), images, out, photos, videos, options)
    return _finish(result, "faces", as_json)


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=EXISTING)
@out_option
@click.option("--format", type=click.Choice(video_masks.FORMATS), default="palette", show_default=True,
              help="Palette PNG, grey PNG, label map .npy, or one-hot .npz, of a video in a folder; of a video also a "
                   "film or a shard.")  # fmt: skip
@click.option("--size", help="Size of the picture that a point file belongs to, SIDE or WIDTHxHEIGHT.")
@face_option
@detector_option
@scheme_option
@click.option("--overlay", is_flag=True,
              help="Also write NAME.overlay.jpg or .mp4: the photo or video with outlines and points.")  # fmt: skip
@video_options
@workers_option
@overwrite_option
@as_json
def segment(inputs: tuple[Path, ...], out: Path, size: str | None, as_json: bool, **options: Any) -> int:
    """Make region masks of INPUTS: photos, folders of photos, videos, or point files (.pts, .json, .csv).

    A photo's mask has the size of the photo. A point file's points are taken as they are, on a picture of --size. With
    --face all every detector looks, and the masks of a photo are numbered, NAME-1 for its largest face.

    \b
    Example:
      maskkit segment portrait.jpg -o masks --overlay
      maskkit segment face.pts -o masks --size 640x480 --format one-hot
      maskkit segment clip.mp4 -o masks --format film --overlay
    """
    photos = {"size": _parse_size(size)}
    doors = maskkit.write_masks, maskkit.write_video_masks
    try:
        result = _write(doors, ("drawing masks", "following faces"), inputs, out, photos, {}, options)
    except PointsError as error:  # what is wrong with one file is told in the result
        raise click.UsageError(str(error)) from error
    return _finish(result, "masks", as_json)


def _write(
    doors: tuple[Write, Write], titles: tuple[str, str], inputs: Sequence[Path], out: Path,
    of_photos: dict[str, Any], of_videos: dict[str, Any], options: dict[str, Any],
) -> maskkit.FilesResult:  # fmt: skip
    """Give photos and point files to the first door and videos to the second, each with the options that it knows."""
    workers = options.pop("workers")
    following = {name: options.pop(name) for name in ("smooth", "bridge", "every")}
    videos = [path for path in inputs if is_video(path) and not path.is_dir()]
    others = [path for path in inputs if path not in videos]
    if not videos and following != {"smooth": True, "bridge": 0.0, "every": 1}:
        raise click.UsageError("--no-smooth, --bridge and --every are for videos, and there is none")
    if not others and of_photos.get("size") is not None:
        raise PointsError("--size is for point files, and there is none")
    parts = (others, {"workers": workers, **of_photos}), (videos, {**following, **of_videos})
    result = maskkit.FilesResult(out)
    for door, title, (paths, more) in zip(doors, titles, parts, strict=True):
        if paths:
            with progress(title) as advance:
                made = door(paths, out, **options, **more, on_progress=lambda done, total: advance(done, total=total))
            result.found.update(made.found)
            result.failed.update(made.failed)
            result.notes.extend(made.notes)
    return result


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
