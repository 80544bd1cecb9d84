"""Photo to points: a cascade of detectors, each looked at where those before it found no face, and dlib's predictor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from maskkit.detection import dlib_models, mtcnn
from maskkit.detection.dlib_models import ENLARGEMENT, Box, predict_points
from maskkit.errors import DetectionError, PointsError
from maskkit.masks.overlays import notebook_png
from maskkit.photos.celeba_geometry import ALIGNED_SIZE, SURROUNDINGS, USUAL_BOX
from maskkit.photos.images import Picture, check_picture, read_image
from maskkit.points.landmarks import Points, check_points, eye_distance

__all__ = ["DETECTORS", "ENLARGEMENT", "FREE_DETECTORS", "STEPS", "Box", "Detector", "Face", "FaceChoice", "choose",
           "detect", "detect_aligned", "find_face", "predict_points", "quality", "steps_of"]  # fmt: skip

# The order is the code of each step in shards: append, never reorder. A detector of the user's own comes after these.
STEPS = ("hog", "hog-upsampled", "usual-box", "mtcnn", "five-points", "given")
FREE_DETECTORS = ("auto", "hog", "hog-upsampled", "mtcnn")
DETECTORS = (*FREE_DETECTORS, "usual-box", "five-points")

# dlib's box is a square about the mean of the five points, this many times their root mean square distance from it:
# the median over CelebA, LFW and Helen, see benchmarks/boxes.py.
BOX_SPREADS = 3.6
ALIGNED_FACE = 80  # pixels; an aligned photo's face is larger, and not looking for smaller ones is five times faster
# Intersection over union of boxes that may be one face's. With the usual box: a face that lies elsewhere is not the
# photo's. Of two steps' boxes: on eleven photos of up to seven faces, one face's overlap by 0.44 or more, two faces' by
# 0.13 or less.
LEAST_OVERLAP = 0.25
SHIFT = 0.05  # of the box's width, for the quality score

FaceChoice = int | str  # the number of a face, counted from 1 by falling size, or "all"


@dataclass(frozen=True)
class Face:
    """A found face. Points float32 (68, 2) and box (left, top, right, bottom) in pixels of the photo, counted from 0.

    `score` is the detector's confidence, NaN where nothing was detected; `detector` names the step.
    """

    points: Points
    box: Box
    score: float
    detector: str

    def __repr__(self) -> str:
        left, top, right, bottom = self.box
        box = f"{right - left:.0f} x {bottom - top:.0f} at ({left:.0f}, {top:.0f})"
        return f"Face({self.detector} {self.score:.2f}, {box})"

    def _repr_png_(self) -> bytes:
        return notebook_png(self.points)


@dataclass(frozen=True)
class Sighting:
    """Where a step sees a face, and how sure it is; `points` where it gives them itself. See Face."""

    box: Box
    score: float
    detector: str
    points: Points | None = None

    def face(self, image: Picture) -> Face:
        """The face with its points; those of dlib's predictor in the box, where the step gave none."""
        points = predict_points(image, self.box) if self.points is None else self.points
        return Face(points, self.box, self.score, self.detector)


class Detector(Protocol):
    """What finds faces; bring your own by a class with these two, and give an object of it wherever a name goes.

    Who finds only boxes takes the points from `maskkit.predict_points(image, box)`. For builds with several workers
    the class must lie in a module that they can import.
    """

    @property
    def name(self) -> str:
        """What the rows of a data set and its ledger call it; none of STEPS."""
        ...

    def find(self, image: Picture) -> list[Face]:
        """The faces in RGB uint8 (H, W, 3), in any order."""
        ...


def detect(image: Picture, detector: str | Detector = "auto", *, every_face: bool = False) -> list[Face]:
    """Find the faces in an RGB picture, uint8 (H, W, 3), the largest first; an empty list where there is none.

    `auto` runs HOG (faces from about 80 pixels), where that finds nothing HOG on the picture enlarged twice, and last
    MTCNN if facenet-pytorch is there. A step's name runs that alone; a `Detector` of your own is asked instead.
    With `every_face` no step is left out, and the faces that each finds are united, one face once.
    Raises DetectionError, MissingExtraError or ImageError.
    """
    steps = steps_of(detector) if isinstance(detector, str) else detector
    image = check_picture(image)
    return [seen.face(image) for seen in see_faces(image, steps, every_face)]


