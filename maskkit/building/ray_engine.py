"""The work of a build on a Ray cluster: tasks out, rows back in order, and sentences for what can go wrong there."""

import os
import pickle
import signal
import socket
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2

from maskkit.building.inputs import Input
from maskkit.building.local_engine import local_speed_up
from maskkit.building.photo_rows import PhotoTask, chunks_ahead, in_chunks, process_some
from maskkit.detection.dlib_models import MODEL_VARIABLE, find_model
from maskkit.errors import BuildError, ImageError, MaskkitError, MissingExtraError
from maskkit.photos.archive import PhotoFolder, Photos, PhotoZip
from maskkit.photos.images import Picture
from maskkit.shards.versions import tool_versions
from maskkit.shards.writer import Outcome, Skip

ADDRESS_VARIABLE = "RAY_ADDRESS"
PATIENCE = 10.0  # seconds for a cluster's first answer; Ray's own patience is many minutes of warnings
RETRIES = 3  # of a task whose worker or machine died


@dataclass(frozen=True)
class _Job:
    """What every worker is told once. `versions` of the tools must be the worker's own, or the bytes would differ."""

    task: PhotoTask
    versions: dict[str, str]
    dlib_model: str


@dataclass(frozen=True)
class _Done:
    """What a worker sends back. `unread` are the numbers of the photos that it could not read."""

    outcomes: list[Outcome]
    unread: list[int]
    machine: str


def import_ray() -> Any:
    """The module ray."""
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("ray", "ray", "the engine ray") from error
    return ray


@dataclass(frozen=True)
class RayEngine:
    """A Ray cluster: the one this process has joined, that RAY_ADDRESS names or that runs here, or one started here.

    `workers` are the most tasks at once; without them all the cluster's processors work.
    """

    workers: int | None = None

    @staticmethod
    def most_workers() -> int | None:
        """How many workers there may be, where nobody says: those of the cluster, counted when it is joined."""
        return None

    def check(self, task: PhotoTask) -> None:
        """See Engine."""
        ray = import_ray()
        if task.detector == ("given",):
            return
        find_model()
        try:
            ray.cloudpickle.dumps(task.detector)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            name = "" if isinstance(task.detector, tuple) else task.detector.name
            raise BuildError(f"the detector {name} cannot be sent to workers ({error})") from error

    @contextmanager
    def connected(self) -> Iterator[int]:
        """Join the cluster, or start Ray here for the time of the work.

        Where the caller has joined a cluster, that one is used and left as it is. Raises BuildError where there is no
        answer.
        """
        ray = import_ray()
        if ray.is_initialized():
            yield self.workers or _processors(ray)
            return
        try:
            with _own_signals():
                _start(ray, self.workers)
            yield self.workers or _processors(ray)
        finally:
            ray.shutdown()

    def speed_up(self, workers: int) -> float:
        """See Engine. Ray counts as many processors as it is told: where all are here, they are counted anew."""
        ray = import_ray()
        at_once, nodes = min(workers, _processors(ray)), ray.nodes()
        here = len(nodes) == 1 and nodes[0]["NodeManagerAddress"] == ray.util.get_node_ip_address()
        return local_speed_up(at_once) if here else at_once

    def process(
        self, inputs: Sequence[Input], task: PhotoTask, workers: int, versions: dict[str, str]
    ) -> Generator[Outcome, None, None]:
        """See Engine. Each task needs a processor, and is run again where its worker dies.

        Raises BuildError where that does not help, where versions differ, and where a machine cannot read a photo that
        can be read here.
        """
        ray = import_ray()
        remote = ray.remote(num_cpus=1, num_returns=2, max_retries=RETRIES)(_work)
        # In a list, so that Ray leaves it to the worker to fetch it.
        job = [ray.put(_Job(_everywhere(task), versions, _dlib_model()))]
        ahead = workers * chunks_ahead(task.size)
        # A task waits for the end of the one that was submitted `workers` before it: so no more run at once, and Ray
        # goes on by itself while this process writes a shard.
        ends: deque[Any] = deque([None] * workers, workers)
        waiting: deque[tuple[Any, Sequence[Input]]] = deque()
        # Where this ends early, what waits is not cancelled: Ray's bookkeeping of cancelled chains may end the process.
        for chunk in in_chunks(inputs):
            rows, end = remote.remote(chunk, job, ends[0])
            ends.append(end)
            waiting.append((rows, chunk))
            if len(waiting) >= ahead:
                yield from _outcomes(ray, *waiting.popleft(), task.photos)
        while waiting:
            yield from _outcomes(ray, *waiting.popleft(), task.photos)


