"""Shards to batches: sizes, order, resuming, workers, refusals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import maskkit
from gan.data.batches import batches
from gan.data.order import BatchOrder, NumberedRows
from gan.data.rows import Batch, RowsAtSize, one_hot, training_rows
from gan.errors import DataError
from gan.runs.presets import load_preset
from maskkit.shards.description import Dataset
from maskkit.shards.writer import Row, write_shard
from tests.drawn import drawn_row, write_drawn_shards


def training_batch(rows: RowsAtSize, number: int, chosen: Sequence[int]) -> Batch:
    """One batch as training gets it: a batch's number decides how it is augmented."""
    return next(batches(rows, [NumberedRows(number, list(chosen))]))


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
    epochs = [sorted(row for batch in whole[i : i + 3] for row in batch.rows) for i in (0, 3, 6)]
    assert all(len(set(rows)) == 9 for rows in epochs) and len({tuple(batch.rows) for batch in whole}) > 3
    assert [batch.number for batch in whole] == list(range(9))
    for start in range(8):
        assert list(islice(BatchOrder(11, 3, seed=1, start=start), 9 - start)) == whole[start:]
    assert list(islice(BatchOrder(11, 3, seed=2), 3)) != whole[:3]


AUGMENTED = load_preset("tiny", ["augmentation.mirror=true", "augmentation.layouts=0.7"])


