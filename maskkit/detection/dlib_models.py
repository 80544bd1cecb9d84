"""dlib's detector and 68-point predictor: finding the model file, loading each once per process, and using them."""

import importlib.util
import math
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.errors import DetectionError, MissingExtraError, PointsError
from maskkit.extras import way_to_get
from maskkit.files.regular import file_sha256
from maskkit.photos.images import Picture
from maskkit.points.landmarks import Points

MODEL_NAME = "shape_predictor_68_face_landmarks.dat"
MODEL_SHA256 = "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f"
MODEL_VARIABLE = "MASKKIT_DLIB_MODEL"

ENLARGEMENT = 4
LARGEST_SEARCHED = 16_000_000  # pixels; time and memory for more are not worth faces of 2 % of the side
LARGEST_ENLARGED_BOX = 1600  # pixels; a face this large needs no finer steps than dlib's whole pixels

Box = tuple[float, float, float, float]


def find_model() -> Path:
    """The 68-point model file: named by the variable MASKKIT_DLIB_MODEL, or from the package face-recognition-models.

    Raises DetectionError that says how to get it.
    """
    named = os.environ.get(MODEL_VARIABLE)
    if named:
        if not Path(named).exists():
            raise DetectionError(f"{MODEL_VARIABLE} names {named}, and there is no such file")
        return Path(named)
    # The package is located and never imported: its import needs pkg_resources, which new setuptools lacks.
    spec = importlib.util.find_spec("face_recognition_models")
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder) / "models" / MODEL_NAME
        if path.is_file():
            return path
    raise DetectionError(
        f"dlib's 68-point model is not here; get it with: {way_to_get('detect')}, "
        f"or let {MODEL_VARIABLE} name a {MODEL_NAME}"
    )


def import_dlib() -> Any:
    """The module dlib, from whichever package carries it."""
    try:
        import dlib
    except ImportError as error:
        raise MissingExtraError("dlib", "detect", "finding faces") from error
    return dlib


@lru_cache(maxsize=1)
def detector() -> Any:
    """dlib's HOG detector of frontal faces, loaded once per process."""
    return import_dlib().get_frontal_face_detector()


@lru_cache(maxsize=1)
def predictor() -> Any:
    """dlib's 68-point predictor, loaded once per process."""
    dlib, path = import_dlib(), find_model()
    try:
        # The file has no checksum of its own. Reading its 100 MB takes a tenth of the time of loading it.
        digest = file_sha256(path)
        if digest != MODEL_SHA256 and not os.environ.get(MODEL_VARIABLE):  # a user's own may be any
            raise DetectionError(
                f"{path} is damaged: its SHA-256 is {digest[:12]}..., and that of dlib's model {MODEL_SHA256[:12]}...; "
                f"install it again, or let {MODEL_VARIABLE} name it to have it used as it is"
            )
        return dlib.shape_predictor(str(path))
    except OSError as error:
        raise DetectionError(f"{path}: {error.strerror}") from error
    except RuntimeError as error:
        raise DetectionError(f"{path} is not a dlib model that can be read ({error}); install it again") from error


def find_boxes(image: Picture, upsample: int, least_score: float = 0.0) -> list[tuple[Box, float]]:
    """The boxes and scores of dlib's HOG detector, enlarged twice `upsample` times before.

    RGB uint8 (H, W, 3) or grey (H, W), which is faster and finds a few faces less.
    Photos above 16 million pixels are searched half or a third as large, and not enlarged: then nothing is found.
    """
    if upsample and image.shape[0] * image.shape[1] > LARGEST_SEARCHED:
        return []
    image, shrunk = to_search(image)
    boxes, scores, _ = detector().run(image, upsample, least_score)
    found = [(box.left(), box.top(), box.right(), box.bottom()) for box in boxes]
    if shrunk > 1:
        found = [tuple(round((edge + 0.5) * shrunk - 0.5) for edge in box) for box in found]
    return list(zip(found, scores, strict=True))


def to_search(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """A picture of at most 16 million pixels in which faces are sought, and how many times smaller it is.

    One of 64 million took 20 seconds, which a file of 0.2 MB can ask for, for faces of 1 % of its side.
    """
    height, width = image.shape[:2]
    times = math.ceil(math.sqrt(height * width / LARGEST_SEARCHED))
    if times <= 1:
        return image, 1
    smaller = cv2.resize(image, (max(1, width // times), max(1, height // times)), interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, dtype=np.uint8), times


def grey(image: Picture) -> NDArray[np.uint8]:
    """The brightness of RGB uint8 (H, W, 3): (H, W)."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def predict_points(image: Picture, box: Box, enlargement: int = ENLARGEMENT) -> Points:
    """The 68 points of the face in `box`, with fractions of a pixel: float32 (68, 2).

    dlib answers in whole pixels. The surroundings of the box are enlarged four times, the points found there, and
    mapped back by (q + 0.5) / 4 - 0.5 (boxes above 400 pixels are enlarged less: there a pixel is fine enough).
    An `enlargement` of 1 gives dlib's whole pixels. Raises PointsError for a box beside the picture or without area.
    """
    left, top, right, bottom = (round(edge) for edge in box)
    width = max(right - left + 1, bottom - top + 1)
    height, across = image.shape[:2]
    if right < left or bottom < top or left >= across or top >= height or right < 0 or bottom < 0:
        raise PointsError(f"the box {box} has no place in a picture of {across} x {height} pixels")
    scale = max(1, min(enlargement, LARGEST_ENLARGED_BOX // width))
    # The predictor looks at pixels near the points, so half a box's width on every side gives it all it would see; it
    # looks at brightness alone, which is enlarged in a third of the time.
    margin = width // 2
    x0, y0 = max(0, left - margin), max(0, top - margin)
    cut = grey(image[y0 : bottom + margin + 1, x0 : right + margin + 1])
    if scale > 1:
        cut = np.asarray(cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    rectangle = import_dlib().rectangle(
        (left - x0) * scale, (top - y0) * scale, (right - x0 + 1) * scale - 1, (bottom - y0 + 1) * scale - 1
    )
    shape = predictor()(cut, rectangle)
    whole = np.array([(part.x, part.y) for part in shape.parts()], dtype=np.float64)
    return ((whole + 0.5) / scale - 0.5 + (x0, y0)).astype(np.float32)
