"""Photos and point files to masks: the door behind `maskkit segment`."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskkit.detection.cascade import Detector, FaceChoice
from maskkit.detection.named_files import (
    FilesResult,
    Made,
    OnProgress,
    chosen_faces,
    collect_files,
    numbered,
    prepare_folder,
    work_through,
)
from maskkit.errors import MaskkitError, OutputError, PointsError
from maskkit.files.result_folder import ResultFolder
from maskkit.masks.overlays import annotate
from maskkit.masks.pictures import encode_jpeg, encode_palette_png, encode_png
from maskkit.masks.raster import LabelMap, one_hot, rasterize
from maskkit.masks.regions import RegionScheme, as_scheme
from maskkit.photos.images import Picture, read_image
from maskkit.points.landmarks import POINT_COUNT, Points
from maskkit.points.point_files import SUFFIXES, read_points

FORMATS = {"palette": ".png", "grey": ".png", "npy": ".npy", "one-hot": ".npz"}
LARGEST_SIDE = 16384  # of a point file's mask


@dataclass(frozen=True)
class _Wish:
    results: ResultFolder
    format: str
    height_width: tuple[int, int]  # of point files' pictures
    face: FaceChoice
    detector: str | Detector
    scheme: RegionScheme
    overlay: bool


def write_masks(
    inputs: Iterable[str | Path],
    out: str | Path,
    *,
    format: str = "palette",
    size: int | tuple[int, int] | None = None,
    face: FaceChoice = 1,
    detector: str | Detector = "auto",
    scheme: str | Path | RegionScheme = "scgan",
    overlay: bool = False,
    workers: int | None = 1,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> FilesResult:
    """Draw the region masks of photos, folders of photos and point files into the folder `out`.

    `format` is palette or grey (PNG), npy (the label map) or one-hot (.npz). A photo's mask has the photo's size; point
    files need the `size` of the picture that they belong to, a side or (H, W). With `overlay` NAME.overlay.jpg shows
    each photo with the outlines and points of its faces. `face`, `detector`, `workers`, `failed` as `write_landmarks`
    has them; `found` names the mask and the area of each region in pixels. Raises PointsError where `size` or
    `overlay` has nothing to do or `size` is missing, OutputError where results would replace something.
    """
    if format not in FORMATS:
        raise OutputError(f"there is no format {format!r} of masks: take one of {', '.join(FORMATS)}")
    paths = [Path(path) for path in inputs]
    height_width = _check_request(paths, size, overlay)
    regions = as_scheme(scheme)
    files, failed = collect_files(paths)
    results = prepare_folder(Path(out), paths, files, overwrite, pictures=overlay or format in ("palette", "grey"))
    result = FilesResult(Path(out), failed=failed)
    wish = _Wish(results, format, height_width, face, detector, regions, overlay)
    work_through(partial(_draw, wish), files, result, workers, on_progress)
    return result


def _check_request(paths: list[Path], size: int | tuple[int, int] | None, overlay: bool) -> tuple[int, int]:
    """The height and width of point files' pictures; PointsError for what would be passed over without a word."""
    pointed = [path.suffix.lower() in SUFFIXES for path in paths]
    if size is None and any(pointed):
        raise PointsError("a point file does not tell the size of its picture: give --size WIDTHxHEIGHT")
    if size is not None and not any(pointed):
        raise PointsError("--size is for point files, and there is none; a photo's mask has the size of the photo")
    if overlay and all(pointed):
        raise PointsError("--overlay draws on photos, and there is none; point files have no picture")
    height, width = (size, size) if isinstance(size, int) else size or (1, 1)
    if not (0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE):
        raise PointsError(f"the size {width} x {height}: a side has 1 to {LARGEST_SIDE} pixels")
    return height, width


def _draw(wish: _Wish, named: tuple[Path, str]) -> Made:
    path, name = named
    found: dict[str, dict[str, Any]] = {}
    try:
        image, faces, notes = _read(wish, path)
        shape = wish.height_width if image is None else image.shape[:2]
        for ending, points in numbered(faces, wish.face):
            mask = rasterize(points, shape, wish.scheme, backend="numpy")  # too few to load numba for
            written = wish.results.write(
                f"{name}{ending}{FORMATS[wish.format]}", encode_mask(wish.format, mask, wish.scheme)
            )
            areas = np.bincount(mask.ravel(), minlength=len(wish.scheme)).tolist()
            found[f"{path}{ending}"] = {
                "mask": str(written), "areas": dict(zip(wish.scheme.names, areas, strict=True))
            }  # fmt: skip
        if wish.overlay and image is not None:
            drawn = annotate(image, np.stack(faces), wish.scheme)
            wish.results.write(f"{name}.overlay.jpg", encode_jpeg(drawn))
    except MaskkitError as error:
        return Made(found, failed=str(error))
    return Made(found, notes)


def _read(wish: _Wish, path: Path) -> tuple[Picture | None, list[Points], tuple[str, ...]]:
    """The photo, if it is one, the points of its faces that are wanted, and what is to be noted about them."""
    if path.suffix.lower() not in SUFFIXES:
        image = read_image(path)
        faces, notes = chosen_faces(path, image, wish.detector, wish.face)
        return image, [one.points for one in faces], notes
    points = read_points(path, wish.height_width)
    height, width = wish.height_width
    outside = int(((points < -0.5) | (points >= np.array([width, height]) - 0.5)).any(axis=1).sum())
    if not outside:
        return None, [points], ()
    return None, [points], (
        f"{path}: {outside} of {POINT_COUNT} points lie outside of {width} x {height} pixels, the mask is cut there; "
        "is that the size of their picture?",
    )  # fmt: skip


def encode_mask(format: str, mask: LabelMap, scheme: RegionScheme) -> bytes:
    """The content of a mask's file in one of FORMATS."""
    if format == "palette":
        return encode_palette_png(mask, scheme)
    if format == "grey":
        return encode_png(mask)
    buffer = io.BytesIO()
    if format == "npy":
        np.save(buffer, mask)
    else:
        np.savez_compressed(buffer, one_hot=one_hot(mask, len(scheme)))
    return buffer.getvalue()