def _start(ray: Any, workers: int | None) -> None:
    # Warnings would cut the progress bar into pieces; what workers print lies in Ray's own logs.
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    address = os.environ.get(ADDRESS_VARIABLE, "")
    if address not in ("", "auto", "local"):
        _check_address(address)
    try:
        try:
            ray.init(num_cpus=workers, include_dashboard=False, **quiet)
        except ValueError:  # a cluster that is there has its own number of processors
            ray.init(**quiet)
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError) as error:
        place = f"the cluster {address}" if address else "Ray"
        raise BuildError(f"{place} could not be reached or started: {_first_line(error)}") from error


def _check_address(address: str) -> None:
    """Ask for an answer first: Ray itself would try on for a quarter of an hour."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, ValueError) as error:
        raise BuildError(
            f"{ADDRESS_VARIABLE} is {address}, and no cluster answers there ({error}); it is HOST:PORT, and without "
            "it Ray is started on this machine"
        ) from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this process does on SIGTERM, for which Ray puts a handler of its own, and hold it back meanwhile.

    Ray's processes inherit that: a SIGTERM to all of a group, or the SIGHUP of a closed terminal, is answered by this
    process, which ends them. Else they would be gone before it, and take it with them.
    """
    handler = signal.getsignal(signal.SIGTERM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        if handler != signal.getsignal(signal.SIGTERM):
            signal.signal(signal.SIGTERM, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _processors(ray: Any) -> int:
    processors = int(ray.cluster_resources().get("CPU", 0))
    if not processors:
        raise BuildError("the Ray cluster has no processors to work with")
    return processors


def _everywhere(task: PhotoTask) -> PhotoTask:
    """The task with the place of its photos as a whole path: a worker has another working folder."""
    photos = task.photos
    if isinstance(photos, PhotoFolder | PhotoZip):
        photos = replace(photos, path=photos.path.absolute())
    return replace(task, photos=photos)


def _dlib_model() -> str:
    """The model file that the user chose, as a whole path; "" for the installed package's."""
    named = os.environ.get(MODEL_VARIABLE)
    return str(Path(named).absolute()) if named else ""


def _outcomes(ray: Any, rows: Any, chunk: Sequence[Input], photos: Photos) -> list[Outcome]:
    """Fetch what a task made. A photo that its worker could not read is tried here, and that decides."""
    try:
        done: _Done = pickle.loads(ray.get(rows))
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise BuildError(
            f"Ray could not finish the work ({_first_line(error)}); run it again to go on, perhaps with fewer workers"
        ) from error
    for number in done.unread:
        name, there = chunk[number].id, done.outcomes[number]
        try:
            photos.read(name)
        except ImageError as error:
            done.outcomes[number] = Skip(str(error))
        else:
            reason = there.reason if isinstance(there, Skip) else "no reason"
            raise BuildError(
                f"{done.machine} cannot read the photo {name} ({reason}), and this machine can; "
                "all machines of the cluster need the photos under the same path"
            )
    return done.outcomes


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@dataclass
class _Noting:
    """Photos, and the names of those that could not be read."""

    photos: Photos
    unread: set[str]

    def names(self) -> dict[str, str]:
        return self.photos.names()

    def read(self, name: str) -> Picture:
        try:
            return self.photos.read(name)
        except ImageError:
            self.unread.add(name)
            raise


def _work(inputs: Sequence[Input], job: list[Any], after: None) -> tuple[bytes, None]:
    """A task: what `process_some` makes, pickled - as arrays of Ray's they would hold its store until a shard is full.

    The second result is the end alone, for which the next task waits.
    """
    machine = f"the machine {socket.gethostname()}"
    try:
        task = _task(job[0])
        noting = _Noting(task.photos, set())
        outcomes = process_some(inputs, replace(task, photos=noting))
    except MaskkitError as error:
        raise BuildError(f"{machine}: {error}") from error
    unread = [number for number, one in enumerate(inputs) if one.id in noting.unread]
    return pickle.dumps(_Done(outcomes, unread, machine), pickle.HIGHEST_PROTOCOL), None


@lru_cache(maxsize=1)
def _task(job: Any) -> PhotoTask:
    """The task of a build, once a process; BuildError where the tools here are others than those of the data set."""
    told: _Job = import_ray().get(job)
    cv2.setNumThreads(1)
    if told.dlib_model:
        os.environ[MODEL_VARIABLE] = told.dlib_model
    detector = told.task.detector
    here = tool_versions(list(detector) if isinstance(detector, tuple) else [detector.name])
    for name in {**told.versions, **here}:
        if told.versions.get(name) != here.get(name):
            raise BuildError(
                f"{name} is {here.get(name, 'missing')}, and the build began with {told.versions.get(name, 'none')}; "
                "all machines of the cluster need the same versions"
            )
    return told.task
