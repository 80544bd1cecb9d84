"""The loop: exact resuming, stopping, refusing, and what a run's folder tells."""

import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan import training
from gan.checkpoint import checkpoint_paths, load_checkpoint
from gan.config import Settings, load_preset
from gan.errors import GanError, RunError, TrainingError
from gan.loading import load_generator
from gan.systems.scgan import SCGAN
from gan.training import fit
from tests.drawn import write_drawn_shards
from tests.gan.conftest import SMALL


def assert_same(a: Any, b: Any, where: str = "") -> None:
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}/{i}")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    else:
        assert a == b, where


def test_forty_steps_equal_twenty_and_twenty(
    small_run: Path, drawn_shards: Path, small_settings: Settings, tmp_path: Path
) -> None:
    """Weights, optimisers, noise, logs and pictures, bit for bit; the stop falls between two checkpoints."""
    run, asked = tmp_path / "run", 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 23

    first = fit(drawn_shards, run, small_settings, steps=40, device="cpu", stop=stop)
    assert first.stopped and first.step == 23
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 24}\n')  # a step that no checkpoint knows of
    moved = Path(shutil.copytree(drawn_shards, tmp_path / "moved"))
    second = fit(moved, run, small_settings, steps=40, device="cpu", resume=True)
    assert not second.stopped and second.step == 40

    ours, theirs = (torch.load(folder / "checkpoints/step-000040.pt", weights_only=True) for folder in (run, small_run))
    assert ours["settings"]["data"].pop("shards") == str(moved) and theirs["settings"]["data"].pop("shards")
    assert_same(ours, theirs)
    for name in ("metrics.jsonl", "samples/step-000040.png"):
        assert (run / name).read_bytes() == (small_run / name).read_bytes(), name


def test_the_folder_tells_what_was_done(small_run: Path, small_settings: Settings) -> None:
    lines = [json.loads(line) for line in (small_run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 41))
    assert lines[-1]["epoch"] == 39 * 2 // 10 and lines[0]["lr/G"] == small_settings.optimiser.lr_g
    assert {"loss_d/gp", "loss_g/seg", "loss_s/seg"} <= lines[0].keys()
    assert json.loads((small_run / "environment.json").read_text())[0]["versions"]["torch"] == torch.__version__
    grid = np.asarray(Image.open(small_run / "samples" / "step-000040.png"))
    assert grid.shape == (4 * 34 - 2, 3 * 34 - 2, 3)  # photos, masks and two latents of three layouts


