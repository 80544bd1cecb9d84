"""One face from wherever a user has it - a photo, a point file or a row of a shard - on a square grid."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from maskkit.detection.cascade import find_face
from maskkit.errors import DetectionError, PointsError, ShardError
from maskkit.masks.overlays import notebook_png
from maskkit.photos.alignment import Alignment, move_picture
from maskkit.photos.celeba_geometry import CROP
from maskkit.photos.images import SUFFIXES as IMAGE_SUFFIXES
from maskkit.photos.images import Picture, resize
from maskkit.points.landmarks import Points, check_points, mirror_points, scale_points
from maskkit.points.point_files import SUFFIXES as POINT_SUFFIXES
from maskkit.points.point_files import read_points
from maskkit.points.similarity import EYES_AND_NOSE, Matrix, fit_similarity, move_points
from maskkit.shards.reader import Shard

SHARD_ROW = re.compile(r"(?P<file>.+\.h5)#(?P<row>[0-9]{1,9})")
MIRROR_PREFIX = "mirror:"


@dataclass(frozen=True)
class PlacedFace:
    """A face on a square grid: points float32 (68, 2) and, unless it came from a point file, its photo (H, H, 3)."""

    points: Points
    image: Picture | None

    def __repr__(self) -> str:
        photo = "no photo" if self.image is None else f"photo {self.image.shape[1]} x {self.image.shape[0]}"
        return f"PlacedFace({photo})"

    def _repr_png_(self) -> bytes:
        return notebook_png(self.points, self.image)


def read_face_points(spec: str | Path, size: int) -> Points:
    """The points of one face on a `size` x `size` grid, float32 (68, 2).

    `spec` is a row of a shard (`OUT/train-00000.h5#12`), taken as it lies; or a point file or photo, whose face is
    aligned by its eyes as CelebA's photos are. Of several faces in a photo the largest is taken. `mirror:` before any
    of them mirrors the face on the grid. Raises a MaskkitError that names `spec`.
    """
    return read_face(spec, size).points


def read_face(spec: str | Path, size: int, onto: Points | None = None) -> PlacedFace:
    """One face on a `size` x `size` grid, with its photo where there is one; `spec` as `read_face_points` takes it.

    With `onto`, points (68, 2) on that grid, every face is turned, scaled and shifted so that the points of its eyes
    and nose come closest to those, and mirrored only then. Raises a MaskkitError that names `spec`.
    """
    name = str(spec)
    if name.startswith(MIRROR_PREFIX):
        face = read_face(name.removeprefix(MIRROR_PREFIX), size, onto)
        image = None if face.image is None else np.ascontiguousarray(face.image[:, ::-1])
        return PlacedFace(mirror_points(face.points, size), image)
    if shard_row := SHARD_ROW.fullmatch(name):
        face = _shard_face(Path(shard_row["file"]), int(shard_row["row"]), size)
        return face if onto is None else _moved(face, _onto(face.points, onto, name), size)
    face = _free_face(Path(spec))
    matrix = eye_alignment(face.points, size, name) if onto is None else _onto(face.points, onto, name)
    return _moved(face, matrix, size)


def spec_file(spec: str | Path) -> Path:
    """The file that a face is read from."""
    name = str(spec)
    while name.startswith(MIRROR_PREFIX):
        name = name.removeprefix(MIRROR_PREFIX)
    shard_row = SHARD_ROW.fullmatch(name)
    return Path(shard_row["file"] if shard_row else name)


def align_points(points: ArrayLike, size: int, source: str = "the points") -> Points:
    """Turn, scale and shift one face so that its eyes lie where CelebA's aligned photos have them, cropped to `size`.

    float32 (68, 2) in any pixels -> float32 (68, 2) on the `size` x `size` grid. Raises DetectionError where both
    eyes lie in one place.
    """
    return move_points(points, eye_alignment(points, size, source))


def eye_alignment(points: ArrayLike, size: int, source: str = "the points") -> Matrix:
    """The similarity by which `align_points` moves a face, float64 (2, 3)."""
    face = check_points(points, source)
    try:
        return Alignment.by_eyes(face, CROP, size).matrix
    except PointsError as error:
        raise DetectionError(f"{source}: {error}") from error


def _onto(points: Points, target: Points, source: str) -> Matrix:
    return fit_similarity(points[EYES_AND_NOSE], check_points(target, "the target")[EYES_AND_NOSE], source)


def _moved(face: PlacedFace, matrix: Matrix, size: int) -> PlacedFace:
    """The face and its photo on the grid that a similarity leads to; beyond the photo its edge goes on."""
    points = move_points(face.points, matrix)
    if face.image is None:
        return PlacedFace(points, None)
    return PlacedFace(points, move_picture(face.image, matrix, size))


def _free_face(path: Path) -> PlacedFace:
    """The face of a point file or photo in its own pixels."""
    suffix = path.suffix.lower()
    if suffix in POINT_SUFFIXES:
        return PlacedFace(read_points(path), None)
    if suffix in IMAGE_SUFFIXES:
        image, face = find_face(path)
        return PlacedFace(face.points, image)
    kinds = ", ".join((*POINT_SUFFIXES, *IMAGE_SUFFIXES))
    raise DetectionError(f"{path}: neither a shard row (OUT/train-00000.h5#12) nor a file ending in {kinds}")


def _shard_face(path: Path, row: int, size: int) -> PlacedFace:
    with Shard(path) as shard:
        if not shard.has_landmarks:
            raise ShardError(f"{path} holds no points, only masks")
        if row >= len(shard):
            raise ShardError(f"{path} has rows 0 to {len(shard) - 1}, and row {row} was asked for")
        sample = shard.read(row)
        return PlacedFace(scale_points(sample["landmarks"], shard.size, size), resize(sample["image"], size))
