"""The command `maskkit`: photos to points, masks, morphs and shards."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import maskkit
from cli.shared import EXIT_FAILED, Advance, print_json, progress, run
from maskkit.celeba import ATTRIBUTES, SPLIT_RULES
from maskkit.detection import DETECTORS, find_face
from maskkit.doctor import examine
from maskkit.errors import MaskkitError, OutputError
from maskkit.files import make_folder, refuse_existing, write_atomically
from maskkit.images import SUFFIXES as IMAGE_SUFFIXES
from maskkit.point_files import SUFFIXES as POINT_SUFFIXES
from maskkit.point_files import points_table
from maskkit.sequences import check_output, write_frame_folder

LARGEST_SIDE = 16384  # of a mask
LARGEST_FRAME = 4096  # side of a film's frame

EXISTING = click.Path(exists=True, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
ANY_FILE = click.Path(path_type=Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object of results on standard output.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace files that are there.")
scheme_option = click.option(
    "--scheme", default="scgan", show_default=True, help="Region scheme: a name or a .json file."
)


def main() -> NoReturn:
    """Entry point of the console script."""
    run(group)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="maskkit")
def group() -> None:
    """Region masks from facial landmarks, morphs between faces, and packed data sets."""


@group.command("build-celeba")
@click.argument("root", type=FOLDER)
@click.argument("out", type=FOLDER)
@click.option("--size", default=128, show_default=True, help="Side of the stored photos and masks in pixels.")
@click.option("--crop", default=178, show_default=True, help="Side of the square cut from the middle of each photo.")
@click.option(
    "--attributes", default=",".join(ATTRIBUTES), show_default=True, help="Attributes to keep, in this order."
)
@scheme_option
@click.option("--detector", type=click.Choice(DETECTORS), default="auto", show_default=True)
@click.option("--split", type=click.Choice(SPLIT_RULES), default="official", show_default=True)
@click.option("--workers", type=click.IntRange(1), default=lambda: os.cpu_count() or 1, show_default="processors")
@click.option("--shard-size", default=2048, show_default=True, help="Rows in each file.")
@click.option("--limit", type=click.IntRange(1), help="Take only the first N photos by id.")
@click.option("--max-skipped", type=click.FloatRange(0, 1), default=0.05, show_default=True,
              help="Fail if a larger share of the photos had to be left out.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Check the tables, estimate time and disk, and stop.")
@click.option("--fresh", is_flag=True, help="Discard the data set that is in OUT and begin anew.")
@as_json
def build_celeba(
    root: Path, out: Path, attributes: str, workers: int, max_skipped: float, dry_run: bool, fresh: bool, as_json: bool,
    **options: Any,
) -> int:  # fmt: skip
    """Turn CelebA's folder ROOT into shards in OUT.

    ROOT holds img_align_celeba/ and list_attr_celeba.txt. A stopped build goes on when the same command is given
    again. OUT/ledger.csv lists every photo with the step that found its face, or why it was left out;
    OUT/preview.png shows a random sheet.

    \b
    Example:
      maskkit build-celeba ~/celeba shards --workers 8
    """
    names = tuple(name for name in attributes.split(",") if name)
    chosen = maskkit.BuildOptions(attributes=names, **options)
    if dry_run:
        plan = maskkit.plan_celeba(root, out, chosen, workers=workers)
        total = sum(plan.inputs.values())
        text = f"{total:,} photos {plan.inputs}: about {plan.seconds:,.0f} s and {plan.bytes / 1e6:,.0f} MB"
        _report(as_json, asdict(plan), text)
        return 0
    with progress("building") as advance:
        result = maskkit.build_celeba(
            root, out, chosen, workers=workers, max_skipped=max_skipped, fresh=fresh, on_progress=_to_bar(advance)
        )
    reasons = "".join(f"\n  left out, {reason}: {count}" for reason, count in result.reasons.items())
    steps = ", ".join(f"{step} {count}" for step, count in result.detectors.items())
    text = (
        f"{result.kept:,} rows in {out} ({result.splits}); found by {steps}{reasons}\n"
        f"look at {out / 'preview.png'}; every photo is listed in {out / 'ledger.csv'}"
    )
    _report(as_json, {**asdict(result), "out": str(out)}, text)
    if result.too_many_skipped:
        share = result.skipped / (result.kept + result.skipped)
        click.echo(f"error: {share:.1%} of the photos were left out, more than --max-skipped {max_skipped}", err=True)
        return EXIT_FAILED
    return 0


@group.command()
@click.argument("images", nargs=-1, required=True, type=EXISTING)
@click.option("-o", "--out", required=True, type=FOLDER, help="Folder for the results.")
@click.option("--format", "kind", type=click.Choice([suffix[1:] for suffix in POINT_SUFFIXES]), default="pts",
              show_default=True, help="One .pts or .json a photo, or one landmarks.csv of all.")  # fmt: skip
@click.option("--detector", type=click.Choice(DETECTORS), default="auto", show_default=True)
@overwrite_option
@as_json
def landmarks(images: tuple[Path, ...], out: Path, kind: str, detector: str, overwrite: bool, as_json: bool) -> int:
    """Find the 68 points of the largest face in each of IMAGES (photos or folders of photos).

    \b
    Example:
      maskkit landmarks portrait.jpg holiday/ -o points --format csv
    """
    paths = _photos(images)
    results = Results(out, paths, overwrite)
    table = results.target("landmarks.csv") if kind == "csv" else None
    found: dict[str, maskkit.Face] = {}
    failed: dict[str, str] = {}
    for path, name in _each("finding faces", paths):
        try:
            _, face = find_face(path, detector)
            if table is None:
                maskkit.write_points(results.target(f"{name}.{kind}"), face.points)
        except MaskkitError as error:
            failed[str(path)] = str(error)
        else:
            found[str(path)] = face
    if table is not None:
        text = points_table({name: face.points for name, face in found.items()})
        write_atomically(table, lambda file: file.write(text.encode()))
    faces_found = {name: {"detector": f.detector, "score": f.score, "box": list(f.box)} for name, f in found.items()}
    return _finish(as_json, out, faces_found, failed, "faces")


@group.command()
@click.argument("inputs", nargs=-1, required=True, type=EXISTING)
@click.option("-o", "--out", required=True, type=FOLDER, help="Folder for the results.")
@click.option("--format", "kind", type=click.Choice(["palette", "grey", "npy", "one-hot"]), default="palette",
              show_default=True, help="Palette PNG, grey PNG, label map .npy, or one-hot .npz.")  # fmt: skip
@click.option("--size", help="Size of a point file's mask, SIDE or WIDTHxHEIGHT.")
@scheme_option
@click.option("--overlay", is_flag=True, help="Also write each photo with its regions and points drawn over it.")
@overwrite_option
@as_json
def segment(
    inputs: tuple[Path, ...], out: Path, kind: str, size: str | None, scheme: str, overlay: bool, overwrite: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Make region masks of INPUTS: photos, folders of photos, or point files (.pts, .json, .csv).

    A photo's mask has the size of the photo. A point file's points are taken as they are, on a picture of --size.

    \b
    Example:
      maskkit segment portrait.jpg -o masks --overlay
      maskkit segment face.pts -o masks --size 640x480 --format one-hot
    """
    height_width = _parse_size(size)
    if height_width is None and any(path.suffix.lower() in POINT_SUFFIXES for path in inputs):
        raise click.UsageError("a point file does not tell the size of its picture: give --size WIDTHxHEIGHT")
    regions = maskkit.load_scheme(scheme)
    paths = _photos(inputs)
    results = Results(out, paths, overwrite)
    found: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for path, name in _each("drawing masks", paths):
        try:
            image, points = _image_and_points(path)
            mask = maskkit.rasterize(points, image.shape[:2] if image is not None else height_width or 0, regions)
            target = _write_mask(results, name, kind, mask, regions)
            if overlay and image is not None:
                drawn = maskkit.draw_points(maskkit.overlay(image, mask, regions), points)
                maskkit.write_png(results.target(f"{name}.overlay.png"), drawn)
        except MaskkitError as error:
            failed[str(path)] = str(error)
        else:
            areas = np.bincount(mask.ravel(), minlength=len(regions)).tolist()
            found[str(path)] = {"mask": str(target), "areas": dict(zip(regions.names, areas, strict=True))}
    return _finish(as_json, out, found, failed, "masks")