def test_the_segmentor_learns(small_run: Path) -> None:
    losses = [json.loads(line)["loss_s/seg"] for line in (small_run / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.8 * losses[0]


def test_a_run_is_not_overwritten(small_run: Path, drawn_shards: Path, small_settings: Settings) -> None:
    before = {path: path.stat().st_mtime_ns for path in small_run.rglob("*")}
    with pytest.raises(RunError, match="not empty; take another name, or --resume"):
        fit(drawn_shards, small_run, small_settings, steps=50)
    with pytest.raises(RunError, match=r"made with seed = 0, and 1 is asked for"):
        fit(drawn_shards, small_run, load_preset("tiny", [*SMALL, "seed=1"]), steps=50, resume=True)
    with pytest.raises(RunError, match="already made 40 steps, more than the 30"):
        fit(drawn_shards, small_run, small_settings, steps=30, resume=True)
    assert before == {path: path.stat().st_mtime_ns for path in small_run.rglob("*")}


def test_resume_needs_a_run_and_its_data(
    small_run: Path, drawn_shards: Path, small_settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="not the folder of a run"):
        fit(drawn_shards, tmp_path / "none", small_settings, resume=True)
    other = write_drawn_shards(tmp_path / "other", {"train": 12})
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    with pytest.raises(RunError, match=r"40 rows at 32 pixels.* the shards hold 12 rows"):
        fit(other, run, small_settings, steps=50, resume=True)


def test_a_stop_before_the_first_step_can_be_resumed(
    drawn_shards: Path, small_settings: Settings, tmp_path: Path
) -> None:
    assert fit(drawn_shards, tmp_path / "run", small_settings, steps=2, stop=lambda: True).step == 0
    assert fit(drawn_shards, tmp_path / "run", small_settings, steps=2, resume=True).step == 2


def test_a_start_that_fails_leaves_no_folder(
    drawn_shards: Path, small_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\nmore lines")

    with monkeypatch.context() as patch:
        patch.setattr(training, "build_system", full)
        with pytest.raises(
            GanError, match=r"training failed: CUDA out of memory.* take a smaller schedule\.batch"
        ) as error:
            fit(drawn_shards, tmp_path / "run", small_settings, device="cpu")
        assert "\n" not in str(error.value)
    with monkeypatch.context() as patch:
        patch.setattr(training, "Preview", full)
        with pytest.raises(GanError):
            fit(drawn_shards, tmp_path / "run", small_settings, device="cpu")
    assert not (tmp_path / "run").exists()
    with monkeypatch.context() as patch:
        patch.setattr(training, "note_environment", full)
        with pytest.raises(GanError):
            fit(drawn_shards, tmp_path / "run", small_settings, device="cpu")
    assert fit(drawn_shards, tmp_path / "run", small_settings, steps=1, resume=True, device="cpu").step == 1


def test_a_killed_reader_is_a_sentence(drawn_shards: Path, tmp_path: Path) -> None:
    settings = load_preset("tiny", [*SMALL, "data.workers=1", "log.checkpoint_every=1"])

    def kill(report: object) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    with pytest.raises(GanError, match=r"training failed: .*DataLoader worker .*fewer data\.workers"):
        fit(drawn_shards, tmp_path / "run", settings, steps=500, device="cpu", on_step=kill)
    assert fit(drawn_shards, tmp_path / "run", settings, steps=9, resume=True, device="cpu").step == 9


def test_metrics_that_were_cut_do_not_stop_a_resume(
    small_run: Path, drawn_shards: Path, small_settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    metrics = run / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join([*lines[:30], "[" * 5000 + "\n", '{"step": 99}\n', '{"step": 1e999}\n', lines[35][:-9]]))
    fit(drawn_shards, run, small_settings, steps=41, resume=True, device="cpu")
    assert f"{metrics} holds 30 of the 40 steps" in caplog.text
    assert [json.loads(line)["step"] for line in metrics.read_text().splitlines()] == [*range(1, 31), 41]


def test_metrics_are_on_the_disk_before_a_checkpoint(
    drawn_shards: Path, small_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    fit(drawn_shards, tmp_path / "run", small_settings, steps=21, device="cpu")
    for name in (".step-000020.pt.partial", ".step-000021.pt.partial"):
        assert synced[synced.index(name) - 1] == "metrics.jsonl"


@pytest.mark.parametrize("text", ["{}", "[" * 5000, "nothing"])
def test_a_damaged_environment_is_a_sentence(
    text: str, small_run: Path, drawn_shards: Path, small_settings: Settings, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    (run / "environment.json").write_text(text)
    with pytest.raises(RunError, match=r"environment\.json is damaged .*delete it"):
        fit(drawn_shards, run, small_settings, steps=41, resume=True, device="cpu")


def test_only_the_newest_checkpoints_stay(drawn_shards: Path, tmp_path: Path) -> None:
    settings = load_preset("tiny", [*SMALL, "log.checkpoint_every=1", "schedule.n_repeat=1"])
    fit(drawn_shards, tmp_path / "run", settings, steps=5, device="cpu")
    assert [load_checkpoint(path).step for path in checkpoint_paths(tmp_path / "run")] == [5, 4, 3]


def test_a_loss_that_is_not_finite_stops_the_run(
    drawn_shards: Path, small_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_round = SCGAN.train_round

    def spoil(self: SCGAN, batches: Iterator[Any], noise: torch.Generator) -> dict[str, torch.Tensor]:
        losses = train_round(self, batches, noise)
        return losses | {"loss_d/gp": losses["loss_d/gp"] * (float("nan") if spoil.calls else 1)}

    spoil.calls = 0  # type: ignore[attr-defined]

    def count(report: object) -> None:
        spoil.calls += 1  # type: ignore[attr-defined]

    monkeypatch.setattr(SCGAN, "train_round", spoil)
    with pytest.raises(TrainingError, match="loss_d/gp is nan at step 2"):
        fit(drawn_shards, tmp_path / "run", small_settings, steps=5, on_step=count)
    assert len((tmp_path / "run/metrics.jsonl").read_text().splitlines()) == 1
    assert checkpoint_paths(tmp_path / "run") == []


def test_data_without_attributes(tmp_path: Path) -> None:
    shards = write_drawn_shards(tmp_path / "shards", {"train": 6}, names=())
    fit(shards, tmp_path / "run", load_preset("tiny", SMALL), steps=2, device="cpu")
    generator = load_generator(tmp_path / "run")
    images = generator(torch.zeros(1, 8), torch.zeros(1, 0), torch.zeros(1, 7, 32, 32))
    assert images.shape == (1, 3, 32, 32)


@pytest.mark.parametrize("device", ["tpu!", "meta", "cuda:99"])
def test_devices_that_are_not_there(device: str, drawn_shards: Path, small_settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(GanError, match="device"):
        fit(drawn_shards, tmp_path / "run", small_settings, device=device)
    assert not (tmp_path / "run").exists()
