"""Points to begin with, where those that a row has are wrong."""

from collections.abc import Callable

import numpy as np

from maskkit.detection import mtcnn
from maskkit.detection.cascade import box_about, detect
from maskkit.detection.dlib_models import predict_points
from maskkit.errors import DetectionError
from maskkit.photos.celeba_geometry import ALIGNED_SIZE, CROP, USUAL_BOX
from maskkit.photos.images import Crop
from maskkit.points.landmarks import Points, mirror_points
from maskkit.points.pose import upright
from maskkit.points.similarity import fit_similarity, move_points
from maskkit.studio.review import ReviewedRows

Propose = Callable[[ReviewedRows, int], Points]


def by_hog(rows: ReviewedRows, number: int) -> Points:
    """Those of the largest face that HOG finds in the row's picture."""
    image = rows.read(number)["image"]
    faces = detect(image, "hog") or detect(image, "hog-upsampled")
    if not faces:
        raise DetectionError("HOG finds no face in this picture")
    return faces[0].points


def by_mtcnn(rows: ReviewedRows, number: int) -> Points:
    """Those of dlib's predictor in the box about MTCNN's five points."""
    if not mtcnn.available():
        raise DetectionError(f"MTCNN is not installed; {mtcnn.advice()}")
    image = rows.read(number)["image"]
    found = mtcnn.find_five_points(image)
    if not found:
        raise DetectionError("MTCNN finds no face in this picture")
    return predict_points(image, box_about(found[0][0]))


def by_usual_box(rows: ReviewedRows, number: int) -> Points:
    """Those of dlib's predictor in the box where aligned photos have their faces."""
    crop = rows.dataset.options.get("crop", CROP)
    if not isinstance(crop, int) or not crop > 0:
        raise DetectionError("the data set does not say how its photos were cut, so the usual place is not known")
    height, width = ALIGNED_SIZE
    view = Crop((width - crop) // 2, (height - crop) // 2, crop, rows.size)
    (left, top), (right, bottom) = view.points(np.array(USUAL_BOX, dtype=np.float32).reshape(2, 2)).tolist()
    return predict_points(rows.read(number)["image"], (left, top, right, bottom))


def mirrored_neighbour(rows: ReviewedRows, number: int) -> Points:
    """The face of the same shard that, seen in a mirror, is closest in shape to this one, moved into its place."""
    own: Points = rows.read(number)["landmarks"]
    others = np.delete(rows.neighbours(number), rows.rows[number].row, axis=0)
    if not len(others):
        raise DetectionError("there is no other row beside this one")
    mirrored = mirror_points(others, rows.size)
    gaps = np.nan_to_num(((upright(mirrored) - upright(own[None])) ** 2).sum(axis=(1, 2)), nan=np.inf)
    nearest = mirrored[int(gaps.argmin())]
    return move_points(nearest, fit_similarity(nearest, own, "the nearest face"))


PROPOSALS: dict[str, tuple[str, Propose]] = {
    "hog": ("HOG", by_hog),
    "mtcnn": ("MTCNN", by_mtcnn),
    "usual-box": ("usual box", by_usual_box),
    "neighbour": ("mirrored neighbour", mirrored_neighbour),
}
