"""Shards to batches: sizes, order, resuming, workers, refusals."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import maskkit
from gan.data import BatchOrder, RowsAtSize, batches, one_hot
from gan.errors import DataError
from maskkit.dataset import Dataset
from maskkit.shards import Row, write_shard
from tests.drawn import drawn_row, write_drawn_shards


def write_rows(folder: Path, rows: list[Row], scheme: str = "scgan") -> Path:
    """Write rows as one train shard, however wrong they are."""
    folder.mkdir(parents=True)
    names = tuple(f"a{i}" for i in range(len(rows[0].attributes)))
    dataset = Dataset(maskkit.load_scheme(scheme), rows[0].image.shape[0], names, {}, {}, {})
    dataset.shards = [write_shard(folder, "train-00000.h5", rows, dataset, ("hog",))]
    dataset.complete = True
    dataset.write(folder)
    return folder


def test_rows_at_the_size_of_the_shards(drawn_shards: Path) -> None:
    batch = RowsAtSize(drawn_shards, "train", 64).read([3, 17])
    sample = maskkit.ShardReader(drawn_shards)[17]
    assert batch.x.dtype == torch.float32 and batch.x.shape == (2, 3, 64, 64)
    np.testing.assert_allclose(batch.x[1].permute(1, 2, 0), sample["image"] / 127.5 - 1, atol=1e-6)
    assert np.array_equal(batch.s_idx[1], sample["mask"]) and batch.s_idx.dtype == torch.int64
    assert batch.c[1].tolist() == sample["attributes"].tolist()


def test_smaller_rows_are_averaged_and_drawn_again(drawn_shards: Path) -> None:
    batch = RowsAtSize(drawn_shards, "train", 32).read([5])
    sample = maskkit.ShardReader(drawn_shards)[5]
    means = sample["image"].reshape(32, 2, 32, 2, 3).mean((1, 3))
    np.testing.assert_allclose((batch.x[0].permute(1, 2, 0) + 1) * 127.5, means, atol=0.51)
    points = (sample["landmarks"] + 0.5) / 2 - 0.5
    assert np.array_equal(batch.s_idx[0], maskkit.rasterize(points, 32))
    nearest = cv2.resize(sample["mask"], (32, 32), interpolation=cv2.INTER_NEAREST)
    assert not np.array_equal(batch.s_idx[0], nearest)


def test_masks_without_points_are_taken_by_nearest(tmp_path: Path) -> None:
    row = drawn_row(0, 64)
    row.landmarks = None
    found = RowsAtSize(write_rows(tmp_path / "shards", [row]), "train", 32).read([0]).s_idx[0].numpy()
    assert np.array_equal(found, row.mask[1::2, 1::2])


def test_one_hot_agrees_with_maskkit(drawn_shards: Path) -> None:
    s_idx = RowsAtSize(drawn_shards, "val", 64).read([0, 1]).s_idx
    assert np.array_equal(one_hot(s_idx, 7), maskkit.one_hot(s_idx.numpy(), 7))


def test_order_is_a_permutation_each_epoch_and_can_start_anywhere() -> None:
    whole = list(islice(BatchOrder(11, 3, seed=1), 9))
    epochs = [sorted(row for batch in whole[i : i + 3] for row in batch) for i in (0, 3, 6)]
    assert all(len(set(rows)) == 9 for rows in epochs) and len({tuple(rows) for rows in whole}) > 3
    for start in range(8):
        assert list(islice(BatchOrder(11, 3, seed=1, start=start), 9 - start)) == whole[start:]
    assert list(islice(BatchOrder(11, 3, seed=2), 3)) != whole[:3]


def test_workers_change_nothing(drawn_shards: Path) -> None:
    rows = RowsAtSize(drawn_shards, "train", 32)
    alone, shared = (list(islice(batches(rows, BatchOrder(40, 4, 0), workers), 12)) for workers in (0, 2))
    for a, b in zip(alone, shared, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_too_few_rows(drawn_shards: Path) -> None:
    with pytest.raises(DataError, match=r"8 rows do not fill a batch of 16; set schedule\.batch to 8"):
        BatchOrder(8, 16, 0)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_label_beyond_the_classes_is_a_sentence(tmp_path: Path, workers: int) -> None:
    rows = [drawn_row(i, 64) for i in range(4)]
    rows[2].mask[5, 5] = 9
    data = RowsAtSize(write_rows(tmp_path / "shards", rows), "train", 32)
    with pytest.raises(DataError) as error:
        next(batches(data, BatchOrder(4, 4, 0), workers))
    said = str(error.value)
    assert "000002.png" in said and "label 9" in said and "0 to 6" in said and "\n" not in said


def test_an_attribute_beyond_one_is_a_sentence(tmp_path: Path) -> None:
    rows = [drawn_row(0, 64)]
    rows[0].attributes[1] = 255
    data = RowsAtSize(write_rows(tmp_path / "shards", rows), "train", 64)
    with pytest.raises(DataError, match=r"000000\.png: its attributes hold 255"):
        data.read([0])


def test_no_attributes_at_all(tmp_path: Path) -> None:
    shards = write_drawn_shards(tmp_path / "shards", {"train": 3}, names=())
    data = RowsAtSize(shards, "train", 64)
    assert data.description.n_c == 0 and data.read([0, 1]).c.shape == (2, 0)


@pytest.mark.parametrize("error", [ConnectionResetError, EOFError])
def test_a_worker_killed_while_it_hands_over_a_batch(
    error: type[Exception], drawn_shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: DataLoader) -> None:
        raise error

    monkeypatch.setattr(DataLoader, "__iter__", killed)
    with pytest.raises(RuntimeError, match="DataLoader worker was killed"):
        next(batches(RowsAtSize(drawn_shards, "train", 32), BatchOrder(40, 4, 0)))
