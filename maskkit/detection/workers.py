"""Work in processes of this machine: results in order, and workers that end when nobody wants them."""

import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

import cv2

from maskkit.errors import DetectionError

# Processes, because dlib's predictor holds the interpreter lock; spawned, because forking a process that has threads is
# unsafe.
SPAWN = get_context("spawn")
PHOTOS_EACH = 16  # a worker takes as long to start as to look at so many
AHEAD = 4  # photos that wait for each worker

Item = TypeVar("Item")
Result = TypeVar("Result")


def processors() -> int:
    """How many processors this process may use: those of the machine, or what the system grants it of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers_worth(workers: int | None, photos: int) -> int:
    """How many processes work on so many photos: at most `workers`, or without them the processors of this machine."""
    return max(1, min(workers or processors(), photos // PHOTOS_EACH))


def map_in_order(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Generator[Result, None, None]:
    """What `work` makes of each item, in the order given; with more than one worker in processes of their own.

    To be closed where it is not used up. Raises DetectionError where `work` cannot be sent there, or a worker dies.
    """
    if workers == 1:
        yield from map(work, items)
        return
    try:
        pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise DetectionError(f"the detector cannot be sent to workers ({error}); take one worker") from error
    pool = ProcessPoolExecutor(workers, SPAWN, initializer=_take, initargs=(work,))
    waiting: deque[Future[Any]] = deque()
    try:
        for item in items:
            with interrupts_held():
                waiting.append(pool.submit(_do, item))
            if len(waiting) >= workers * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DetectionError("a worker process ended (out of memory?); take fewer workers") from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold back what a terminal sends to all, Ctrl-C and its own end, while a worker may be started: it inherits that.

    This process answers for all of them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin_worker() -> None:
    """What every worker does first: one thread, and an end with the process that started it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process that was killed cannot tell its workers, and they would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


_work: Callable[[Any], Any] | None = None  # a worker's


def _take(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    begin_worker()


def _do(item: Any) -> Any:
    if _work is None:
        raise DetectionError("a worker was not told what to do")
    return _work(item)
