"""One photo to its rows, in this process or in several, always in order."""

import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from threading import Thread

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.alignment import Alignment
from maskkit.archive import Photos
from maskkit.detection import Detector, Face, FaceChoice, find_aligned_faces, find_faces, quality
from maskkit.errors import BuildError, ImageError, PointsError
from maskkit.images import Crop, Picture
from maskkit.landmarks import Points
from maskkit.raster import rasterize
from maskkit.regions import RegionScheme
from maskkit.shards import Row

PHOTOS_AT_ONCE = 8  # go to a worker together
QUEUE_BYTES, LONGEST_QUEUE = 32 << 20, 256  # of rows, for each worker: bounds the memory, and bridges writing a shard
FACE_MARK = "#"  # between a photo's id and the number of a face, where a photo may give several rows
MOST_FACES = 999  # of a photo


@dataclass(frozen=True, eq=False)
class Input:
    """One photo that a build is asked for: its path below the folder of photos, its attributes {0, 1} and its split.

    `problem` says why it cannot even be tried. `five_points` (5, 2) and `points` (68, 2), in pixels of the photo, are
    what a table knows of its face.
    """

    id: str
    attributes: tuple[int, ...]
    split: str
    problem: str = ""
    five_points: NDArray[np.float64] | None = None
    points: Points | None = None


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


@dataclass(frozen=True)
class Skip:
    """A photo that is left out, and why; the reason names no folder, so that it is the same everywhere."""

    reason: str


def process_some(inputs: Sequence[Input], task: PhotoTask) -> list[list[Row] | Skip]:
    """Read, detect, crop and draw photos: a row for every face that is wanted of each, or why it is left out."""
    outcomes = [_process_one(one, task) for one in inputs]
    rows = [row for outcome in outcomes if not isinstance(outcome, Skip) for row in outcome]
    if rows:  # together, which takes a third of the time that they would take one by one
        points = np.stack([row.landmarks for row in rows if row.landmarks is not None])
        masks = rasterize(points, task.size, task.scheme)
        for row, mask in zip(rows, masks, strict=True):
            row.mask = mask
    return outcomes


def _process_one(one: Input, task: PhotoTask) -> list[Row] | Skip:
    """Everything but the masks."""
    if one.problem:
        return Skip(one.problem)
    try:
        image = task.photos.read(one.id)
        crop = Crop.centred(image.shape[0], image.shape[1], task.crop, task.size) if task.aligned else None
        faces = _faces(image, one, task)
        if not faces:
            return Skip("no face found")
        if task.face == "all":
            several = enumerate(faces[:MOST_FACES], 1)
            return [_row(f"{one.id}{FACE_MARK}{number:03d}", image, face, crop, one, task) for number, face in several]
        number = int(task.face)
        if number > len(faces):
            return Skip(f"face {number} was asked for, and {len(faces)} were found")
        return [_row(one.id, image, faces[number - 1], crop, one, task)]
    except (ImageError, PointsError) as error:
        return Skip(str(error))
    except (cv2.error, RuntimeError) as error:  # one odd photo must not end a build of hours
        return Skip(f"the detector failed ({error})")


def _faces(image: Picture, one: Input, task: PhotoTask) -> list[Face]:
    if one.points is not None:
        (left, top), (right, bottom) = one.points.min(axis=0), one.points.max(axis=0)
        box = (float(left), float(top), float(right), float(bottom))
        return [Face(one.points, box, float("nan"), "given")]
    if task.aligned:
        return find_aligned_faces(image, task.detector, one.five_points)
    return find_faces(image, task.detector)


def _row(name: str, image: Picture, face: Face, crop: Crop | None, one: Input, task: PhotoTask) -> Row:
    view = Alignment.by_eyes(face.points, task.crop, task.size) if crop is None else crop
    points = view.points(face.points)
    return Row(
        id=name,
        image=view.image(image),
        mask=np.empty((0, 0), dtype=np.uint8),  # drawn later, with those of other photos
        attributes=np.array(one.attributes, dtype=np.uint8),
        landmarks=points,
        detector=face.detector,
        score=face.score,
        box=face.box,
        quality=quality(image, face) if task.quality else None,
    )


def process_photos(inputs: Sequence[Input], task: PhotoTask, workers: int) -> Iterator[list[Row] | Skip]:
    """What becomes of each photo, in the order given; with more than one worker in processes of their own."""
    chunks = [inputs[start : start + PHOTOS_AT_ONCE] for start in range(0, len(inputs), PHOTOS_AT_ONCE)]
    if workers == 1 or len(inputs) < 2:
        for chunk in chunks:
            yield from process_some(chunk, task)
        return
    # Processes, because dlib's predictor holds the interpreter lock; spawned, because forking a process that has
    # threads is unsafe.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start_worker, initargs=(task,))
    waiting: deque[Future[list[list[Row] | Skip]]] = deque()
    queue = max(2 * PHOTOS_AT_ONCE, min(LONGEST_QUEUE, QUEUE_BYTES // (4 * task.size**2))) // PHOTOS_AT_ONCE
    try:
        for chunk in chunks:
            with _interrupts_held():
                waiting.append(pool.submit(_work, chunk))
            if len(waiting) >= workers * queue:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise BuildError(
            "a worker process ended (out of memory? a script without the `if __name__ == '__main__'` guard?); "
            "run it again to go on, perhaps with fewer workers"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while a worker may be started: it inherits that, and this process answers for all of them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_task: PhotoTask | None = None  # a worker's


def _start_worker(task: PhotoTask) -> None:
    global _task
    _task = task
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A build that was killed cannot tell its workers, and they would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work(inputs: Sequence[Input]) -> list[list[Row] | Skip]:
    if _task is None:
        raise BuildError("a worker was not told what to do")
    return process_some(inputs, _task)