@group.command()
@click.argument("a")
@click.argument("b")
@click.option("-o", "--out", required=True, type=ANY_FILE, help=".mp4, .gif, .npz, or a name for a folder of PNGs.")
@click.option("--frames", type=click.IntRange(2), default=24, show_default=True, help="Frames, both ends included.")
@click.option("--size", type=click.IntRange(8, 4096), default=128, show_default=True, help="Side of the masks.")
@click.option("--scale", type=click.IntRange(1, 16), default=4, show_default=True,
              help="Enlarge the pixels of .mp4 and .gif.")  # fmt: skip
@click.option("--fps", type=click.FloatRange(1, 100), default=12, show_default=True)
@scheme_option
@overwrite_option
@as_json
def morph(
    a: str, b: str, out: Path, frames: int, size: int, scale: int, fps: float, scheme: str, overwrite: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Move the landmarks of face A to those of face B and draw the mask of every step.

    A and B are photos, point files, or rows of a shard (OUT/train-00000.h5#12). Faces from photos and point files
    are first aligned by their eyes. An .npz holds the label maps and the points.

    \b
    Example:
      maskkit morph neutral.jpg smile.jpg -o smile.gif --frames 30
    """
    regions = maskkit.load_scheme(scheme)
    _check_morph(out, size * scale, fps, overwrite)
    points = maskkit.interpolate(maskkit.read_layout(a, size), maskkit.read_layout(b, size), frames)
    masks = maskkit.rasterize(points, size, regions)
    if out.suffix.lower() == ".npz":
        make_folder(out.parent)
        write_atomically(out, lambda file: np.savez_compressed(file, masks=masks, points=points))
    elif out.suffix == "":
        write_frame_folder(out, masks, partial(maskkit.write_palette_png, scheme=regions), overwrite)
    else:
        pictures = (maskkit.enlarge(maskkit.colorize(mask, regions), scale) for mask in masks)
        maskkit.write_frames(out, pictures, fps, overwrite)
    _report(as_json, {"out": str(out), "frames": frames, "size": size}, f"{frames} frames in {out}")
    return 0


@group.command()
@click.argument("shards", type=FOLDER)
@as_json
def verify(shards: Path, as_json: bool) -> int:
    """Check that a data set keeps its promises: checksums, shapes, labels, masks that equal their points' masks.

    \b
    Example:
      maskkit verify shards
    """
    with progress("verifying") as advance:
        result = maskkit.verify(shards, _to_bar(advance))
    text = f"{shards} is sound: {result.rows:,} rows in {result.shards} shards, {result.skipped} inputs left out"
    _report(as_json, asdict(result), text)
    return 0


@group.command()
@as_json
def doctor(as_json: bool) -> int:
    """Tell what is installed, which models are found, what is missing and how to get it.

    \b
    Example:
      maskkit doctor
    """
    findings = examine()
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
        return 0
    table = Table("", "what", "detail", "needed for", box=None)
    for finding in findings:
        table.add_row("ok" if finding.found else "--", finding.name, finding.detail, finding.purpose)
    Console(width=None if Console().is_terminal else 160).print(table)
    return 0


def _to_bar(advance: Advance) -> Callable[[int, int], None]:
    return lambda done, total: advance(done, total=total)


def _report(as_json: bool, result: dict[str, Any], text: str) -> None:
    if as_json:
        print_json(result)
    else:
        click.echo(text)


def _finish(as_json: bool, out: Path, found: dict[str, Any], failed: dict[str, str], what: str) -> int:
    """Report what was made and what was not; failed if anything was not."""
    _report(as_json, {"out": str(out), "found": found, "failed": failed}, f"{len(found)} {what} in {out}")
    for message in failed.values():
        click.echo(f"error: {message}", err=True)
    return EXIT_FAILED if failed else 0


def _photos(paths: Iterable[Path]) -> list[Path]:
    """The files named, and the pictures below the folders named; no two whose results would have one name."""
    files: list[Path] = []
    for path in paths:
        below = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
        if path.is_dir() and not below:
            raise OutputError(f"{path}: there are no pictures in this folder")
        files += below if path.is_dir() else [path]
    taken: dict[str, Path] = {}
    for path in dict.fromkeys(files):
        if path.name in taken:
            raise OutputError(f"{taken[path.name]} and {path} would give results of one name; take them one by one")
        taken[path.name] = path
    return list(taken.values())


def _each(title: str, paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Each path with a name for its results: the stem, or the whole file name where two inputs share a stem."""
    stems = Counter(path.stem for path in paths)
    with progress(title, len(paths)) as advance:
        for number, path in enumerate(paths, 1):
            yield path, path.stem if stems[path.stem] == 1 else path.name
            advance(number, path.name)


class Results:
    """A folder for results, which never replaces an input and nothing else unless asked."""

    def __init__(self, out: Path, inputs: list[Path], overwrite: bool) -> None:
        make_folder(out)
        self.out, self.overwrite = out, overwrite
        self.inputs = {path.resolve() for path in inputs}

    def target(self, name: str) -> Path:
        """The path of one result; OutputError where something is in the way."""
        path = self.out / name
        if path.resolve() in self.inputs:
            raise OutputError(f"{path} is one of the inputs and is not replaced; take another folder")
        refuse_existing(path, self.overwrite)
        return path


def _check_morph(out: Path, frame_side: int, fps: float, overwrite: bool) -> None:
    """Raise OutputError for what could not be written, before anything is drawn."""
    if out.suffix.lower() == ".npz":
        refuse_existing(out, overwrite)
        return
    if out.suffix.lower() not in ("", ".mp4", ".gif"):
        raise OutputError(f"{out}: a morph is written as .mp4, .gif, .npz, or without an ending as a folder of PNGs")
    if out.suffix and frame_side > LARGEST_FRAME:
        raise OutputError(f"{out}: frames of {frame_side} pixels are too large; take a smaller --size or --scale")
    check_output(out, fps, overwrite)


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}(x[0-9]{1,5})?", text):
        raise click.UsageError(f"--size {text!r}: give SIDE or WIDTHxHEIGHT in pixels")
    width, height = (int(cell) for cell in (text.split("x") * 2)[:2])
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise click.UsageError(f"--size {text!r}: a side has 1 to {LARGEST_SIDE} pixels")
    return height, width


def _image_and_points(path: Path) -> tuple[maskkit.images.Picture | None, maskkit.landmarks.Points]:
    if path.suffix.lower() in POINT_SUFFIXES:
        return None, maskkit.read_points(path)
    image, face = find_face(path)
    return image, face.points


def _write_mask(
    results: Results, name: str, kind: str, mask: maskkit.raster.LabelMap, scheme: maskkit.RegionScheme
) -> Path:
    target = results.target(name + {"npy": ".npy", "one-hot": ".npz"}.get(kind, ".png"))
    if kind == "palette":
        maskkit.write_palette_png(target, mask, scheme)
    elif kind == "grey":
        maskkit.write_png(target, mask)
    elif kind == "npy":
        write_atomically(target, lambda file: np.save(file, mask))
    else:
        channels = maskkit.one_hot(mask, len(scheme))
        write_atomically(target, lambda file: np.savez_compressed(file, one_hot=channels))
    return target
