"""Whole-pixel against fractional landmarks: mean point error over the distance of the outer eye corners.

    python benchmarks/detection.py FOLDER

FOLDER holds photos with hand-made `.pts` files beside them. dlib's model was trained on the 300-W photos: on those this
compares variants and says nothing about accuracy on other photos.
"""

import sys
from pathlib import Path

import numpy as np

import maskkit
from maskkit.detection.cascade import predict_points
from maskkit.points.landmarks import eye_distance


def nearest(faces: list[maskkit.Face], truth: np.ndarray) -> maskkit.Face | None:
    """The face whose middle is nearest to the hand-made one's, if it is nearer than half an eye distance."""
    middle = truth.mean(axis=0)
    best = min(faces, key=lambda face: np.linalg.norm(face.points.mean(axis=0) - middle), default=None)
    if best is None or np.linalg.norm(best.points.mean(axis=0) - middle) > eye_distance(truth) / 2:
        return None
    return best


def main() -> None:
    """Print the table."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    errors: dict[str, list[float]] = {"whole pixels": [], "fractions": []}
    steps: dict[str, int] = {}
    files = sorted(Path(sys.argv[1]).glob("*.pts"))
    for path in files:
        truth = maskkit.read_points(path)
        image = maskkit.read_image(path.with_suffix(".jpg"))
        face = nearest(maskkit.detect(image), truth)
        if face is None:
            continue
        steps[face.detector] = steps.get(face.detector, 0) + 1
        whole = predict_points(image, face.box, enlargement=1)
        for name, points in (("whole pixels", whole), ("fractions", face.points)):
            distances = np.linalg.norm(points.astype(np.float64) - truth, axis=1)
            errors[name].append(float(distances.mean() / eye_distance(truth)))
    print(f"{len(files)} annotated faces, {sum(steps.values())} found: {steps}")
    for name, values in errors.items():
        print(f"{name:14} mean error {np.mean(values):.2%} of the eye distance, median {np.median(values):.2%}")


if __name__ == "__main__":
    main()
