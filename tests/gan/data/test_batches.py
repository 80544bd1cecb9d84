"""Batches are the same bytes by every way to the device, and what `maskkit` makes of the rows on the host."""

from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

import maskkit
from gan.computing.compute import Compute
from gan.data import resident
from gan.data.batches import batches
from gan.data.order import BatchOrder, NumberedRows
from gan.data.resident import ResidentRows, make_resident
from gan.data.rows import RowsAtSize, training_rows
from gan.errors import DataError
from gan.runs.presets import load_preset
from gan.training.fit import fit
from maskkit.photos.images import resize
from tests.drawn import drawn_row
from tests.gan.conftest import DEVICES, SMALL
from tests.gan.data.test_rows import write_mixed_shards, write_rows
from tests.gan.resuming import difference

BOTH = ("augmentation.mirror=true", "augmentation.layouts=0.5")
KINDS: dict[str, tuple[str, ...]] = {"as they are": (), "mirrored": BOTH[:1], "fresh layouts": BOTH[1:], "both": BOTH}


def on_the_host(rows: RowsAtSize, batch: NumberedRows) -> list[np.ndarray]:
    """What a batch must be, by NumPy and maskkit alone: images, attributes, layouts, layouts for the generator."""
    chosen, scheme, size = rows.augmentation, rows.reader.scheme, rows.size
    assert chosen
    samples, count = [rows.reader[row] for row in batch.rows], len(batch.rows)
    images = np.stack([resize(sample["image"], size) for sample in samples])
    points = [maskkit.scale_points(one["landmarks"], 64, size) if "landmarks" in one else None for one in samples]
    nearest = np.arange(64 // size // 2, 64, 64 // size)
    layouts = [
        sample["mask"][np.ix_(nearest, nearest)] if there is None or size == 64 else maskkit.rasterize(there, size)
        for sample, there in zip(samples, points, strict=True)
    ]
    rng = np.random.default_rng([rows.seed, batch.number, 1])
    for i in np.flatnonzero(rng.random(count) < 0.5) if chosen.mirror else ():
        images[i] = images[i, :, ::-1]
        layouts[i] = maskkit.mirror_label_map(layouts[i], scheme)
        if points[i] is not None:
            points[i] = maskkit.mirror_points(points[i], size)
            layouts[i] = maskkit.rasterize(points[i], size)
    fresh = list(layouts)
    if chosen.layouts:
        redrawn, blend, partner = rng.random(count) < chosen.layouts, rng.random(count), rng.permutation(count)
        scale, shift = (
            rng.uniform(-chosen.scale, chosen.scale, count),
            rng.uniform(-chosen.shift, chosen.shift, (count, 2)),
        )
        for i in np.flatnonzero(redrawn):
            face = (1 - blend[i]) * points[i] + blend[i] * points[partner[i]]
            centre = face.mean(axis=0)
            fresh[i] = maskkit.rasterize(centre + (1 + scale[i]) * (face - centre) + shift[i] * size, size)
    x = images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - np.float32(1)
    return [x, np.stack([sample["attributes"] for sample in samples]), np.stack(layouts), np.stack(fresh)]


def write_without_points(folder: Path) -> Path:
    rows = [drawn_row(i, 64) for i in range(8)]
    for row in rows:
        row.landmarks = None
    return write_rows(folder, rows)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        *(("drawn", kind) for kind in KINDS),
        *((data, kind) for data in ("mixed", "without") for kind in list(KINDS)[:2]),
    ],
)
def test_batches_are_what_the_host_makes_of_the_rows(
    data: str, kind: str, size: int, device: str, drawn_shards: Path, tmp_path: Path
) -> None:
    write = {"drawn": lambda _: drawn_shards, "mixed": write_mixed_shards, "without": write_without_points}[data]
    rows = training_rows(write(tmp_path / "shards"), load_preset("tiny", ["seed=3", *KINDS[kind]]), size)
    order = list(islice(BatchOrder(len(rows), 4, 3, start=2), 3))
    place = torch.device(device)
    held = ResidentRows(rows, place)
    held.load(0, lambda done, total: None)
    for way in (rows, held):
        for number, batch in zip(order, batches(way, order, device=place), strict=True):
            expected = on_the_host(rows, number)
            assert [tensor.dtype for tensor in batch] == [torch.float32, torch.float32, torch.int64, torch.int64]
            assert all(tensor.device.type == device for tensor in batch)
            for tensor, there in zip(batch, expected, strict=True):
                assert np.array_equal(tensor.cpu().numpy(), there)


