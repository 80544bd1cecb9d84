"""Rows of shards at the training size, as bytes and as tensors."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

import maskkit
from gan.data.augmentation import Points
from gan.data.description import DataDescription
from gan.data.order import NumberedRows
from gan.errors import DataError
from gan.settings.run_settings import AttributeKind, RunSettings
from gan.settings.sections import AugmentationSettings
from maskkit.masks.resizing import resize_labels
from maskkit.photos.images import resize


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


@dataclass(frozen=True)
class Packing:
    """How a row lies in bytes: image, layout and attributes side by side, so that one copy takes them all."""

    size: int
    n_c: int

    @property
    def bytes(self) -> int:
        """Bytes of a row."""
        return 4 * self.size**2 + self.n_c

    def split(self, content: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See in uint8 (N, bytes) images (N, H, W, 3), layouts (N, H, W) and attributes (N, n_c); nothing is copied."""
        count, side, area = len(content), self.size, self.size**2
        images, layouts = content[:, : 3 * area], content[:, 3 * area : 4 * area]
        return images.view(count, side, side, 3), layouts.view(count, side, side), content[:, 4 * area :]


class ReadRows(NamedTuple):
    """A batch as it is read: its number, `content` uint8 (N, bytes) packed, and on the host `points` (N, 68, 2).

    Points are NaN where a row has none.
    """

    number: int
    content: Tensor
    points: Points


def one_hot(s_idx: Tensor, n_s: int) -> Tensor:
    """Turn class indices (N, H, W) int64 into float32 (N, n_s, H, W) of 0 and 1, on the same device."""
    return F.one_hot(s_idx, n_s).permute(0, 3, 1, 2).float()


