"""One photo to its rows: what the engines of a build have done with every chunk of inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from maskkit.building.inputs import Input
from maskkit.corrections.applying import apply_correction
from maskkit.detection.cascade import Detector, Face, FaceChoice, Sighting, quality, see_aligned_faces, see_faces
from maskkit.errors import CorrectionsError, ImageError, PointsError
from maskkit.masks.raster import rasterize
from maskkit.masks.regions import RegionScheme
from maskkit.photos.alignment import Alignment
from maskkit.photos.archive import Photos
from maskkit.photos.images import Crop, Picture
from maskkit.points.landmarks import check_points
from maskkit.shards.description import FACE_MARK
from maskkit.shards.writer import Outcome, Rejection, Row, Skip

PHOTOS_AT_ONCE = 32  # go to a worker together, at most
QUEUE_BYTES, LONGEST_QUEUE = 32 << 20, 512  # of rows, for each worker: bounds the memory, and bridges writing a shard
BYTES_TOGETHER = 8 << 20  # of photos that go through the stages together
MOST_FACES = 999  # of a photo


@dataclass(frozen=True)
class PhotoTask:
    """What is done with every photo.

    `detector` are the steps by name, or a detector of the user's own. `aligned` photos are cropped, the others turned,
    scaled and shifted by the eyes of the face of number `face`, or of "all".
    """

    photos: Photos
    crop: int
    size: int
    detector: tuple[str, ...] | Detector
    scheme: RegionScheme
    aligned: bool = True
    face: FaceChoice = 1
    quality: bool = False


NO_FACE = Skip("no face found")


def in_chunks(inputs: Sequence[Input]) -> list[Sequence[Input]]:
    """The inputs in the portions in which engines hand them to workers, in order.

    The first ones are small, each larger than the one before: something is to be seen as soon as one photo is done.
    """
    chunks: list[Sequence[Input]] = []
    start, length = 0, 1
    while start < len(inputs):
        chunks.append(inputs[start : start + length])
        start, length = start + length, min(2 * length, PHOTOS_AT_ONCE)
    return chunks


def chunks_ahead(size: int) -> int:
    """How many chunks of photos of a size may wait or be worked on for each worker."""
    return max(2, min(LONGEST_QUEUE, QUEUE_BYTES // (4 * size**2)) // PHOTOS_AT_ONCE)


def _no_picture() -> Picture:
    return np.empty((0, 0, 3), dtype=np.uint8)


@dataclass
class _Photo:
    """A photo on its way through the stages, and what has come of it so far."""

    input: Input
    image: Picture = field(default_factory=_no_picture)
    crop: Crop | None = None  # of an aligned photo
    seen: list[Sighting] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)
    rows: list[Row | Rejection] = field(default_factory=list)
    skip: Skip | None = None


def process_some(inputs: Sequence[Input], task: PhotoTask, stopped: Callable[[], bool] = bool) -> list[Outcome]:
    """Read, detect, crop and draw photos: a row for every face that is wanted of each, or why it is left out.

    Each stage is done for several photos in turn, which keeps its code and its models in the processor's caches.
    Once `stopped()` is true, nobody wants the rows any more, and there are none.
    """
    photos = [_Photo(one) for one in inputs]
    group: list[_Photo] = []
    for photo in photos:
        _advance(_read, [photo], task, stopped)
        group.append(photo)
        if photo is photos[-1] or sum(one.image.nbytes for one in group) >= BYTES_TOGETHER:
            for stage in (_look, _find_points, _cut):
                _advance(stage, group, task, stopped)
            for one in group:  # the memory goes to the next group, also that of those left out
                one.image = _no_picture()
            group = []
    if stopped():
        return []
    _check_decided(photos)
    rows = [row for photo in photos if photo.skip is None for row in photo.rows if isinstance(row, Row)]
    if rows:  # together, which takes a third of the time that they would take one by one
        points = np.stack([row.landmarks for row in rows if row.landmarks is not None])
        # Importing numba would cost a worker more than it saves beside dlib.
        masks = rasterize(points, task.size, task.scheme, backend="numpy")
        for row, mask in zip(rows, masks, strict=True):
            row.mask = mask
    return [photo.rows if photo.skip is None else photo.skip for photo in photos]


def _advance(
    stage: Callable[[_Photo, PhotoTask], None], photos: list[_Photo], task: PhotoTask, stopped: Callable[[], bool]
) -> None:
    """Take photos through a stage; those that fail in it are left out."""
    for photo in photos:
        if photo.skip is not None or stopped():
            continue
        try:
            stage(photo, task)
        except (ImageError, PointsError) as error:
            photo.skip = Skip(str(error))
        except (cv2.error, RuntimeError) as error:  # one odd photo must not end a build of hours
            photo.skip = Skip(f"the detector failed ({error})")


def _read(photo: _Photo, task: PhotoTask) -> None:
    if photo.input.problem:
        photo.skip = Skip(photo.input.problem)
        return
    photo.image = task.photos.read(photo.input.id)
    if task.aligned:
        photo.crop = Crop.centred(photo.image.shape[0], photo.image.shape[1], task.crop, task.size)


def _look(photo: _Photo, task: PhotoTask) -> None:
    points = photo.input.points
    if points is not None:
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        box = (float(left), float(top), float(right), float(bottom))
        photo.seen = [Sighting(box, float("nan"), "given", points)]
    elif task.aligned:
        photo.seen = see_aligned_faces(photo.image, task.detector, photo.input.five_points)
    else:
        photo.seen = see_faces(photo.image, task.detector, every_face=task.face == "all")
    if not photo.seen:
        photo.skip = NO_FACE
    elif task.face != "all" and int(task.face) > len(photo.seen):
        photo.skip = Skip(f"face {task.face} was asked for, and {len(photo.seen)} were found")


def _find_points(photo: _Photo, task: PhotoTask) -> None:
    number = 0 if task.face == "all" else int(task.face)
    wanted = photo.seen[number - 1 : number] if number else photo.seen[:MOST_FACES]
    photo.faces = [seen.face(photo.image) for seen in wanted]


def _cut(photo: _Photo, task: PhotoTask) -> None:
    for number, face in enumerate(photo.faces, 1):
        name = f"{photo.input.id}{FACE_MARK}{number:03d}" if task.face == "all" else photo.input.id
        row = _row(name, photo, face, task)
        decided = photo.input.corrections.get(name)
        photo.rows.append(row if decided is None else apply_correction(row, decided))


def _check_decided(photos: list[_Photo]) -> None:
    """Raise CorrectionsError where people decided about a row that there is not."""
    for photo in photos:
        made = () if photo.skip is not None else [row.id for row in photo.rows]
        for name in photo.input.corrections:
            if name not in made:
                why = "it has fewer faces now" if photo.skip is None else photo.skip.reason
                raise CorrectionsError(
                    f"{name}: the corrections decide on it, and there is no such row ({why}); remove its line from the "
                    "file of corrections"
                )


def _row(name: str, photo: _Photo, face: Face, task: PhotoTask) -> Row:
    view = photo.crop or Alignment.by_eyes(face.points, task.crop, task.size)
    points = check_points(view.points(face.points))  # enlarged, they may lie farther out than masks are drawn
    return Row(
        id=name,
        image=view.image(photo.image),
        mask=np.empty((0, 0), dtype=np.uint8),  # drawn later, with those of other photos
        attributes=np.array(photo.input.attributes, dtype=np.uint8),
        landmarks=points,
        detector=face.detector,
        score=face.score,
        box=face.box,
        quality=quality(photo.image, face) if task.quality else None,
    )
