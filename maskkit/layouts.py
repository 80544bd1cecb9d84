"""One face from wherever a user has it - a photo, a point file or a row of a shard - on a square grid."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskkit.aligned import ALIGNED_EYES, ALIGNED_SIZE, CROP
from maskkit.detection import find_face
from maskkit.errors import DetectionError, ShardError
from maskkit.images import SUFFIXES as IMAGE_SUFFIXES
from maskkit.images import Crop
from maskkit.landmarks import Points, check_points, eye_centres, scale_points
from maskkit.point_files import SUFFIXES as POINT_SUFFIXES
from maskkit.point_files import read_points
from maskkit.shards import Shard

SHARD_ROW = re.compile(r"(?P<file>.+\.h5)#(?P<row>[0-9]{1,9})")


def read_layout(spec: str | Path, size: int) -> Points:
    """The points of one face on a `size` x `size` grid, float32 (68, 2).

    `spec` is a row of a shard (`OUT/train-00000.h5#12`), taken as it lies; or a point file or photo, whose face is
    aligned by its eyes as CelebA's photos are. Of several faces in a photo the largest is taken. Raises a
    MaskkitError that names `spec`.
    """
    shard_row = SHARD_ROW.fullmatch(str(spec))
    if shard_row:
        return _shard_points(Path(shard_row["file"]), int(shard_row["row"]), size)
    path = Path(spec)
    suffix = path.suffix.lower()
    if suffix in POINT_SUFFIXES:
        points = read_points(path)
    elif suffix in IMAGE_SUFFIXES:
        points = find_face(path)[1].points
    else:
        kinds = ", ".join((*POINT_SUFFIXES, *IMAGE_SUFFIXES))
        raise DetectionError(f"{spec}: neither a shard row (OUT/train-00000.h5#12) nor a file ending in {kinds}")
    return align_points(points, size, source=str(spec))


def align_points(points: ArrayLike, size: int, source: str = "the points") -> Points:
    """Turn, scale and shift one face so that its eyes lie where CelebA's aligned photos have them, cropped to `size`.

    float32 (68, 2) in any pixels -> float32 (68, 2) on the `size` x `size` grid. Raises DetectionError where both
    eyes lie in one place.
    """
    face = check_points(points, source).astype(np.float64)
    matrix, shift = _similarity(eye_centres(face), ALIGNED_EYES, source)
    height, width = ALIGNED_SIZE
    crop = Crop.centred(height, width, CROP, size)
    return crop.points((face @ matrix.T + shift).astype(np.float32))


def _similarity(
    start: NDArray[np.float64], end: NDArray[np.float64], source: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rotation, scale and shift that bring two points onto two others exactly."""
    old, new = (complex(*(pair[1] - pair[0])) for pair in (start, end))
    if abs(old) < 1e-6:
        raise DetectionError(f"{source}: both eyes lie in one place, so the face cannot be aligned")
    turn = new / old
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return matrix, end[0] - matrix @ start[0]


def _shard_points(path: Path, row: int, size: int) -> Points:
    with Shard(path) as shard:
        if not shard.has_landmarks:
            raise ShardError(f"{path} holds no points, only masks")
        if row >= len(shard):
            raise ShardError(f"{path} has rows 0 to {len(shard) - 1}, and row {row} was asked for")
        return scale_points(shard.read(row)["landmarks"], shard.size, size)
