"""Shards to batches: rows at the training size, in an order that depends on seed and position alone."""

import hashlib
import json
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import maskkit
from gan.augmentation import fresh_layouts, has_points, mirror_rows
from gan.config import Settings
from gan.errors import CheckpointError, DataError
from gan.spawning import end_with_parent

Array = NDArray[np.uint8]
NO_POINTS = np.full((68, 2), np.nan, np.float32)


@dataclass(frozen=True)
class DataDescription:
    """What the networks must know of the data: image size, classes of the layout, attributes, training rows.

    `rows_sha256` tells the rows from others (`rows_identity`); empty where nobody has noted it.
    """

    size: int
    scheme: maskkit.RegionScheme
    attribute_names: tuple[str, ...]
    rows: int
    rows_sha256: str = ""

    @property
    def n_s(self) -> int:
        """Classes of the layout, background included."""
        return len(self.scheme)

    @property
    def n_c(self) -> int:
        """Attributes; may be 0."""
        return len(self.attribute_names)

    def to_dict(self) -> dict[str, Any]:
        """Give plain types, for a checkpoint."""
        return {
            "size": self.size,
            "scheme": self.scheme.to_dict(),
            "attribute_names": list(self.attribute_names),
            "rows": self.rows,
            "rows_sha256": self.rows_sha256,
        }

    def summary(self) -> str:
        """Say in a few words what the data is."""
        names = ", ".join(self.attribute_names) or "none"
        return f"{self.rows} rows at {self.size} pixels, scheme {self.scheme.name}, attributes {names}"

    @classmethod
    def from_dict(cls, values: Any, source: str) -> Self:
        """Undo `to_dict`. Raises CheckpointError or maskkit.SchemeError with `source`."""
        try:
            scheme = maskkit.RegionScheme.from_dict(values["scheme"], source)
            names, rows_sha256 = tuple(map(str, values["attribute_names"])), str(values.get("rows_sha256", ""))
            return cls(int(values["size"]), scheme, names, int(values["rows"]), rows_sha256)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{source}: its description of the data is damaged ({error!r})") from error


class Batch(NamedTuple):
    """Real samples: `x` float32 (N, 3, H, W) in [-1, 1], `c` float32 (N, n_c) of 0 and 1, `s_idx` int64 (N, H, W).

    `layouts` int64 (N, H, W) is what the generator draws its layouts from: `s_idx` itself, or partly fresh ones.
    """

    x: Tensor
    c: Tensor
    s_idx: Tensor
    layouts: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Give the same batch on a device."""
        return Batch(*(tensor.to(device) for tensor in self))


class NumberedRows(NamedTuple):
    """Row numbers of one training batch and its number since the start, which decides its augmentation."""

    number: int
    rows: list[int]


def one_hot(s_idx: Tensor, n_s: int) -> Tensor:
    """Turn class indices (N, H, W) int64 into float32 (N, n_s, H, W) of 0 and 1, on the same device."""
    return F.one_hot(s_idx, n_s).permute(0, 3, 1, 2).float()


class RowsAtSize(Dataset[Batch | maskkit.MaskkitError]):
    """Rows of one split at the training size; a list of row numbers gives a batch.

    Photos are averaged over areas; layouts are drawn again from the landmarks, and taken by nearest neighbour only
    where there are none. With `settings`, batches for training are augmented as they say and attributes are held to
    `loss.cls`. Raises DataError where the settings ask for what the shards have not.
    """

    def __init__(self, shards: str | Path, split: str, size: int, settings: Settings | None = None) -> None:
        self.reader = maskkit.ShardReader(shards, split=split)
        self.size = size
        self.settings = settings
        if settings and settings.augmentation.layouts:
            self._check_drawable()

    def __len__(self) -> int:
        return len(self.reader)

    @property
    def description(self) -> DataDescription:
        """What these rows are, with their number."""
        names = self.reader.attribute_names
        return DataDescription(self.size, self.reader.scheme, names, len(self), rows_identity(self))

    def read(self, rows: Sequence[int]) -> Batch:
        """Read rows as one batch. Raises DataError for a label or an attribute out of range, maskkit.ShardError."""
        return _as_batch(*self._load(rows)[:3])

    def read_training(self, batch: NumberedRows) -> Batch:
        """Read rows as one batch, augmented; the batch's number and the seed decide how. Raises as `read`."""
        images, c, layouts, points = self._load(batch.rows)
        if self.settings is None:
            return _as_batch(images, c, layouts)
        chosen, scheme = self.settings.augmentation, self.reader.scheme
        rng = np.random.default_rng([self.settings.seed, batch.number, 1])
        if chosen.mirror:
            images, layouts, points = mirror_rows(images, layouts, points, scheme, rng)
        if not chosen.layouts:
            return _as_batch(images, c, layouts)
        return _as_batch(images, c, layouts, fresh_layouts(layouts, points, scheme, chosen, rng))

    def __getitem__(self, batch: NumberedRows) -> Batch | maskkit.MaskkitError:
        """Read a batch for a DataLoader; a refusal is sent as a value, for a raised one would arrive as a traceback."""
        try:
            return self.read_training(batch)
        except maskkit.MaskkitError as error:
            return error

    def _load(self, rows: Sequence[int]) -> tuple[Array, Array, Array, NDArray[np.float32]]:
        """Give images (N, H, W, 3), attributes (N, n_c), layouts (N, H, W) and points (N, 68, 2).

        Points are NaN where a row has none. What becomes of a row does not depend on those beside it.
        """
        samples = [self.reader[int(row)] for row in rows]
        for sample in samples:
            self._check(sample)
        images = np.stack([maskkit.images.resize(sample["image"], self.size) for sample in samples])
        c = np.stack([sample["attributes"] for sample in samples])
        points = np.stack([self._points(sample) for sample in samples])
        return images, c, self._layouts(samples, points), points

    def _layouts(self, samples: list[dict[str, Any]], points: NDArray[np.float32]) -> Array:
        old = self.reader.size
        if old == self.size:
            return np.stack([sample["mask"] for sample in samples])
        nearest = (np.arange(self.size) * 2 + 1) * old // (2 * self.size)
        layouts = np.stack([sample["mask"][np.ix_(nearest, nearest)] for sample in samples])
        if (drawn := has_points(points)).any():
            layouts[drawn] = maskkit.rasterize(points[drawn], self.size, self.reader.scheme)
        return layouts

    def _points(self, sample: dict[str, Any]) -> NDArray[np.float32]:
        if not self._drawable(sample):
            return NO_POINTS
        return maskkit.scale_points(sample["landmarks"], self.reader.size, self.size)

    def _drawable(self, sample: dict[str, Any]) -> bool:
        return "landmarks" in sample and self.reader.scheme.drawable

    def _check_drawable(self) -> None:
        """Look at the first row of each shard, whose rows have points all or none."""
        first = 0
        for entry in self.reader.entries:
            if entry.rows and not self._drawable(self.reader[first]):
                raise DataError(
                    f"{self.reader.folder / entry.file}: augmentation.layouts draws layouts from landmarks, and its "
                    f"rows have none to draw from (scheme {self.reader.scheme.name}); set augmentation.layouts=0"
                )
            first += entry.rows

    def _check(self, sample: dict[str, Any]) -> None:
        where = f"{self.reader.folder}, split {self.reader.split}, row {sample['id']}"
        classes = len(self.reader.scheme)
        if sample["mask"].max() >= classes:
            raise DataError(
                f"{where}: its mask holds the label {sample['mask'].max()}, and the scheme "
                f"{self.reader.scheme.name} has the classes 0 to {classes - 1}; `maskkit verify` tells more"
            )
        if (sample["attributes"] > 1).any():
            raise DataError(f"{where}: its attributes hold {sample['attributes'].max()}; they must be 0 or 1")
        one_of = self.settings is not None and self.settings.loss.cls == "softmax"
        if one_of and (count := int(sample["attributes"].sum())) != 1:
            raise DataError(
                f"{where}: {count} of its attributes are 1, and loss.cls = 'softmax' needs exactly one; "
                "set loss.cls=binary for attributes that are independent"
            )