def find_face(path: str | Path, detector: str | Detector = "auto") -> tuple[Picture, Face]:
    """Read a photo and find its largest face; DetectionError names the photo that shows none."""
    image = read_image(path)
    return image, choose(detect(image, detector), 1, str(path))[0]


def choose(faces: list[Face], choice: FaceChoice, source: str) -> list[Face]:
    """Of the faces that `detect` gave, the one of a number counted from 1, or "all" of them.

    Raises DetectionError, which names `source`, where there is none or none of that number.
    """
    if not faces:
        raise DetectionError(f"{source}: no face found; faces of 40 pixels and more, seen from the front, are")
    if choice == "all":
        return faces
    if not isinstance(choice, int) or choice < 1:
        raise DetectionError(f"{choice!r} chooses no face; give a number from 1, by falling size, or all")
    if choice > len(faces):
        raise DetectionError(f"{source}: face {choice} was asked for, and {len(faces)} were found")
    return [faces[choice - 1]]


def detect_aligned(
    image: Picture, detector: str | Detector = "auto", five_points: NDArray[np.float64] | None = None
) -> list[Face]:
    """Find the face of a photo aligned as CelebA's are, the one nearest to the usual place first.

    `auto` runs the steps of `detect`, passing over faces that lie elsewhere, and on a photo of 178 x 218 pixels takes
    the box about the `five_points` (5, 2), if given (CelebA's own table has them), or else the usual box.
    """
    steps = steps_of(detector, True, five_points is not None) if isinstance(detector, str) else detector
    image = check_picture(image)
    return [seen.face(image) for seen in see_aligned_faces(image, steps, five_points)]


def quality(image: Picture, face: Face) -> float:
    """How far the points move when the face's box is shifted by 5 % of its width: 0 is best, above 0.1 is doubtful.

    The mean over shifts to the left, right, top and bottom of the 68 points' mean distance from where dlib's predictor
    sees them in the box itself, over the distance of the outer eye corners. NaN where those coincide.
    """
    return shift_spread(predict_shifted(image, face.box))


def predict_shifted(image: Picture, box: Box) -> Points:
    """What dlib's predictor sees in a box, and in it shifted by 5 % of its width to four sides: float32 (5, 68, 2)."""
    step = SHIFT * (box[2] - box[0])
    left, top, right, bottom = box
    shifts = ((0, 0), (-step, 0), (step, 0), (0, -step), (0, step))
    return np.stack([predict_points(image, (left + x, top + y, right + x, bottom + y)) for x, y in shifts])


def shift_spread(shifted: Points) -> float:
    """The quality score of what `predict_shifted` gives."""
    still, *moved = shifted.astype(np.float64)
    unit = float(eye_distance(still))
    return float(np.linalg.norm(moved - still, axis=-1).mean()) / unit if unit > 0 else float("nan")


def steps_of(detector: str, aligned: bool = False, five_points: bool = False) -> tuple[str, ...]:
    """The steps, in their order, that a detector's name stands for on this machine; DetectionError for others."""
    if detector not in DETECTORS:
        raise DetectionError(f"there is no detector {detector!r}: take one of {', '.join(DETECTORS)}")
    if detector == "auto":
        last = ("five-points" if five_points else "usual-box",) if aligned else ()
        return ("hog", "hog-upsampled", *(("mtcnn",) if mtcnn.available() else ()), *last)
    if detector == "mtcnn" and not mtcnn.available():
        raise DetectionError(f"the detector mtcnn needs facenet-pytorch and torch; {mtcnn.advice()}")
    if detector == "five-points" and not five_points:
        raise DetectionError("the detector five-points needs CelebA's list_landmarks_align_celeba")
    return (detector,)


