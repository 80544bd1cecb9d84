"""One photo to one row, in this process or in several, always in order."""

import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from maskkit.detection import detect_aligned
from maskkit.errors import BuildError, ImageError
from maskkit.images import Crop, read_image
from maskkit.raster import rasterize
from maskkit.regions import RegionScheme
from maskkit.shards import Row

QUEUE_PER_WORKER = 16  # photos under way; bounds the memory


@dataclass(frozen=True)
class Input:
    """One photo that a build is asked for: its path below the folder of photos, its attributes {0, 1} and its split.

    `problem` says why it cannot even be tried.
    """

    id: str
    attributes: tuple[int, ...]
    split: str
    problem: str = ""


@dataclass(frozen=True)
class PhotoTask:
    """What is done with every photo of a folder."""

    folder: Path
    crop: int
    size: int
    detector: str
    scheme: RegionScheme


@dataclass(frozen=True)
class Skip:
    """A photo that is left out, and why; the reason names no folder, so that it is the same everywhere."""

    reason: str


def process_photo(one: Input, task: PhotoTask) -> Row | Skip:
    """Read, detect, crop and draw one aligned photo."""
    if one.problem:
        return Skip(one.problem)
    path = task.folder / one.id
    try:
        image = read_image(path)
        crop = Crop.centred(image.shape[0], image.shape[1], task.crop, task.size)
    except ImageError as error:
        return Skip(str(error).removeprefix(f"{path}: "))
    try:
        faces = detect_aligned(image, task.detector)
    except (cv2.error, RuntimeError) as error:  # one odd photo must not end a build of hours
        return Skip(f"the detector failed ({error})")
    if not faces:
        return Skip("no face found")
    face = faces[0]
    points = crop.points(face.points)
    return Row(
        id=one.id,
        image=crop.image(image),
        mask=rasterize(points, task.size, task.scheme),
        attributes=np.array(one.attributes, dtype=np.uint8),
        landmarks=points,
        detector=face.detector,
        score=face.score,
        box=face.box,
    )


def process_photos(inputs: Sequence[Input], task: PhotoTask, workers: int) -> Iterator[Row | Skip]:
    """What becomes of each photo, in the order given; with more than one worker in processes of their own."""
    if workers == 1 or len(inputs) < 2:
        yield from (process_photo(one, task) for one in inputs)
        return
    # Processes, because dlib's predictor holds the interpreter lock; spawned, because forking a process that has
    # threads is unsafe.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    waiting: deque[Future[Row | Skip]] = deque()
    try:
        for one in inputs:
            with _interrupts_held():
                waiting.append(pool.submit(process_photo, one, task))
            if len(waiting) >= workers * QUEUE_PER_WORKER:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
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


def _start_worker() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)