def rows_identity(rows: RowsAtSize) -> str:
    """Give a SHA-256 that changes with the rows, the scheme or the attribute names of a split, not with its place."""
    dataset = rows.reader.dataset
    content = [dataset.scheme.to_dict(), dataset.attribute_names, [entry.sha256 for entry in rows.reader.entries]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _as_batch(images: Array, c: Array, layouts: Array, fresh: Array | None = None) -> Batch:
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    s_idx = torch.from_numpy(layouts).long()
    fresh_idx = s_idx if fresh is None else torch.from_numpy(fresh).long()
    return Batch(x.contiguous(), torch.from_numpy(c).float(), s_idx, fresh_idx)


class BatchOrder:
    """Row numbers of batch after batch without end, from a position: a new permutation for each (seed, epoch).

    The last incomplete batch of an epoch is dropped. Raises DataError where there are fewer rows than a batch.
    """

    def __init__(self, rows: int, batch: int, seed: int, start: int = 0) -> None:
        if rows == 0:
            raise DataError("the shards have no rows to train on; they need some in the split train")
        if rows < batch:
            raise DataError(f"{rows} rows do not fill a batch of {batch}; set schedule.batch to {rows} or less")
        self.rows, self.batch, self.seed, self.start = rows, batch, seed, start

    @property
    def batches_per_epoch(self) -> int:
        """Whole batches in one pass over the rows."""
        return self.rows // self.batch

    def __iter__(self) -> Iterator[NumberedRows]:
        per_epoch = self.batches_per_epoch
        epoch, position = divmod(self.start, per_epoch)
        while True:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
            for first in range(position * self.batch, per_epoch * self.batch, self.batch):
                rows = order[first : first + self.batch].tolist()
                yield NumberedRows(epoch * per_epoch + first // self.batch, rows)
            epoch, position = epoch + 1, 0


def batches(rows: RowsAtSize, order: BatchOrder, workers: int = 0) -> Iterator[Batch]:
    """Give batches on the CPU in the order's order, the same for any number of worker processes.

    Raises DataError, maskkit.ShardError, and RuntimeError where a worker was killed.
    """
    loader: DataLoader[Batch | maskkit.MaskkitError] = DataLoader(
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
        for batch in loader:
            if isinstance(batch, maskkit.MaskkitError):
                raise batch
            yield batch
    except (ConnectionError, EOFError) as error:  # instead of torch's RuntimeError, if it was handing over a batch
        raise RuntimeError("a DataLoader worker was killed") from error


def _as_it_is(batch: Any) -> Any:
    return batch


def _follow_parent(worker: int) -> None:
    """Leave signals to the parent, and end with it."""
    # Ctrl-C reaches the whole process group; the parent wants its last batches before it stops its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # torch looks whether the process it was forked from is alive, which is the server, and that waits for its workers.
    threading.Thread(target=end_with_parent, daemon=True).start()