def see_faces(image: Picture, steps: Sequence[str] | Detector, every_face: bool = False) -> list[Sighting]:
    """Where the first step that finds any sees faces, or with `every_face` where all steps do; the largest first.

    What two steps see in one place is one face, and the earlier step's.
    """
    if not isinstance(steps, Sequence):
        return sorted(_ask(steps, image), key=_by_size)
    seen: list[Sighting] = []
    for step in steps:
        found = _boxes(image, step, None)
        known = [one.box for one in seen]
        seen += [
            Sighting(box, score, step)
            for box, score in found
            if all(overlap(box, other) < LEAST_OVERLAP for other in known)
        ]
        if seen and not every_face:
            break
    return sorted(seen, key=_by_size)


def see_aligned_faces(
    image: Picture, steps: Sequence[str] | Detector, five_points: NDArray[np.float64] | None
) -> list[Sighting]:
    """Where the first step that finds any in the usual place sees faces, the nearest to it first."""
    if not isinstance(steps, Sequence):
        return sorted(_ask(steps, image), key=_by_place)
    for step in steps:
        for found in _looks(image, step, five_points):
            if image.shape[:2] == ALIGNED_SIZE and len(steps) > 1:
                found = [(box, score) for box, score in found if overlap(box, USUAL_BOX) >= LEAST_OVERLAP]
            if found:
                return sorted((Sighting(box, score, step) for box, score in found), key=_by_place)
    return []


def _looks(image: Picture, step: str, five_points: NDArray[np.float64] | None) -> Iterator[list[tuple[Box, float]]]:
    """What one step finds in an aligned photo: HOG looks near the usual place first, in grey, then everywhere."""
    if step == "hog" and image.shape[:2] == ALIGNED_SIZE:
        left, top, right, bottom = SURROUNDINGS
        found = dlib_models.find_boxes(dlib_models.grey(image[top:bottom, left:right]), 0)
        yield [((box[0] + left, box[1] + top, box[2] + left, box[3] + top), score) for box, score in found]
    yield _boxes(image, step, five_points)


def _boxes(image: Picture, step: str, five_points: NDArray[np.float64] | None) -> list[tuple[Box, float]]:
    """What one step finds: boxes as dlib's HOG gives them, and scores."""
    if step in ("hog", "hog-upsampled"):
        return dlib_models.find_boxes(image, int(step == "hog-upsampled"))
    if step == "mtcnn":
        smallest = ALIGNED_FACE if image.shape[:2] == ALIGNED_SIZE else mtcnn.SMALLEST_FACE
        return [(box_about(five), score) for five, score in mtcnn.find_five_points(image, smallest)]
    if image.shape[:2] != ALIGNED_SIZE:
        return []
    if step == "five-points":
        return [] if five_points is None else [(box_about(five_points), float("nan"))]
    return [(USUAL_BOX, float("nan"))]


def box_about(five_points: NDArray[np.float64]) -> Box:
    """The box, whole pixels, that dlib's HOG would give for a face with these eyes, nose and mouth corners (5, 2)."""
    middle = five_points.mean(axis=0)
    half = BOX_SPREADS / 2 * float(np.sqrt(((five_points - middle) ** 2).sum(axis=1).mean()))
    left, top, right, bottom = (float(round(edge)) for edge in (*(middle - half), *(middle + half)))
    return left, top, right, bottom


def _ask(detector: Detector, image: Picture) -> list[Sighting]:
    """What a detector of the user's own sees, checked."""
    faces = detector.find(image)
    for face in faces:
        if check_points(face.points, f"the detector {detector.name}").ndim != 2:
            raise PointsError(f"the detector {detector.name} gave points of shape {face.points.shape}, not (68, 2)")
        if len(face.box) != 4 or not np.isfinite(face.box).all():
            raise PointsError(f"the detector {detector.name} gave the box {face.box}, not four finite numbers")
    return [Sighting(face.box, face.score, face.detector, face.points) for face in faces]


def _by_size(face: Sighting) -> float:
    return face.box[0] - face.box[2]


def _by_place(face: Sighting) -> float:
    return float(np.hypot(*(_centre(face.box) - _centre(USUAL_BOX))))


def _centre(box: Box) -> NDArray[np.float64]:
    return np.array([box[0] + box[2], box[1] + box[3]]) / 2


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