class RowsAtSize(Dataset[ReadRows | maskkit.MaskkitError]):
    """Rows of one split at the training size; a list of row numbers gives a batch.

    Photos are averaged over areas; layouts are drawn again from the landmarks, and taken by nearest neighbour only
    where there are none. Attributes are held to `kind`. With `augmentation`, batches for training are altered as it
    says (gan/data/batches.py), at random by `seed`. Raises DataError where it asks for what the shards have not.
    """

    def __init__(
        self,
        shards: str | Path,
        split: str,
        size: int,
        kind: AttributeKind = "binary",
        augmentation: AugmentationSettings | None = None,
        seed: int = 0,
    ) -> None:
        self.reader = maskkit.ShardReader(shards, split=split)
        self.size = size
        self.kind, self.augmentation, self.seed = kind, augmentation, seed
        self.packing = Packing(size, len(self.reader.attribute_names))
        if augmentation and augmentation.layouts:
            self._check_drawable()

    def __len__(self) -> int:
        return len(self.reader)

    @property
    def description(self) -> DataDescription:
        """What these rows are, with their number."""
        names = self.reader.attribute_names
        return DataDescription(self.size, self.reader.scheme, names, len(self), rows_identity(self))

    def read(self, rows: Sequence[int]) -> Batch:
        """Read rows as one batch on the CPU, as they are.

        Raises DataError for a label or an attribute out of range, maskkit.ShardError.
        """
        images, layouts, c = self.packing.split(self.read_packed(rows)[0])
        return as_batch(images, c, layouts)

    def __getitem__(self, batch: NumberedRows) -> ReadRows | maskkit.MaskkitError:
        """Read a batch for a DataLoader; a refusal is sent as a value, for a raised one would arrive as a traceback."""
        try:
            return ReadRows(batch.number, *self.read_packed(batch.rows))
        except maskkit.MaskkitError as error:
            return error

    def read_packed(self, rows: Sequence[int]) -> tuple[Tensor, Points]:
        """Read rows as uint8 (N, bytes), packed, and points (N, 68, 2), NaN where a row has none. Raises as `read`.

        What becomes of a row does not depend on those beside it.
        """
        content = torch.empty((len(rows), self.packing.bytes), dtype=torch.uint8)
        images, layouts, c = (part.numpy() for part in self.packing.split(content))
        points = np.full((len(rows), 68, 2), np.nan, np.float32)
        largest, drawn = np.zeros(len(rows), np.uint8), np.zeros(len(rows), dtype=bool)
        old, new = self.reader.size, self.size
        for i, row in enumerate(rows):
            sample = self.reader[int(row)]
            mask = sample["mask"]
            largest[i] = mask.ravel().max()  # before it is drawn again: what is in the shards has to be right
            images[i], c[i] = resize(sample["image"], new), sample["attributes"]
            if self._drawable(sample):
                points[i], drawn[i] = sample["landmarks"], True
            if old == new or not drawn[i]:
                layouts[i] = mask if old == new else resize_labels(mask, new)
        self._check(rows, largest, c)
        points[drawn] = maskkit.scale_points(points[drawn], old, new)
        if old != new and drawn.any():
            layouts[drawn] = maskkit.rasterize(points[drawn], new, self.reader.scheme)
        return content, points

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

    def _check(self, rows: Sequence[int], largest: NDArray[np.uint8], c: NDArray[np.uint8]) -> None:
        """Check the largest label (N,) and the attributes (N, n_c) of rows, all at once."""
        classes, of_one = len(self.reader.scheme), self.kind == "softmax"
        wrong = (largest >= classes) | (c > 1).any(axis=1)
        if of_one:
            wrong |= c.sum(axis=1) != 1
        if not wrong.any():
            return
        i = int(wrong.argmax())
        where = f"{self.reader.folder}, split {self.reader.split}, row {self.reader[int(rows[i])]['id']}"
        if largest[i] >= classes:
            raise DataError(
                f"{where}: its mask holds the label {largest[i]}, and the scheme "
                f"{self.reader.scheme.name} has the classes 0 to {classes - 1}; `maskkit verify` tells more"
            )
        if (c[i] > 1).any():
            raise DataError(f"{where}: its attributes hold {c[i].max()}; they must be 0 or 1")
        raise DataError(
            f"{where}: {c[i].sum()} of its attributes are 1, and loss.cls = 'softmax' needs exactly one; "
            "set loss.cls=binary for attributes that are independent"
        )


def training_rows(shards: str | Path, settings: RunSettings, size: int | None = None) -> RowsAtSize:
    """Give the train rows as the settings say, at their size or another. Raises as RowsAtSize."""
    return RowsAtSize(
        shards, "train", size or settings.data.size, settings.attribute_kind, settings.augmentation, settings.seed
    )


def rows_identity(rows: RowsAtSize) -> str:
    """Give a SHA-256 that changes with the rows, the scheme or the attribute names of a split, not with its place."""
    dataset = rows.reader.dataset
    content = [dataset.scheme.to_dict(), dataset.attribute_names, [entry.sha256 for entry in rows.reader.entries]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def as_batch(images: Tensor, c: Tensor, layouts: Tensor, fresh: Tensor | None = None) -> Batch:
    """Make a batch, on their device, of images uint8 (N, H, W, 3), attributes uint8 (N, n_c), layouts uint8 (N, H, W).

    `fresh` are the layouts for the generator, if they are others.
    """
    s_idx = layouts.long()
    return Batch(as_images(images), c.float(), s_idx, s_idx if fresh is None else fresh.long())


def as_images(pictures: Tensor) -> Tensor:
    """Turn pictures uint8 (N, H, W, 3) into images float32 (N, 3, H, W) in [-1, 1], on their device."""
    x = pictures.new_empty((len(pictures), 3, *pictures.shape[1:3]), dtype=torch.float32)
    # Divided by a tensor: by a number, CUDA would multiply with its rounded inverse.
    return x.copy_(pictures.permute(0, 3, 1, 2)).div_(x.new_full((), 127.5)).sub_(1)
