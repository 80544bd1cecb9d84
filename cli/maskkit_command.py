"""The command `maskkit`: photos to points, masks, morphs and shards."""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import maskkit
from cli.maskkit_build import build_celeba, build_folder
from cli.maskkit_exchange import export_command, import_command
from cli.maskkit_inspect import inspect
from cli.maskkit_morph import morph
from cli.maskkit_options import as_json, face_option, overwrite_option, scheme_option
from cli.shared import EXIT_FAILED, Advance, print_json, progress, run, say_error
from maskkit.detection.cascade import FREE_DETECTORS, FaceChoice, choose
from maskkit.doctor import examine
from maskkit.errors import MaskkitError, OutputError
from maskkit.files.atomic import leads_out
from maskkit.files.outputs import lies_in, owned
from maskkit.files.result_folder import ResultFolder
from maskkit.masks.pictures import encode_palette_png, encode_png
from maskkit.masks.raster import LabelMap
from maskkit.photos.images import SUFFIXES as IMAGE_SUFFIXES
from maskkit.photos.images import Picture
from maskkit.points.landmarks import Points
from maskkit.points.point_files import SUFFIXES as POINT_SUFFIXES
from maskkit.points.point_files import encode_points, points_table

LARGEST_SIDE = 16384  # of a mask

Item = TypeVar("Item")

EXISTING = click.Path(exists=True, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


def main() -> NoReturn:
    """Entry point of the console script."""
    run(group)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="maskkit")
def group() -> None:
    """Region masks from facial landmarks, morphs between faces, and packed data sets."""


@group.command()
@click.argument("images", nargs=-1, required=True, type=EXISTING)
@click.option("-o", "--out", required=True, type=FOLDER, help="Folder for the results.")
@click.option("--format", "kind", type=click.Choice([suffix[1:] for suffix in POINT_SUFFIXES]), default="pts",
              show_default=True, help="One .pts or .json a photo, or one landmarks.csv of all.")  # fmt: skip
@face_option
@click.option("--detector", type=click.Choice(FREE_DETECTORS), default="auto", show_default=True)
@overwrite_option
@as_json
def landmarks(
    images: tuple[Path, ...], out: Path, kind: str, face: FaceChoice, detector: str, overwrite: bool, as_json: bool
) -> int:
    """Find the 68 points of the largest face in each of IMAGES (photos or folders of photos).

    With --face all the results of a photo are numbered, NAME-1 for its largest face.

    \b
    Example:
      maskkit landmarks portrait.jpg holiday/ -o points --format csv
    """
    failed: dict[str, str] = {}
    paths = _photos(images, failed)
    results = ResultFolder(out, paths, overwrite)
    found: dict[str, maskkit.Face] = {}
    with ExitStack() as stack:
        if kind == "csv":
            stack.enter_context(owned(results.check("landmarks.csv")))
        for path, name in _each("finding faces", paths):
            try:
                faces = choose(maskkit.detect(maskkit.read_image(path), detector), face, str(path))
                if kind != "csv":
                    for ending, one in _numbered(faces, face):
                        target = Path(f"{name}{ending}.{kind}")
                        results.write(target.name, encode_points(target, one.points))
            except MaskkitError as error:
                failed[str(path)] = str(error)
            else:
                found |= {f"{path}{ending}": one for ending, one in _numbered(faces, face)}
        if kind == "csv":
            text = points_table({name: face.points for name, face in found.items()})
            results.write("landmarks.csv", text.encode())
    faces_found = {name: {"detector": f.detector, "score": f.score, "box": list(f.box)} for name, f in found.items()}
    return _finish(as_json, out, faces_found, failed, "faces")


@group.command()
@click.argument("inputs", nargs=-1, required=True, type=EXISTING)
@click.option("-o", "--out", required=True, type=FOLDER, help="Folder for the results.")
@click.option("--format", "kind", type=click.Choice(["palette", "grey", "npy", "one-hot"]), default="palette",
              show_default=True, help="Palette PNG, grey PNG, label map .npy, or one-hot .npz.")  # fmt: skip
