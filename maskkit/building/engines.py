"""Who does the work of a build: an engine turns photos into rows, in order, on this machine or on a cluster."""

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from maskkit.building.inputs import Input
from maskkit.building.local_engine import LocalEngine
from maskkit.building.photo_rows import PhotoTask
from maskkit.building.ray_engine import RayEngine
from maskkit.errors import BuildError
from maskkit.shards.writer import Outcome


class Engine(Protocol):
    """The same inputs give the same rows, whichever engine works and however many do at once."""

    def check(self, task: PhotoTask) -> None:
        """Raise a MaskkitError, before anything is written, for what cannot work here: a missing package or model, a
        detector of the user's own that cannot be sent to workers."""
        ...

    def connected(self) -> AbstractContextManager[int]:
        """Be ready for as long as the block lasts; gives how many work at once."""
        ...

    def speed_up(self, workers: int) -> float:
        """How many times as fast as one process here so many workers are, by the processors there are for them."""
        ...

    def process(
        self, inputs: Sequence[Input], task: PhotoTask, workers: int, versions: dict[str, str]
    ) -> Generator[Outcome, None, None]:
        """What becomes of each photo, in the order given, by `workers` at once, all with these versions of the tools.

        To be closed where it is not used up. Raises BuildError where workers are lost.
        """
        ...


ENGINES: dict[str, type[LocalEngine] | type[RayEngine]] = {"local": LocalEngine, "ray": RayEngine}


def choose_engine(name: str, workers: int | None) -> Engine:
    """The engine of a name, with at most so many workers; BuildError for what is not there."""
    if name not in ENGINES:
        raise BuildError(f"there is no engine {name!r}: take one of {', '.join(ENGINES)}")
    if workers is not None and workers < 1:
        raise BuildError(f"{workers} workers cannot work; take 1 or more")
    return ENGINES[name](workers)