def test_workers_change_nothing(drawn_shards: Path) -> None:
    rows = training_rows(drawn_shards, AUGMENTED, 32)
    alone, shared = (list(islice(batches(rows, BatchOrder(40, 4, 0), workers), 12)) for workers in (0, 2))
    for a, b in zip(alone, shared, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_mirrored_rows_swap_sides_and_stay_exact(drawn_shards: Path) -> None:
    settings = load_preset("tiny", ["augmentation.mirror=true"])
    rows, chosen = training_rows(drawn_shards, settings, 32), list(range(30))
    plain, found = rows.read(chosen), training_batch(rows, 4, chosen)
    mirrored = [i for i in chosen if not torch.equal(plain.x[i], found.x[i])]
    assert 5 < len(mirrored) < 25 and torch.equal(plain.c, found.c) and torch.equal(found.layouts, found.s_idx)
    right, left = 2, 3
    for i in chosen:
        if i not in mirrored:
            assert torch.equal(found.s_idx[i], plain.s_idx[i])
            continue
        assert torch.equal(found.x[i], plain.x[i].flip(2))
        points = maskkit.scale_points(rows.reader[i]["landmarks"], 64, 32)
        expected = maskkit.rasterize(maskkit.mirror_points(points, 32), 32)
        assert np.array_equal(found.s_idx[i], expected)
        x = torch.arange(32)
        assert x[(found.s_idx[i] == right).any(0)].float().mean() < x[(found.s_idx[i] == left).any(0)].float().mean()
    other = training_batch(rows, 5, chosen)
    assert not torch.equal(other.x, found.x), "another batch of the same rows is mirrored otherwise"


def test_masks_without_points_are_mirrored_by_class(tmp_path: Path) -> None:
    made = [drawn_row(i, 64) for i in range(8)]
    for row in made:
        row.landmarks = None
    shards = write_rows(tmp_path / "shards", made)
    rows = training_rows(shards, load_preset("tiny", ["augmentation.mirror=true"]), 64)
    plain, found = rows.read(range(8)), training_batch(rows, 0, range(8))
    swap = torch.tensor([0, 1, 3, 2, 4, 5, 6])
    mirrored = [i for i in range(8) if not torch.equal(plain.x[i], found.x[i])]
    assert 0 < len(mirrored) < 8
    assert all(torch.equal(found.s_idx[i], swap[plain.s_idx[i]].flip(1)) for i in mirrored)
    with pytest.raises(DataError, match=r"have none to draw from \(scheme scgan\); set augmentation\.layouts=0"):
        training_rows(shards, AUGMENTED, 64)


def test_fresh_layouts_are_faces_that_the_data_has_not(drawn_shards: Path) -> None:
    """A share of them; within the size by the drawn shift and scale; with one row they are that row moved."""
    rows, chosen = training_rows(drawn_shards, load_preset("tiny", ["augmentation.layouts=0.5"]), 64), range(40)
    found = training_batch(rows, 0, chosen)
    plain = rows.read(chosen)
    assert torch.equal(found.x, plain.x) and torch.equal(found.s_idx, plain.s_idx)
    fresh = [i for i in chosen if not torch.equal(found.layouts[i], plain.s_idx[i])]
    assert 10 < len(fresh) < 30
    assert all((found.layouts[i] == region).any() for i in fresh for region in (1, 2, 3, 4, 5))
    held = load_preset("tiny", [f"augmentation.{key}" for key in ("layouts=1.0", "shift=0.0", "scale=0.0")])
    alone = training_batch(training_rows(drawn_shards, held, 64), 0, [7])
    assert torch.equal(alone.layouts, alone.s_idx), "blended with itself and not moved, a face stays what it is"


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


def test_softmax_needs_one_of_the_attributes(tmp_path: Path) -> None:
    rows = [drawn_row(0, 64)]
    rows[0].attributes[:] = (0, 1, 1, 0, 0)
    shards = write_rows(tmp_path / "shards", rows)
    data = training_rows(shards, load_preset("tiny", ["loss.cls=softmax"]), 64)
    with pytest.raises(DataError, match=r"000000\.png: 2 of its attributes are 1, and loss\.cls = 'softmax' needs"):
        data.read([0])


def test_a_scheme_without_polygons_keeps_its_masks(tmp_path: Path) -> None:
    """Imported masks are not drawn over, even where rows have points."""
    row = drawn_row(0, 64)
    shards = write_rows(tmp_path / "shards", [row], scheme="deepfashion")
    assert np.array_equal(RowsAtSize(shards, "train", 32).read([0]).s_idx[0], row.mask[1::2, 1::2])
    with pytest.raises(maskkit.MaskkitError, match="deepfashion has no polygons"):
        maskkit.rasterize(row.landmarks, 64, "deepfashion")


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


def write_mixed_shards(folder: Path) -> Path:
    """Two train shards of two rows each, the first with points and the second without."""
    folder.mkdir()
    dataset = Dataset(maskkit.load_scheme("scgan"), 64, ("a", "b", "c", "d", "e"), {}, {}, {})
    for number in range(2):
        rows = [drawn_row(2 * number + i, 64) for i in range(2)]
        for row in rows:
            row.landmarks = None if number else row.landmarks
        dataset.shards.append(write_shard(folder, f"train-{number:05d}.h5", rows, dataset, ("hog",)))
    dataset.complete = True
    dataset.write(folder)
    return folder


def test_a_row_does_not_depend_on_those_beside_it(tmp_path: Path) -> None:
    shards = write_mixed_shards(tmp_path / "shards")
    rows = RowsAtSize(shards, "train", 32)
    alone = torch.cat([rows.read([i]).s_idx for i in range(4)])
    assert torch.equal(rows.read(range(4)).s_idx, alone)
    mirrored = training_rows(shards, load_preset("tiny", ["augmentation.mirror=true"]), 32)
    chosen = np.random.default_rng([0, 3, 1]).random(4) < 0.5
    assert chosen[:2].any() and chosen[2:].any() and not chosen.all()
    found = training_batch(mirrored, 3, range(4))
    for i, turned in enumerate(chosen):
        expected = alone[i].numpy()
        if turned and i < 2:
            there = maskkit.scale_points(rows.reader[i]["landmarks"], 64, 32)
            expected = maskkit.rasterize(maskkit.mirror_points(there, 32), 32)
        elif turned:
            expected = maskkit.mirror_label_map(expected, rows.reader.scheme)
        assert np.array_equal(found.s_idx[i], expected), i


def test_every_shard_must_have_what_fresh_layouts_are_drawn_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train-00001\.h5: .*its rows have none to draw from"):
        training_rows(write_mixed_shards(tmp_path / "shards"), AUGMENTED, 64)


READING = """
import sys
from gan.data.order import BatchOrder
from gan.data.rows import RowsAtSize
from gan.data.batches import batches
if __name__ == "__main__":
    stream = batches(RowsAtSize(sys.argv[1], "train", 32), BatchOrder(40, 4, 0), workers=2)
    next(stream)
    import multiprocessing, time
    print(*[process.pid for process in multiprocessing.active_children()], flush=True)
    time.sleep(60)
"""


def test_workers_end_with_a_parent_that_is_killed(drawn_shards: Path, tmp_path: Path) -> None:
    script = tmp_path / "reading.py"
    script.write_text(READING)
    reader = subprocess.Popen([sys.executable, script, drawn_shards], stdout=subprocess.PIPE, text=True)
    assert reader.stdout
    workers = [int(number) for number in reader.stdout.readline().split()]
    assert len(workers) == 2 and all(map(alive, workers))
    reader.kill()
    reader.wait()  # not for the end of its output, which the workers hold too
    reader.stdout.close()
    deadline = time.monotonic() + 20
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [worker for worker in workers if alive(worker)]
    for worker in left:
        os.kill(worker, signal.SIGKILL)
    assert not left


def alive(number: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
