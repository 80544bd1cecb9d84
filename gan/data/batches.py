"""Batches for training: rows as they are read, made into tensors on the device that trains."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing

import numpy as np
import torch

from gan.computing.device import sent
from gan.data.augmentation import Alterer, draw_alteration
from gan.data.order import NumberedRows
from gan.data.read_ahead import Read, read_ahead
from gan.data.resident import ResidentRows
from gan.data.rows import Batch, ReadRows, RowsAtSize, as_batch
from maskkit.errors import MaskkitError

CPU = torch.device("cpu")
Rows = RowsAtSize | ResidentRows


def batches(rows: Rows, order: Iterable[NumberedRows], workers: int = 0, device: torch.device = CPU) -> Iterator[Batch]:
    """Give batches on the device in the order's order; resident rows or not, for any number of workers the same.

    Augmented as the rows say; a batch's number and the seed decide how. Only bytes travel: what can be
    computed is computed on the device. Raises DataError, maskkit.ShardError, and RuntimeError where a worker was
    killed.
    """
    finish = _Finish(rows.rows if isinstance(rows, ResidentRows) else rows, device)
    with closing(_read(rows, order, workers, device)) as read:  # workers end with it
        for batch in read:
            if isinstance(batch, MaskkitError):
                raise batch
            yield finish(batch)


def unpaired(pictures: Iterator[Batch], layouts: Iterator[Batch]) -> Iterator[Batch]:
    """Give each batch of pictures and attributes the layouts of another stream's, which belong to other rows."""
    for of_pictures, of_layouts in zip(pictures, layouts, strict=False):
        yield of_pictures._replace(s_idx=of_layouts.s_idx, layouts=of_layouts.layouts)


def _read(rows: Rows, order: Iterable[NumberedRows], workers: int, device: torch.device) -> Generator[Read]:
    """Give batches on the device as they are read."""
    if isinstance(rows, ResidentRows):
        yield from map(rows.take, order)
    elif device.type == "cuda":
        yield from _sent_ahead(read_ahead(rows, order, workers), device)
    else:
        yield from read_ahead(rows, order, workers)


class _Finish:
    """Makes batches of rows as they are read, on the device where those lie."""

    def __init__(self, rows: RowsAtSize, device: torch.device) -> None:
        self.packing, self.augmentation, self.seed = rows.packing, rows.augmentation, rows.seed
        self.alter = Alterer(rows.reader.scheme, rows.size, device)

    def __call__(self, read: ReadRows) -> Batch:
        images, layouts, c = self.packing.split(read.content)
        if self.augmentation is None:
            return as_batch(images, c, layouts)
        rng = np.random.default_rng([self.seed, read.number, 1])
        altered = draw_alteration(read.points, self.packing.size, self.augmentation, rng)
        if altered is None:
            return as_batch(images, c, layouts)
        images, layouts, fresh = self.alter(images, layouts, altered)
        return as_batch(images, c, layouts, fresh)


def _sent_ahead(read: Iterator[Read], device: torch.device) -> Iterator[Read]:
    """Copy batches to a CUDA device beside its work, one ahead of the batch that is given."""
    copying = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    on_the_way: deque[tuple[Read, torch.cuda.Event]] = deque()
    for batch in read:
        with torch.cuda.stream(copying):
            if isinstance(batch, ReadRows):
                batch = batch._replace(content=sent(batch.content, device))
            on_the_way.append((batch, copying.record_event()))
        if len(on_the_way) > 1:
            yield _arrived(*on_the_way.popleft(), device)
    while on_the_way:
        yield _arrived(*on_the_way.popleft(), device)


def _arrived(batch: Read, copied: torch.cuda.Event, device: torch.device) -> Read:
    """Let the device's work wait for a copy."""
    working = torch.cuda.current_stream(device)
    working.wait_event(copied)
    if isinstance(batch, ReadRows):
        batch.content.record_stream(working)  # its memory came from the other stream, and is needed by this one
    return batch
