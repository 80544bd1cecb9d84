"""Landmarks found again in pictures, against the landmarks that made their layouts."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

import maskkit
from gan.evaluation.report import Report
from gan.pictures.tiles import Picture
from maskkit.detection.cascade import Box, predict_points
from maskkit.points.landmarks import Points, eye_distance
from maskkit.points.pose import mouth_opening

GROUPS = {"jaw": (0, 17), "brows": (17, 27), "nose": (27, 36), "eyes": (36, 48), "mouth": (48, 68)}

# Where dlib's HOG detector puts its box, in units of the points' root mean square distance from their mean: medians
# over 2,351 photos of CelebA. The side varies by 7 % and the centre by 3 %, about the detector's own steps.
BOX_CENTRE = np.array([-0.017, -0.048])
BOX_SIDE = 2.69

# dlib looks at single pixels; smooth pictures of this size give it what a photo would.
LEAST_SIZE = 256


def box_of(points: Points) -> Box:
    """Give the box that dlib's HOG detector would find round a face with these points (68, 2)."""
    array = points.astype(np.float64)
    mean = array.mean(axis=0)
    spread = float(np.sqrt(((array - mean) ** 2).sum(axis=1).mean()))
    (left, top), (right, bottom) = (mean + (BOX_CENTRE + side * BOX_SIDE / 2) * spread for side in (-1, 1))
    return float(left), float(top), float(right), float(bottom)


def redetect(picture: Picture, points: Points) -> Points:
    """Let dlib find the 68 points of a picture uint8 (H, H, 3) in the box that belongs to `points`, float32 (68, 2).

    The picture is enlarged to 256 pixels or more. Raises MissingExtraError or DetectionError where dlib or its model
    is not there.
    """
    size = len(picture)
    scale = -(-LEAST_SIZE // size)
    large = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    wanted = maskkit.scale_points(points, size, size * scale)
    return maskkit.scale_points(predict_points(large, box_of(wanted)), size * scale, size)


def point_errors(found: Points, wanted: Points) -> NDArray[np.float64]:
    """Give each point's distance over the outer eye corners' distance in `wanted`: (N, 68, 2) twice -> (N, 68)."""
    distance = np.linalg.norm(found.astype(np.float64) - wanted.astype(np.float64), axis=-1)
    return np.asarray(distance / eye_distance(wanted)[..., None])


def pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Give Pearson's r of two vectors, 0 where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / norm) if norm > 0 else 0.0


def measurable(points: Points, size: int) -> NDArray[np.bool_]:
    """Say which faces (N, 68, 2) lie in the picture and have two eyes: bool (N,)."""
    middle = points.mean(axis=1)
    return np.asarray(((middle >= 0) & (middle < size)).all(axis=1) & (eye_distance(points) > 0))


def report_landmarks(
    generated: list[Picture], real: list[Picture], points: Points, report: Report, on_step: Callable[[int, int], None]
) -> None:
    """Add the errors on generated and real pictures, and in others' boxes, where only the box can be right."""
    count = len(points)
    pictures = {"generated": generated, "real": real, "other_face": [*generated[1:], generated[0]]}
    recipes = {
        "generated": "dlib in the layout's box, mean distance to the layout's landmarks over the eye distance",
        "real": "the same on real photos: the floor of the method",
        "other_face": "the same on pictures generated for other layouts: what the box alone gives",
    }
    for done, (name, some) in enumerate(pictures.items()):
        found = []
        for i, (picture, wanted) in enumerate(zip(some, points, strict=True)):
            found.append(redetect(picture, wanted))
            on_step(done * count + i + 1, len(pictures) * count)
        again = np.stack(found)
        errors = point_errors(again, points).mean(axis=0)
        by_group = {group: float(errors[first:end].mean()) for group, (first, end) in GROUPS.items()}
        report.add(f"landmarks/error_{name}", float(errors.mean()), count, recipes[name], by_group)
        if name != "other_face":
            r = pearson(mouth_opening(points), mouth_opening(again))
            recipe = f"Pearson's r of layouts' and re-detected mouth openings over {name} images, a row each"
            report.add(f"landmarks/mouth_r_rows_{name}", r, count, recipe)
