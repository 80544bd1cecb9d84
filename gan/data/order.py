"""Which rows make which batch: an order that depends on seed and position alone."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gan.errors import DataError


class NumberedRows(NamedTuple):
    """Row numbers of one training batch and its number since the start, which decides its augmentation."""

    number: int
    rows: list[int]


class BatchOrder:
    """Row numbers of batch after batch without end, from a position: a new permutation for each (seed, epoch).

    The last incomplete batch of an epoch is dropped. `another` gives an order of its own for the same seed. Raises
    DataError where there are fewer rows than a batch.
    """

    def __init__(self, rows: int, batch: int, seed: int, start: int = 0, *, another: bool = False) -> None:
        if rows == 0:
            raise DataError("the shards have no rows to train on; they need some in the split train")
        if rows < batch:
            raise DataError(f"{rows} rows do not fill a batch of {batch}; set schedule.batch to {rows} or less")
        self.rows, self.batch, self.start = rows, batch, start
        self.seed, self.another = seed, [1] if another else []

    @property
    def batches_per_epoch(self) -> int:
        """Whole batches in one pass over the rows."""
        return self.rows // self.batch

    def __iter__(self) -> Iterator[NumberedRows]:
        per_epoch = self.batches_per_epoch
        epoch, position = divmod(self.start, per_epoch)
        while True:
            order = np.random.default_rng([self.seed, epoch, *self.another]).permutation(self.rows)
            for first in range(position * self.batch, per_epoch * self.batch, self.batch):
                rows = order[first : first + self.batch].tolist()
                yield NumberedRows(epoch * per_epoch + first // self.batch, rows)
            epoch, position = epoch + 1, 0
