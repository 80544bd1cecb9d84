"""Rows read ahead of their use, in this process or by others."""

import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

import maskkit
from gan.computing.spawning import SIGNALS, end_with_parent
from gan.data.order import NumberedRows
from gan.data.rows import ReadRows, RowsAtSize

Read = ReadRows | maskkit.MaskkitError


def read_ahead(rows: RowsAtSize, order: Iterable[NumberedRows], workers: int = 0) -> Generator[Read]:
    """Read batch after batch on the CPU in the order's order, the same for any number of worker processes.

    A batch that is refused is given as its error. Raises RuntimeError where a worker was killed.
    """
    loader: DataLoader[Read] = DataLoader(
        rows,
        batch_size=None,  # `order` gives whole batches
        sampler=order,
        collate_fn=_as_it_is,
        num_workers=workers,
        # Fork copies open files and locks; a forkserver starts clean.
        multiprocessing_context="forkserver" if workers else None,
        worker_init_fn=_follow_parent if workers else None,
        generator=torch.Generator(),  # keep the loader off the global random state
    )
    try:
        yield from _started(loader)
    except (ConnectionError, EOFError) as error:  # instead of torch's RuntimeError, if it was handing over a batch
        raise RuntimeError("a DataLoader worker was killed") from error


def _started(loader: "DataLoader[Read]") -> Iterator[Read]:
    """Start the workers and the server that forks them; all leave signals to this process from their first moment."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # which they inherit
    try:
        return iter(loader)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _as_it_is(batch: Any) -> Any:
    return batch


def _follow_parent(worker: int) -> None:
    """Leave signals to the parent, and end with it."""
    # Ctrl-C reaches the whole process group; the parent wants its last batches before it stops its workers.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    # torch looks whether the process it was forked from is alive, which is the server, and that waits for its workers.
    threading.Thread(target=end_with_parent, daemon=True).start()
