"""Photos that follow their points: a thin-plate spline through all of them."""

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskkit.errors import MissingExtraError, PointsError
from maskkit.morphs.paths import neighbours
from maskkit.morphs.placed_faces import PlacedFace
from maskkit.photos.images import Picture, check_picture
from maskkit.points.landmarks import Points, check_points

# How far the spline may leave a point aside to bend less, in units of the picture's side. Lips that touch in one
# photo and part in the other would otherwise pull one place two ways; other points come out within a tenth of a pixel.
SMOOTHING = 1e-5
ROWS_AT_ONCE = 64  # bounds the memory of large pictures

Source = tuple[Picture, Points]


def warp_picture(image: Picture, points: ArrayLike, target: ArrayLike) -> Picture:
    """Bend a picture, uint8 RGB (H, W, 3), so that the face at `points` comes to lie at `target`, both (68, 2).

    A thin-plate spline (scipy) leads the points and eight on the picture's edge, which stay; between them it bends as
    little as it can. Equal points give the picture itself. Raises ImageError, PointsError or MissingExtraError.
    """
    picture = check_picture(image)
    start, end = check_points(points, "the points"), check_points(target, "the target")
    if start.shape != end.shape or start.ndim != 2:
        raise PointsError(f"a picture is bent from one face to one, not from {start.shape} to {end.shape}")
    height, width = picture.shape[:2]
    spline = _spline(end, start, height, width)  # backwards: which place of the picture does each pixel show?
    y, x = np.mgrid[:height, :width].astype(np.float64)
    pixels = np.stack([x, y], axis=-1)
    side = max(height, width)
    places = np.empty((height, width, 2), dtype=np.float32)
    for row in range(0, height, ROWS_AT_ONCE):
        band = slice(row, row + ROWS_AT_ONCE)
        places[band] = (spline(pixels[band].reshape(-1, 2) / side) * side).reshape(-1, width, 2)
    warped = cv2.remap(picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, dtype=np.uint8)


def _spline(start: Points, end: Points, height: int, width: int) -> Any:
    try:
        from scipy.interpolate import RBFInterpolator
    except ImportError as error:
        raise MissingExtraError("scipy", "warp", "bending a photo to moved points") from error
    shares = [(x, y) for x in (0, 0.5, 1) for y in (0, 0.5, 1) if (x, y) != (0.5, 0.5)]
    edge: NDArray[np.float64] = np.array(shares) * (width - 1, height - 1)
    side = max(height, width)
    known, values = (np.concatenate([face.astype(np.float64), edge]) / side for face in (start, end))
    return RBFInterpolator(known, values, smoothing=SMOOTHING, kernel="thin_plate_spline")


def bend_photos(path: Sequence[PlacedFace], positions: NDArray[np.float64], points: Points) -> Iterator[Picture]:
    """The photo of every frame of a morph: those of the two keys beside it, bent to the frame's points and blended.

    `positions` (F,) lie on the `path` as `timeline` gives them, `points` (F, 68, 2) are the frames'.
    A key without a photo borrows that of the nearest key that has one. Raises PointsError where no key has.
    """
    sources = _sources(path)
    first, share = neighbours(len(path), positions)
    for key, weight, face in zip(first.tolist(), np.clip(share, 0, 1).tolist(), points, strict=True):
        bent = np.zeros((), dtype=np.float32)
        for (image, start), part in _merged([(sources[key], 1 - weight), (sources[key + 1], weight)]):
            bent = bent + np.float32(part) * warp_picture(image, start, face)
        yield np.rint(bent).astype(np.uint8)


def _sources(path: Sequence[PlacedFace]) -> list[Source]:
    """The photo, and the points in it, that each key lends."""
    having = {number: (face.image, face.points) for number, face in enumerate(path) if face.image is not None}
    if not having:
        raise PointsError("none of the faces comes with a photo that could be bent; one photo or shard row is enough")
    return [having[min(having, key=lambda other: abs(other - number))] for number in range(len(path))]


def _merged(parts: list[tuple[Source, float]]) -> list[tuple[Source, float]]:
    """Without sources that have no part, and a source that stands twice only once."""
    if parts[0][0] is parts[1][0]:
        return [(parts[0][0], 1.0)]
    return [part for part in parts if part[1] > 0]
