"""Morphs from files to files: keys read and aligned, every frame drawn, written as the ending of the result says."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from maskkit.errors import OutputError, PointsError
from maskkit.files.outputs import refuse_existing, write_result
from maskkit.masks.pictures import colorize, enlarge, overlay, write_palette_png
from maskkit.masks.raster import LabelMap, one_hot, rasterize
from maskkit.masks.regions import RegionScheme, as_scheme
from maskkit.morphs.films import check_output, write_frame_folder, write_frames
from maskkit.morphs.flicker import Flicker, measure_flicker
from maskkit.morphs.frame_shard import encode_frame_shard
from maskkit.morphs.paths import Play, along, timeline
from maskkit.morphs.placed_faces import PlacedFace, read_face, spec_file
from maskkit.morphs.warps import bend_photos
from maskkit.photos.images import Picture
from maskkit.points.landmarks import GROUPS, Points
from maskkit.points.point_files import points_table

Show = Literal["masks", "photo", "overlay"]
Align = Literal["eyes", "first"]

DATA_ENDINGS = (".npz", ".csv", ".h5")
LARGEST_FRAME = 4096  # side of a film's frame in pixels
LARGEST_BYTES = 1 << 30  # of a sequence, which is held in memory

OnFrame = Callable[[int, int], None]


@dataclass(frozen=True)
class MorphResult:
    """What was written, and how much the masks of the sequence flicker.

    `notes` are sentences about frames that do not show all of the face.
    """

    out: Path
    frames: int
    flicker: Flicker
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Request:
    """Where the frames go and how they look."""

    out: Path
    scheme: RegionScheme
    size: int
    show: Show
    scale: int
    fps: float
    one_hot: bool
    overwrite: bool


def write_morph(
    keys: Sequence[str | Path],
    out: str | Path,
    *,
    frames: int = 24,
    easing: str = "linear",
    play: Play = "once",
    beyond: float = 0.0,
    align: Align = "eyes",
    show: Show = "masks",
    size: int = 128,
    scheme: str | Path | RegionScheme = "scgan",
    scale: int = 4,
    fps: float = 12,
    with_one_hot: bool = False,
    overwrite: bool = False,
    on_frame: OnFrame = lambda done, total: None,
) -> MorphResult:
    """Morph through `keys` - photos, point files, shard rows, `mirror:` before any - and write the frames to `out`.

    `frames`, `easing`, `play` and `beyond` as `maskkit.morph_points` takes them. `align`: by the `eyes` as CelebA's
    photos (rows of a shard as they lie), or all others onto the eyes and nose of the `first`. The ending of `out`
    decides: `.gif`, `.mp4` and a folder of PNGs hold what `show` names - the masks, the photos bent and blended, or
    those with the masks over them; `.npz` masks and points (with_one_hot: and one-hot maps); `.csv` points; `.h5` a
    shard, whose rows `gan render` takes. `scale` repeats the pixels of films. Raises MaskkitErrors, for what could not
    be written before any work.
    """
    request = _Request(Path(out), as_scheme(scheme), size, show, scale, fps, with_one_hot, overwrite)
    positions = timeline(len(keys), frames, easing, play, beyond)
    _check(request, len(positions), align, [spec_file(key) for key in keys])
    faces = read_keys(keys, size, align)
    path = [*faces, faces[0]] if play == "loop" else faces
    points = along(np.stack([face.points for face in path]), positions)
    masks = rasterize(points, size, request.scheme, backend="numpy")  # too few to load numba for
    photos = None
    if any(face.image is not None for face in path):
        photos = _told(bend_photos(path, positions, points), len(points), on_frame)
    elif show != "masks":
        raise PointsError("none of the faces comes with a photo that could be bent; one photo or shard row is enough")
    _write(request, points, masks, photos)
    on_frame(len(points), len(points))  # what holds no photos is made at once
    return MorphResult(request.out, len(points), measure_flicker(masks), _notes(points, size))


def read_keys(keys: Sequence[str | Path], size: int, align: Align = "eyes") -> list[PlacedFace]:
    """The key faces on a `size` x `size` grid, aligned as `write_morph` says."""
    first = read_face(keys[0], size)
    return [first, *(read_face(key, size, first.points if align == "first" else None) for key in keys[1:])]


def _check(request: _Request, frames: int, align: Align, inputs: Sequence[Path]) -> None:
    """Raise a MaskkitError for what could not be written, before anything is read or drawn."""
    out, ending = request.out, request.out.suffix.lower()
    for name, value, known in (("show", request.show, get_args(Show)), ("align", align, get_args(Align))):
        if value not in known:
            raise OutputError(f"{name} is one of {', '.join(known)}, not {value!r}")
    if ending in DATA_ENDINGS:
        refuse_existing(out, request.overwrite, inputs)
        if out.is_dir():
            raise OutputError(f"{out} is a folder; give another name")
    elif ending not in ("", ".mp4", ".gif"):
        raise OutputError(f"{out}: a morph is written as .mp4, .gif, .npz, .csv, .h5, or as a folder of PNGs")
    else:
        check_output(out, request.fps, request.overwrite, inputs)
    if request.one_hot and ending != ".npz":
        raise OutputError(f"{out}: one-hot maps are written into an .npz")
    if ending in (".mp4", ".gif") and request.size * request.scale > LARGEST_FRAME:
        raise OutputError(
            f"{out}: frames of {request.size * request.scale} pixels are too large; take a smaller size or scale"
        )
    # A label map, and what comes with it: channels, or a photo that is there twice while a shard is composed.
    planes = 1 + (len(request.scheme) if request.one_hot else 0) + (6 if ending == ".h5" else 0)
    if frames * request.size**2 * planes > LARGEST_BYTES:
        raise OutputError(f"{out}: {frames} frames of {request.size} pixels do not fit; take fewer or smaller ones")


def _notes(points: Points, size: int) -> tuple[str, ...]:
    """Say where the face leaves the frame."""
    beyond = np.maximum(-0.5 - points, points - (size - 0.5)).max(axis=2)  # (F, 68), pixels
    outside = beyond > 0
    frames = int(outside.any(axis=1).sum())
    if not frames:
        return ()
    beside_jaw = np.delete(outside, GROUPS["jaw"], axis=1)
    what = "the face" if beside_jaw.any() else "the jaw"
    return (
        f"{what} leaves the frame in {frames} of {len(points)} frames, by up to {beyond.max():.1f} of {size} pixels, "
        "and the masks end at its edge; the points in a .csv are whole",
    )  # fmt: skip


def _told(photos: Iterator[Picture], total: int, on_frame: OnFrame) -> Iterator[Picture]:
    for done, picture in enumerate(photos, 1):
        yield picture
        on_frame(done, total)


def _write(request: _Request, points: Points, masks: LabelMap, photos: Iterator[Picture] | None) -> None:
    out, ending = request.out, request.out.suffix.lower()
    names = [f"frame-{number:04d}" for number in range(len(points))]
    if ending in DATA_ENDINGS:
        if ending == ".h5":
            pictures = _pictures(replace(request, show="photo"), masks, photos)
            content = encode_frame_shard("morph", request.scheme, names, pictures, points, masks)
        elif ending == ".csv":
            content = points_table(dict(zip(names, points, strict=True))).encode()
        else:
            content = _arrays(request, points, masks)
        write_result(out, content, request.overwrite)
    elif ending == "" and request.show == "masks":
        write_frame_folder(out, masks, partial(write_palette_png, scheme=request.scheme), request.overwrite)
    else:
        scale = request.scale if ending else 1
        frames = (enlarge(picture, scale) for picture in _pictures(request, masks, photos))
        write_frames(out, frames, request.fps, request.overwrite)


def _pictures(request: _Request, masks: LabelMap, photos: Iterator[Picture] | None) -> Iterator[Picture]:
    if request.show == "masks" or photos is None:
        yield from (colorize(mask, request.scheme) for mask in masks)
    elif request.show == "photo":
        yield from photos
    else:
        yield from (overlay(photo, mask, request.scheme) for photo, mask in zip(photos, masks, strict=True))


def _arrays(request: _Request, points: Points, masks: LabelMap) -> bytes:
    arrays = {"masks": masks, "points": points}
    if request.one_hot:
        arrays["one_hot"] = one_hot(masks, len(request.scheme))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