@click.option("--size", help="Size of a point file's mask, SIDE or WIDTHxHEIGHT.")
@face_option
@click.option("--detector", type=click.Choice(FREE_DETECTORS), default="auto", show_default=True)
@scheme_option
@click.option("--overlay", is_flag=True, help="Also write each photo with its regions and points drawn over it.")
@overwrite_option
@as_json
def segment(
    inputs: tuple[Path, ...], out: Path, kind: str, size: str | None, face: FaceChoice, detector: str, scheme: str,
    overlay: bool, overwrite: bool, as_json: bool,
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
    failed: dict[str, str] = {}
    paths = _photos(inputs, failed)
    if overlay or kind in ("palette", "grey"):
        _refuse_pictures_among(inputs, out)
    results = ResultFolder(out, paths, overwrite)
    found: dict[str, Any] = {}
    for path, name in _each("drawing masks", paths):
        try:
            image, faces = _image_and_points(path, detector, face)
            for ending, points in _numbered(faces, face):
                shape = image.shape[:2] if image is not None else height_width or 0
                mask = maskkit.rasterize(points, shape, regions, backend="numpy")  # too few to load numba for
                target = _write_mask(results, f"{name}{ending}", kind, mask, regions)
                if overlay and image is not None:
                    drawn = maskkit.draw_points(maskkit.overlay(image, mask, regions), points)
                    results.write(f"{name}{ending}.overlay.png", encode_png(drawn))
                areas = np.bincount(mask.ravel(), minlength=len(regions)).tolist()
                written = {"mask": str(target), "areas": dict(zip(regions.names, areas, strict=True))}
                found[f"{path}{ending}"] = written
        except MaskkitError as error:
            failed[str(path)] = str(error)
    return _finish(as_json, out, found, failed, "masks")


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


group.add_command(build_celeba)
group.add_command(build_folder)
group.add_command(morph)
group.add_command(inspect)
group.add_command(export_command)
group.add_command(import_command)


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
        say_error(message)
    return EXIT_FAILED if failed else 0


def _photos(paths: Iterable[Path], failed: dict[str, str]) -> list[Path]:
    """The files named, and the pictures below the folders named; no two whose results would have one name.

    Links that lead out of such a folder or nowhere become entries of `failed`.
    """
    files: list[Path] = []
    for path in paths:
        below = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
        if path.is_dir() and not below:
            raise OutputError(f"{path}: there are no pictures in this folder")
        for file in below:
            if leads_out(file, path):
                failed[str(file)] = f"{file}: a symbolic link that leads out of {path}; name it itself to have it read"
            elif not file.exists():
                failed[str(file)] = f"{file}: a symbolic link that leads nowhere"
        files += [file for file in below if str(file) not in failed] if path.is_dir() else [path]
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


def _refuse_pictures_among(inputs: Iterable[Path], out: Path) -> None:
    """Raise OutputError where results would be taken for photos the next time."""
    for folder in inputs:
        if folder.is_dir() and lies_in(out, folder):
            raise OutputError(
                f"{out} lies in the input {folder}, and its pictures would be taken for photos the next time; "
                "take a folder beside it"
            )


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}(x[0-9]{1,5})?", text):
        raise click.UsageError(f"--size {text!r}: give SIDE or WIDTHxHEIGHT in pixels")
    width, height = (int(cell) for cell in (text.split("x") * 2)[:2])
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise click.UsageError(f"--size {text!r}: a side has 1 to {LARGEST_SIDE} pixels")
    return height, width


def _image_and_points(path: Path, detector: str, face: FaceChoice) -> tuple[Picture | None, list[Points]]:
    if path.suffix.lower() in POINT_SUFFIXES:
        return None, [maskkit.read_points(path)]
    image = maskkit.read_image(path)
    return image, [one.points for one in choose(maskkit.detect(image, detector), face, str(path))]


def _numbered(items: list[Item], face: FaceChoice) -> list[tuple[str, Item]]:
    """Each face with what is added to its results' names: nothing, or its number where all are wanted."""
    return [(f"-{number}" if face == "all" else "", item) for number, item in enumerate(items, 1)]


def _write_mask(results: ResultFolder, name: str, kind: str, mask: LabelMap, scheme: maskkit.RegionScheme) -> Path:
    if kind == "palette":
        return results.write(f"{name}.png", encode_palette_png(mask, scheme))
    if kind == "grey":
        return results.write(f"{name}.png", encode_png(mask))
    buffer = io.BytesIO()
    if kind == "npy":
        np.save(buffer, mask)
        return results.write(f"{name}.npy", buffer.getvalue())
    np.savez_compressed(buffer, one_hot=maskkit.one_hot(mask, len(scheme)))
    return results.write(f"{name}.npz", buffer.getvalue())
