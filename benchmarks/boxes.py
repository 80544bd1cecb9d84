"""How MTCNN's five points become a box as dlib's HOG gives it: the relation, and what it costs in points.

    python benchmarks/boxes.py FOLDER

FOLDER holds photos, `.pts` with hand-made points beside them where there are any. For every face that both find, HOG's
box is compared with the square about the five points' mean: its side over their root mean square distance from it, and
how far its middle lies from it in shares of its side. Then the points from HOG's box, from the square of maskkit and
from MTCNN's usual stand-in - the points' own bounding square, twice as large - are compared with the hand-made ones, or
where there are none with those of HOG's box: mean distance over the distance of the outer eye corners.
"""

import sys
from pathlib import Path

import numpy as np

import maskkit
from maskkit.detection import dlib_models, mtcnn
from maskkit.detection.cascade import box_about
from maskkit.detection.dlib_models import Box, predict_points
from maskkit.points.landmarks import eye_distance


def middle(box: Box) -> np.ndarray:
    """The middle of a box."""
    return np.array([box[0] + box[2], box[1] + box[3]]) / 2


def bounding_square(five: np.ndarray) -> Box:
    """The square about the five points' bounding box, twice as large."""
    centre = (five.min(axis=0) + five.max(axis=0)) / 2
    half = np.ptp(five, axis=0).max()
    return tuple(float(edge) for edge in (*(centre - half), *(centre + half)))


def main() -> None:
    """Print the two tables."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sides, offsets = [], []
    errors: dict[str, list[float]] = {"HOG's box": [], "square about the five points": [], "bounding square": []}
    paths = sorted(path for path in Path(sys.argv[1]).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    for path in paths:
        image = maskkit.read_image(path)
        hog, fives = dlib_models.find_boxes(image, 0), mtcnn.find_five_points(image)
        truth = path.with_suffix(".pts")
        for box, _ in hog:
            side = box[2] - box[0]
            near = [five for five, _ in fives if np.linalg.norm(five.mean(axis=0) - middle(box)) < side / 3]
            if not near:
                continue
            five = near[0]
            sides.append(side / np.sqrt(((five - five.mean(axis=0)) ** 2).sum(axis=1).mean()))
            offsets.append((middle(box) - five.mean(axis=0)) / side)
            from_hog = predict_points(image, box)
            wanted = maskkit.read_points(truth) if truth.exists() else from_hog
            if np.linalg.norm(from_hog.mean(axis=0) - wanted.mean(axis=0)) > eye_distance(wanted) / 2:
                continue  # another person's face
            for name, one in zip(errors, (box, box_about(five), bounding_square(five)), strict=True):
                distances = np.linalg.norm(predict_points(image, one).astype(np.float64) - wanted, axis=1)
                errors[name].append(float(distances.mean() / eye_distance(wanted)))
    spread = np.percentile(sides, [5, 50, 95])
    print(f"{len(paths)} photos, {len(sides)} faces found by both")
    print(f"side over spread: median {spread[1]:.2f}, from {spread[0]:.2f} (5 %) to {spread[2]:.2f} (95 %)")
    x, y = np.median(offsets, axis=0)
    print(f"middle of HOG's box from the points' mean, median: {x:+.3f} of its side across, {y:+.3f} down")
    for name, values in errors.items():
        mean, median, most = np.mean(values), np.median(values), np.percentile(values, 98)
        print(f"{name:30} mean {mean:.2%}, median {median:.2%}, 98 % {most:.2%}")


if __name__ == "__main__":
    main()
