"""Photo to points: dlib's HOG detector, its 68-point predictor with fractions, and CelebA's usual box."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit import dlib_models
from maskkit.aligned import ALIGNED_SIZE, USUAL_BOX
from maskkit.errors import DetectionError
from maskkit.images import Picture, check_picture, read_image
from maskkit.landmarks import POINT_COUNT, Points

Box = tuple[float, float, float, float]

ENLARGEMENT = 4
LARGEST_ENLARGED_BOX = 1600  # pixels; a face this large needs no finer steps than dlib's whole pixels


@dataclass(frozen=True)
class Face:
    """A found face. Points float32 (68, 2) and box (left, top, right, bottom) in pixels of the photo, counted from 0.

    `score` is the detector's confidence, NaN for the usual box, which nothing detected; `detector` names the step.
    """

    points: Points
    box: Box
    score: float
    detector: str


def detect(image: Picture, detector: str = "auto") -> list[Face]:
    """Find the faces in an RGB picture, uint8 (H, W, 3), the largest first; an empty list where there is none.

    `auto` runs HOG (faces from about 80 pixels) and, where that finds nothing, HOG on the picture enlarged twice.
    `hog`, `hog-upsampled` and `usual-box` run one step alone; the last finds nothing but in aligned photos.
    Raises DetectionError, MissingExtraError or ImageError.
    """
    steps = ("hog", "hog-upsampled") if detector == "auto" else (detector,)
    return _first_hit(check_picture(image), steps)


def find_face(path: str | Path, detector: str = "auto") -> tuple[Picture, Face]:
    """Read a photo and find its largest face; DetectionError names the photo that shows none."""
    image = read_image(path)
    faces = detect(image, detector)
    if not faces:
        raise DetectionError(f"{path}: no face found; faces of 40 pixels and more, seen from the front, are")
    return image, faces[0]


def detect_aligned(image: Picture, detector: str = "auto") -> list[Face]:
    """Find the face of a photo aligned as CelebA's are, the one nearest to the usual place first.

    `auto` runs HOG, HOG on the picture enlarged twice and, on a photo of 178 x 218 pixels, takes the usual box.
    """
    steps = tuple(STEPS) if detector == "auto" else (detector,)
    faces = _first_hit(check_picture(image), steps)
    return sorted(faces, key=lambda face: np.hypot(*(_centre(face.box) - _centre(USUAL_BOX))))


def predict_points(image: Picture, box: Box, enlargement: int = ENLARGEMENT) -> Points:
    """The 68 points of the face in `box`, with fractions of a pixel: float32 (68, 2).

    dlib answers in whole pixels. The surroundings of the box are enlarged four times, the points found there, and
    mapped back by (q + 0.5) / 4 - 0.5 (boxes above 400 pixels are enlarged less: there a pixel is fine enough).
    An `enlargement` of 1 gives dlib's whole pixels.
    """
    left, top, right, bottom = (round(edge) for edge in box)
    width = max(right - left + 1, bottom - top + 1)
    scale = max(1, min(enlargement, LARGEST_ENLARGED_BOX // width))
    # The predictor looks at pixels near the points, so a box width on every side gives it all it would see.
    x0, y0 = max(0, left - width), max(0, top - width)
    cut = image[y0 : bottom + width + 1, x0 : right + width + 1]
    if scale > 1:
        cut = np.asarray(cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    rectangle = dlib_models.import_dlib().rectangle(
        (left - x0) * scale, (top - y0) * scale, (right - x0 + 1) * scale - 1, (bottom - y0 + 1) * scale - 1
    )
    shape = dlib_models.predictor()(cut, rectangle)
    whole = np.array([(shape.part(i).x, shape.part(i).y) for i in range(POINT_COUNT)], dtype=np.float64)
    return ((whole + 0.5) / scale - 0.5 + (x0, y0)).astype(np.float32)


def _hog(image: Picture, upsample: int) -> list[tuple[Box, float]]:
    boxes, scores, _ = dlib_models.detector().run(image, upsample, 0.0)
    return [
        ((box.left(), box.top(), box.right(), box.bottom()), score) for box, score in zip(boxes, scores, strict=True)
    ]


def _usual_box(image: Picture) -> list[tuple[Box, float]]:
    return [(USUAL_BOX, float("nan"))] if image.shape[:2] == ALIGNED_SIZE else []


# The order is the code of each step in shards: append, never reorder.
STEPS: dict[str, Callable[[Picture], list[tuple[Box, float]]]] = {
    "hog": partial(_hog, upsample=0),
    "hog-upsampled": partial(_hog, upsample=1),
    "usual-box": _usual_box,
}
DETECTORS = ("auto", *STEPS)


def _first_hit(image: Picture, steps: tuple[str, ...]) -> list[Face]:
    """The faces of the first step that finds any, the largest first."""
    for step in steps:
        if step not in STEPS:
            raise DetectionError(f"there is no detector {step!r}: take one of {', '.join(DETECTORS)}")
        found = STEPS[step](image)
        if found:
            faces = [Face(predict_points(image, box), box, score, step) for box, score in found]
            return sorted(faces, key=lambda face: _width(face.box), reverse=True)
    return []


def _width(box: Box) -> float:
    return box[2] - box[0]


def _centre(box: Box) -> NDArray[np.float64]:
    return np.array([box[0] + box[2], box[1] + box[3]]) / 2
