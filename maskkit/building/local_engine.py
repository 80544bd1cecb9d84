"""The work of a build in processes of this machine: chunks of inputs out, rows back in order."""

import ctypes
import os
import signal
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import connection, get_context, parent_process
from multiprocessing.sharedctypes import RawValue
from threading import Thread

import cv2

from maskkit.building.photo_rows import NO_FACE, Input, PhotoTask, Skip, chunks_ahead, in_chunks, process_some
from maskkit.errors import BuildError
from maskkit.shards.shard_files import Row

Outcomes = list[list[Row] | Skip]

# Processes, because dlib's predictor holds the interpreter lock; spawned, because forking a process that has threads is
# unsafe.
SPAWN = get_context("spawn")
NETWORK_STEP = "mtcnn"
WORKERS_BESIDE = 4  # for so many workers that run dlib there is one, at least one in all, that runs networks


def process_photos(inputs: Sequence[Input], task: PhotoTask, workers: int) -> Generator[list[Row] | Skip, None, None]:
    """What becomes of each photo, in the order given; with more than one worker in processes of their own."""
    chunks = in_chunks(inputs)
    if workers == 1 or len(inputs) < 2:
        for chunk in chunks:
            yield from process_some(chunk, task)
        return
    pools = _Pools(task, workers)
    ending = Thread(target=pools.shut_down)
    ahead = workers * chunks_ahead(task.size)
    try:
        for chunk in chunks:
            pools.submit(chunk)
            if len(pools.waiting) >= ahead:
                yield from pools.oldest()
        while pools.waiting:
            outcomes = pools.oldest()
            if not pools.waiting:
                ending.start()  # freeing models takes the workers as long as writing the last shard, so at once
            yield from outcomes
    except BrokenProcessPool as error:
        raise BuildError(
            "a worker process ended (out of memory? a script without the `if __name__ == '__main__'` guard?); "
            "run it again to go on, perhaps with fewer workers"
        ) from error
    finally:
        if ending.ident is None:
            pools.shut_down()
        else:
            ending.join()


@dataclass
class _Chunk:
    """Photos on their way. `later` has, by their place, those that go through the networks; None until it is known."""

    inputs: Sequence[Input]
    first: Future[Outcomes]
    later: dict[int, Future[Outcomes]] | None = None


@dataclass
class _Pools:
    """Workers for the steps that dlib does, and some for the steps from the networks on.

    Importing torch takes a process a second and 200 MB and makes dlib in it a third slower, and one photo in fifty
    needs it. A pool starts its processes when there is work for them.
    """

    task: PhotoTask
    workers: int
    waiting: deque[_Chunk] = field(default_factory=deque)

    def __post_init__(self) -> None:
        detector = self.task.detector
        steps = detector if isinstance(detector, tuple) else ()
        # Without a lock, which a worker that is killed could take with it.
        self.stopped: ctypes.c_bool = RawValue(ctypes.c_bool, False)
        place = steps.index(NETWORK_STEP) if NETWORK_STEP in steps else 0
        self.divided = place > 0
        before, after = (steps[:place], steps[place:]) if self.divided else (detector, detector)
        self.first = _pool(replace(self.task, detector=before), self.workers, self.stopped)
        beside = max(1, self.workers // WORKERS_BESIDE)
        self.later = _pool(replace(self.task, detector=after), beside, self.stopped)

    def submit(self, inputs: Sequence[Input]) -> None:
        """Have photos processed."""
        self.waiting.append(_Chunk(inputs, _submit(self.first, inputs)))
        self._send_on()

    def oldest(self) -> Outcomes:
        """What becomes of the photos that have waited longest."""
        outcomes = self.waiting[0].first.result()
        self._send_on()
        for place, future in (self.waiting.popleft().later or {}).items():
            (outcomes[place],) = future.result()
        return outcomes

    def shut_down(self) -> None:
        """Let the workers end what they are at, a photo each at most, and wait for that."""
        self.stopped.value = True
        both = [Thread(target=pool.shutdown, kwargs={"cancel_futures": True}) for pool in (self.first, self.later)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()

    def _send_on(self) -> None:
        """Send on what the first steps found no face in, as soon as they have."""
        for chunk in self.waiting:
            if self.divided and chunk.later is None and chunk.first.done():
                missed = [place for place, outcome in enumerate(chunk.first.result()) if outcome == NO_FACE]
                chunk.later = {place: _submit(self.later, [chunk.inputs[place]]) for place in missed}


def _pool(task: PhotoTask, workers: int, stopped: ctypes.c_bool) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, SPAWN, initializer=_start_worker, initargs=(task, stopped))


def _submit(pool: ProcessPoolExecutor, inputs: Sequence[Input]) -> Future[Outcomes]:
    with _interrupts_held():
        return pool.submit(_work, inputs)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold back what a terminal sends to all, Ctrl-C and its own end, while a worker may be started: it inherits that.

    This process answers for all of them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_task: PhotoTask | None = None  # a worker's
_stopped: ctypes.c_bool | None = None


def _start_worker(task: PhotoTask, stopped: ctypes.c_bool) -> None:
    global _task, _stopped
    _task, _stopped = task, stopped
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
    if _task is None or _stopped is None:
        raise BuildError("a worker was not told what to do")
    flag = _stopped
    return process_some(inputs, _task, lambda: flag.value)
