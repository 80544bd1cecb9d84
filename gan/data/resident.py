"""The rows of a split held on the device as bytes, from which batches are gathered by row numbers."""

import logging
from collections.abc import Callable
from contextlib import closing

import numpy as np
import torch

from gan.computing.compute import Compute
from gan.computing.device import free_memory, sent
from gan.data.order import NumberedRows
from gan.data.read_ahead import read_ahead
from gan.data.rows import ReadRows, RowsAtSize
from gan.errors import DataError
from maskkit.errors import MaskkitError

SHARE = 0.5  # of the free memory that rows may take unasked: activations need the rest
AT_ONCE = 64  # rows read together: they are all the memory that loading takes besides

log = logging.getLogger(__name__)


class ResidentRows:
    """All rows of a split on one device, packed; each process that trains holds them all."""

    def __init__(self, rows: RowsAtSize, device: torch.device) -> None:
        """Make room for them; `load` fills it. Raises RuntimeError where there is none."""
        self.rows = rows
        self.content = torch.empty((len(rows), rows.packing.bytes), dtype=torch.uint8, device=device)
        self.points = np.empty((len(rows), 68, 2), np.float32)

    def __len__(self) -> int:
        return len(self.rows)

    def load(self, workers: int, on_rows: Callable[[int, int], None]) -> None:
        """Read all rows, in order; `on_rows` gets the rows done and their number.

        Raises DataError, maskkit.ShardError, and RuntimeError where a worker was killed.
        """
        total = len(self)
        starts = range(0, total, AT_ONCE)
        parts = (NumberedRows(first, list(range(first, min(first + AT_ONCE, total)))) for first in starts)
        with closing(read_ahead(self.rows, parts, workers)) as stream:  # workers end with it
            for read in stream:
                if isinstance(read, MaskkitError):
                    raise read
                there = slice(read.number, read.number + len(read.points))
                self.content[there], self.points[there] = read.content, read.points
                on_rows(there.stop, total)

    def take(self, batch: NumberedRows) -> ReadRows:
        """Gather the rows of a batch on the device."""
        numbers = np.array(batch.rows)
        there = sent(numbers, self.content.device)
        return ReadRows(batch.number, self.content.index_select(0, there), self.points[numbers])


def make_resident(rows: RowsAtSize, asked: str, compute: Compute) -> ResidentRows | None:
    """Make room on the device for all rows where `asked`, which is `data.resident`, wants them there; else give None.

    All processes decide alike. Raises DataError where they are wanted and do not fit.
    """
    device = compute.device
    if asked == "no" or (asked == "auto" and device.type == "cpu"):
        return None
    needed, free = len(rows) * rows.packing.bytes, free_memory(device)
    if device.type == "cpu":
        free //= compute.processes  # each holds them all in the same memory
    if compute.any(needed > (SHARE * free if asked == "auto" else free)):
        shown = f"{len(rows)} rows take {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free on {device}"
        if asked == "yes":
            raise DataError(f"data.resident = yes: {shown} for each process; set data.resident=no")
        log.info("rows are read batch by batch: %s", shown)
        return None
    log.info("all %d rows are held on %s: %.2f GB", len(rows), device, needed / 1e9)
    return ResidentRows(rows, device)