def compute_with(free: int, monkeypatch: pytest.MonkeyPatch, device: str = "cpu") -> Compute:
    """A place to compute with so much memory left; a CUDA device that is not there can at least be asked about."""
    monkeypatch.setattr(resident, "free_memory", lambda device: free)
    return Compute(torch.device(device))


def test_when_rows_are_held_on_the_device(drawn_shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = RowsAtSize(drawn_shards, "train", 32)
    needed = 40 * (4 * 32 * 32 + 5)
    assert make_resident(rows, "auto", compute_with(10**12, monkeypatch)) is None
    assert make_resident(rows, "no", compute_with(10**12, monkeypatch, "cuda")) is None
    assert make_resident(rows, "auto", compute_with(2 * needed - 1, monkeypatch, "cuda")) is None
    made: list[ResidentRows] = []
    monkeypatch.setattr(resident, "ResidentRows", lambda rows, device: made.append(device))
    make_resident(rows, "auto", compute_with(2 * needed, monkeypatch, "cuda"))
    make_resident(rows, "yes", compute_with(needed, monkeypatch))
    assert made == [torch.device("cuda"), torch.device("cpu")]
    with pytest.raises(DataError, match=r"data\.resident = yes: 40 rows take 0\.00 GB, and 0\.00 GB are free on cpu"):
        make_resident(rows, "yes", compute_with(needed - 1, monkeypatch))


def test_a_run_may_go_on_with_its_rows_held_or_not(drawn_shards: Path, tmp_path: Path) -> None:
    """Bit for bit, a frozen segmentor's preparation included; progress of reading comes first."""
    frozen = ("segmentor.training=frozen", "segmentor.pretraining=3")
    read, held = (load_preset("tiny", [*SMALL, *BOTH, *frozen, f"data.resident={asked}"]) for asked in ("no", "yes"))
    train = partial(fit, drawn_shards, device="cpu")
    train(tmp_path / "whole", read, steps=4)
    seen: list[tuple[int, int]] = []
    train(tmp_path / "run", held, steps=2, on_prepare=lambda *done: seen.append(done))
    assert seen == [(40, 40), (1, 3), (2, 3), (3, 3)]
    train(tmp_path / "run", held, steps=3, resume=True)
    train(tmp_path / "run", read, steps=4, resume=True)
    assert difference(tmp_path / "run", tmp_path / "whole", 4) is None


def test_stopped_while_rows_are_loaded(drawn_shards: Path, tmp_path: Path) -> None:
    settings = load_preset("tiny", [*SMALL, "data.resident=yes"])
    run = tmp_path / "run"
    result = fit(drawn_shards, run, settings, steps=3, device="cpu", stop=lambda: True)
    assert result.stopped and (result.step, result.checkpoint) == (0, None)
    assert fit(drawn_shards, run, settings, steps=1, resume=True, device="cpu").step == 1
    result = fit(drawn_shards, run, settings, steps=3, device="cpu", resume=True, stop=lambda: True)
    assert result.stopped and result.step == 1 and result.checkpoint == run / "checkpoints/step-000001.pt"


def test_a_row_that_is_refused_while_rows_are_loaded(tmp_path: Path) -> None:
    rows = [drawn_row(i, 64) for i in range(4)]
    rows[2].mask[5, 5] = 9
    held = ResidentRows(RowsAtSize(write_rows(tmp_path / "shards", rows), "train", 32), torch.device("cpu"))
    with pytest.raises(DataError, match=r"row 000002\.png: its mask holds the label 9"):
        held.load(0, lambda done, total: None)


@pytest.mark.parametrize("device", DEVICES)
def test_a_row_is_refused_when_its_turn_comes(device: str, tmp_path: Path) -> None:
    """Not while the batch before it is given, though it may have been read ahead."""
    made = [drawn_row(i, 64) for i in range(3)]
    made[1].mask[5, 5] = 9
    rows = RowsAtSize(write_rows(tmp_path / "shards", made), "train", 64)
    stream = batches(rows, [NumberedRows(i, [i]) for i in range(3)], device=torch.device(device))
    assert torch.equal(next(stream).x.cpu(), rows.read([0]).x)
    with pytest.raises(DataError, match="label 9"):
        next(stream)
