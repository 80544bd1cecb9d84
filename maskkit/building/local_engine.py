"""The work of a build in processes of this machine: chunks of inputs out, rows back in order."""

import ctypes
import os
import pickle
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from multiprocessing.sharedctypes import RawValue
from threading import Thread

from maskkit.building.inputs import Input
from maskkit.building.photo_rows import NO_FACE, PhotoTask, chunks_ahead, in_chunks, process_some
from maskkit.detection import dlib_models
from maskkit.detection.workers import SPAWN, begin_worker, interrupts_held, processors
from maskkit.errors import BuildError
from maskkit.shards.writer import Outcome

Outcomes = list[Outcome]

NETWORK_STEP = "mtcnn"
WORKERS_BESIDE = 4  # for so many workers that run dlib there is one, at least one in all, that runs networks


@dataclass(frozen=True)
class LocalEngine:
    """This process, or with `workers` above 1 that many of its own, and one beside every four for MTCNN."""

    workers: int | None = None

    @staticmethod
    def most_workers() -> int | None:
        """How many workers there may be, where nobody says: the processors of this machine."""
        return processors()

    def check(self, task: PhotoTask) -> None:
        """See Engine."""
        if task.detector == ("given",):
            return
        dlib_models.find_model()
        if self.workers in (None, 1):
            dlib_models.predictor()
        elif not isinstance(task.detector, tuple):
            try:
                pickle.dumps(task.detector)
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                raise BuildError(f"the detector {task.detector.name} cannot be sent to workers ({error})") from error

    def connected(self) -> AbstractContextManager[int]:
        """See Engine."""
        return nullcontext(self.workers or 1)

    def speed_up(self, workers: int) -> float:
        """See Engine."""
        return local_speed_up(workers)

    def process(
        self, inputs: Sequence[Input], task: PhotoTask, workers: int, versions: dict[str, str]
    ) -> Generator[Outcome, None, None]:
        """See Engine; the versions are this process's own."""
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


def local_speed_up(workers: int) -> float:
    """How many times as fast as this process so many are, beside what else has run here in the last minute."""
    return shared_speed_up(workers, processors(), os.getloadavg()[0])


def shared_speed_up(workers: int, processors: int, load: float) -> float:
    """How many times as fast as one process so many are, where `load` others would run on the same processors.

    Where more want to run than there are processors, each gets an equal share of them.
    """

    def busy(count: int) -> float:
        return min(count, processors * count / (count + load))

    return busy(workers) / busy(1)


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
        self.divided = place > 0 and self.task.face != "all"  # all faces are those of all steps, united
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
    with interrupts_held():
        return pool.submit(_work, inputs)


_task: PhotoTask | None = None  # a worker's
_stopped: ctypes.c_bool | None = None


def _start_worker(task: PhotoTask, stopped: ctypes.c_bool) -> None:
    global _task, _stopped
    _task, _stopped = task, stopped
    begin_worker()


def _work(inputs: Sequence[Input]) -> Outcomes:
    if _task is None or _stopped is None:
        raise BuildError("a worker was not told what to do")
    flag = _stopped
    return process_some(inputs, _task, lambda: flag.value)
