"""The loop: stopping, refusing, and what a run's folder tells."""

import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import gan
from gan.data.rows import RowsAtSize
from gan.errors import DataError, GanError, NotFiniteError, RunError, TrainingError
from gan.evaluation import evaluate, mean_iou
from gan.runs.checkpoint import checkpoint_paths, load_checkpoint
from gan.runs.loading import load_generator, load_segmentor
from gan.runs.presets import load_preset
from gan.settings.run_settings import RunSettings
from gan.systems.scgan import SCGAN
from gan.training import artifacts
from gan.training import progress as trainer
from gan.training.fit import fit
from maskkit.errors import MissingExtraError
from tests.drawn import write_drawn_shards
from tests.gan.conftest import SMALL


def test_the_folder_tells_what_was_done(small_run: Path, small_settings: RunSettings) -> None:
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


def test_a_run_is_not_overwritten(small_run: Path, drawn_shards: Path, small_settings: RunSettings) -> None:
    before = {path: path.stat().st_mtime_ns for path in small_run.rglob("*")}
    with pytest.raises(RunError, match="not empty; take another name, or --resume"):
        fit(drawn_shards, small_run, small_settings, steps=50)
    with pytest.raises(RunError, match=r"made with seed = 0, and 1 is asked for"):
        fit(drawn_shards, small_run, load_preset("tiny", [*SMALL, "seed=1"]), steps=50, resume=True)
    with pytest.raises(RunError, match="already made 40 steps, more than the 30"):
        fit(drawn_shards, small_run, small_settings, steps=30, resume=True)
    assert before == {path: path.stat().st_mtime_ns for path in small_run.rglob("*")}


def test_resume_needs_a_run_and_its_data(
    small_run: Path, drawn_shards: Path, small_settings: RunSettings, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="not the folder of a run"):
        fit(drawn_shards, tmp_path / "none", small_settings, resume=True)
    other = write_drawn_shards(tmp_path / "other", {"train": 12})
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    with pytest.raises(RunError, match=r"40 rows at 32 pixels.* the shards hold 12 rows"):
        fit(other, run, small_settings, steps=50, resume=True)
    others = write_drawn_shards(tmp_path / "others", {"test": 1, "train": 40, "val": 8})
    with pytest.raises(
        RunError, match=r"on other photos: the 40 train rows of .*others are not those that step-000040"
    ):
        fit(others, run, small_settings, steps=50, resume=True)
    moved = Path(shutil.copytree(drawn_shards, tmp_path / "moved"))
    assert fit(moved, run, small_settings, steps=41, resume=True, device="cpu").step == 41


def test_a_run_that_has_lost_its_checkpoints_is_not_begun_again(
    small_run: Path, drawn_shards: Path, small_settings: RunSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    for path in checkpoint_paths(run):
        path.unlink()
    before = (run / "metrics.jsonl").read_bytes()
    with pytest.raises(RunError, match=r"made 40 steps and holds no checkpoint in checkpoints to go on from; put one"):
        fit(drawn_shards, run, small_settings, steps=50, resume=True, device="cpu")
    (run / "checkpoints/best.pt").touch()
    with pytest.raises(RunError, match=r"copy best\.pt to step-N\.pt"):
        fit(drawn_shards, run, small_settings, steps=50, resume=True, device="cpu")
    assert (run / "metrics.jsonl").read_bytes() == before
    # Killed before its first checkpoint at step 20, it has nothing to lose.
    (run / "metrics.jsonl").write_bytes(b"".join(before.splitlines(keepends=True)[:19]))
    assert fit(drawn_shards, run, small_settings, steps=1, resume=True, device="cpu").step == 1
    assert "has made 19 steps and holds no checkpoint; it begins again" in caplog.text


@pytest.mark.parametrize("name", ["metrics.jsonl", "environment.json"])
def test_a_folder_in_a_files_place_is_a_sentence(
    name: str, small_run: Path, drawn_shards: Path, small_settings: RunSettings, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    (run / name).unlink()
    (run / name).mkdir()
    with pytest.raises(RunError, match=rf"{name} cannot be read \(Is a directory\); move it away"):
        fit(drawn_shards, run, small_settings, steps=41, resume=True, device="cpu")


def test_a_stop_before_the_first_step_can_be_resumed(
    drawn_shards: Path, small_settings: RunSettings, tmp_path: Path
) -> None:
    assert fit(drawn_shards, tmp_path / "run", small_settings, steps=2, stop=lambda: True).step == 0
    assert fit(drawn_shards, tmp_path / "run", small_settings, steps=2, resume=True).step == 2


def test_a_start_that_fails_leaves_no_folder(
    drawn_shards: Path, small_settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\nmore lines")

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "build_system", full)
        with pytest.raises(
            GanError, match=r"training failed: CUDA out of memory.* take a smaller schedule\.batch"
        ) as error:
            fit(drawn_shards, tmp_path / "run", small_settings, device="cpu")
        assert "\n" not in str(error.value)
    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "Preview", full)
        with pytest.raises(GanError):
            fit(drawn_shards, tmp_path / "run", small_settings, device="cpu")
    assert not (tmp_path / "run").exists()
    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "note_environment", full)
        with pytest.raises(GanError):
            fit(drawn_shards, tmp_path / "run", small_settings, device="cpu")
    assert fit(drawn_shards, tmp_path / "run", small_settings, steps=1, resume=True, device="cpu").step == 1
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed/.config.toml.7-0123abcd.partial").touch()
    assert fit(drawn_shards, tmp_path / "killed", small_settings, steps=1, device="cpu").step == 1


def test_a_killed_reader_is_a_sentence(drawn_shards: Path, tmp_path: Path) -> None:
    settings = load_preset("tiny", [*SMALL, "data.workers=1", "log.checkpoint_every=1"])

    def kill(report: object) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    with pytest.raises(GanError, match=r"training failed: .*DataLoader worker .*fewer data\.workers"):
        fit(drawn_shards, tmp_path / "run", settings, steps=500, device="cpu", on_step=kill)
    assert fit(drawn_shards, tmp_path / "run", settings, steps=9, resume=True, device="cpu").step == 9


def test_metrics_that_were_cut_do_not_stop_a_resume(
    small_run: Path, drawn_shards: Path, small_settings: RunSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    metrics = run / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join([*lines[:30], "[" * 5000 + "\n", '{"step": 99}\n', '{"step": 1e999}\n', lines[35][:-9]]))
    fit(drawn_shards, run, small_settings, steps=41, resume=True, device="cpu")
    assert f"{metrics} holds 30 of the 40 steps" in caplog.text
    assert [json.loads(line)["step"] for line in metrics.read_text().splitlines()] == [*range(1, 31), 41]


def test_metrics_are_on_the_disk_before_a_checkpoint(
    drawn_shards: Path, small_settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    fit(drawn_shards, tmp_path / "run", small_settings, steps=21, device="cpu")
    for name in (".step-000020.pt.", ".step-000021.pt."):
        assert synced[next(i for i, one in enumerate(synced) if one.startswith(name)) - 1] == "metrics.jsonl"


@pytest.mark.parametrize("text", ["{}", "[" * 5000, "nothing", "", "[1]", '[{"from_step": 1, "crc32": "00000000"}]'])
def test_a_damaged_environment_is_a_sentence(
    text: str, small_run: Path, drawn_shards: Path, small_settings: RunSettings, tmp_path: Path
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
    drawn_shards: Path, small_settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_round = SCGAN.train_round

    def spoil(self: SCGAN, batches: Iterator[Any], noise: torch.Generator) -> dict[str, torch.Tensor]:
        losses = train_round(self, batches, noise)
        return losses | {"loss_d/gp": losses["loss_d/gp"] * (float("nan") if spoil.calls else 1)}

    spoil.calls = 0  # type: ignore[attr-defined]

    def count(report: object) -> None:
        spoil.calls += 1  # type: ignore[attr-defined]

    monkeypatch.setattr(SCGAN, "train_round", spoil)
    run = tmp_path / "run"
    kept = run / "checkpoints/failed-step-000002.pt"
    with pytest.raises(TrainingError, match=f"loss_d/gp is nan at step 2; the state is kept in {kept}"):
        fit(drawn_shards, run, small_settings, steps=5, on_step=count)
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 1
    assert load_checkpoint(kept).step == 2 and checkpoint_paths(run) == []
    with pytest.raises(RunError, match="holds no checkpoint"):
        load_generator(run)
    monkeypatch.setattr(SCGAN, "train_round", train_round)
    assert fit(drawn_shards, run, small_settings, steps=2, resume=True, device="cpu").step == 2
    assert [path.name for path in checkpoint_paths(run)] == ["step-000002.pt"] and kept.exists()


@pytest.mark.parametrize("begin", [fit, gan.dry_run])
def test_a_start_and_its_rehearsal_refuse_the_same(
    begin: Callable[..., object], drawn_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = write_drawn_shards(tmp_path / "shards", {"train": 6, "val": 1})
    with pytest.raises(DataError, match=r"at least 2 rows in val, and there is 1.*evaluate_every=0"):
        begin(shards, tmp_path / "run", load_preset("tiny", [*SMALL, "log.evaluate_every=5"]), steps=1, device="cpu")
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match="tensorboard"):
        begin(drawn_shards, tmp_path / "run", load_preset("tiny", SMALL), steps=1, device="cpu")
    assert not (tmp_path / "run").exists()


def test_weights_that_are_not_finite_are_not_saved(
    drawn_shards: Path, small_settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step spoils them, after its losses were taken."""
    train_round = SCGAN.train_round

    def spoil(self: SCGAN, batches: Iterator[Any], noise: torch.Generator) -> dict[str, torch.Tensor]:
        losses = train_round(self, batches, noise)
        with torch.no_grad():
            next(self.networks["D"].parameters()).view(-1)[3] = float("inf")
        return losses

    monkeypatch.setattr(SCGAN, "train_round", spoil)
    with pytest.raises(TrainingError, match=r"a weight of D is inf at step 1; the state is kept in .*failed-step-0000"):
        fit(drawn_shards, tmp_path / "run", small_settings, steps=1, device="cpu")
    assert checkpoint_paths(tmp_path / "run") == []


def test_a_segmentor_that_is_prepared_in_vain_is_not_saved(drawn_shards: Path, tmp_path: Path) -> None:
    settings = load_preset("tiny", [*SMALL, "segmentor.training=frozen", "segmentor.pretraining=4"])
    rates = settings.optimiser.model_copy(update={"lr_s": 1e30})
    settings = settings.model_copy(update={"optimiser": rates})
    with pytest.raises(NotFiniteError, match=r"loss_s/seg is \S+ at batch \d of 4 .*; nothing is kept.* smaller"):
        fit(drawn_shards, tmp_path / "run", settings, steps=1, device="cpu")
    assert not list((tmp_path / "run/checkpoints").iterdir())


def test_memory_is_blamed_only_where_it_was_short(
    drawn_shards: Path, small_settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words, blamed in {
        "value cannot be converted to type float without overflow": False,
        "[enforce fail] DefaultCPUAllocator: can't allocate memory": True,
        "CUDA out of memory. Tried to allocate 9 GiB": True,
    }.items():

        def fail(*arguments: object, words: str = words) -> None:
            raise RuntimeError(words)

        monkeypatch.setattr(trainer, "build_system", fail)
        with pytest.raises(GanError) as error:
            fit(drawn_shards, tmp_path / "run", small_settings, device="cpu")
        assert words in str(error.value) and ("memory is short" in str(error.value)) == blamed


def test_evaluation_in_training_is_that_of_the_finished_run(drawn_shards: Path, tmp_path: Path) -> None:
    """The averaged generator, judged on the first rows of val by the run's own segmentor."""
    overrides = ("averaging.decay=0.9", "log.evaluate_every=3", "log.evaluate_rows=5")
    fit(drawn_shards, tmp_path / "run", load_preset("tiny", [*SMALL, *overrides]), steps=3, device="cpu")
    assert (tmp_path / "run/samples/step-000003.png").exists()  # of the last step, whatever log.sample_every says
    line = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    val = [RowsAtSize(drawn_shards, "val", 32)]
    found = evaluate(load_generator(tmp_path / "run"), load_segmentor(tmp_path / "run"), val, 0, 5)
    assert line["eval/value"] == found.consistency.value and line["eval/ceiling"] == found.consistency.ceiling
    assert line["eval/mean_iou_generated"] == mean_iou(found.generated)


def test_a_dry_run_tells_and_leaves_nothing(small_run: Path, drawn_shards: Path, tmp_path: Path) -> None:
    settings = load_preset("paper", ["data.size=32", "schedule.batch=2", "schedule.n_repeat=1"])
    told: list[tuple[int, int]] = []
    found = gan.dry_run(
        drawn_shards, tmp_path / "run", settings, epochs=3, device="cpu", on_step=lambda *done: told.append(done)
    )
    assert told == [(0, 2), (1, 2), (2, 2)]
    # G's dense layer makes planes of 2 x 2 instead of 8 x 8, D has two layers less than the paper's.
    assert found.parameters == {"G": 12_681_795 - 513 * 64 * 60, "D": 2_771_392, "S": 1_482_279}
    assert (found.step, found.last_step, found.epochs, found.processes) == (0, 60, 3.0, 1)
    assert found.seconds == pytest.approx(60 * found.seconds_per_step) and found.seconds_per_step > 0
    # G, D and S with two moments each, and Adam's count for each tensor.
    assert found.checkpoint_bytes == pytest.approx(3 * 4 * sum(found.parameters.values()), rel=1e-4)
    assert found.memory > found.checkpoint_bytes
    assert "[schedule]" in found.to_text() and "60 to go, up to 60: 3.00 epochs" in found.to_text()
    assert not (tmp_path / "run").exists()
    with pytest.raises(RunError, match="not empty"):
        gan.dry_run(drawn_shards, small_run, settings, device="cpu")


def test_what_speaks_against_a_run_is_said_once(
    drawn_shards: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fit(drawn_shards, tmp_path / "run", load_preset("tiny", SMALL), steps=1, device="cpu")
    assert "40 train photos are few" in caplog.text
    caplog.clear()
    fit(drawn_shards, tmp_path / "run", load_preset("tiny", SMALL), steps=2, device="cpu", resume=True)
    assert not caplog.text


def test_data_without_attributes(tmp_path: Path) -> None:
    shards = write_drawn_shards(tmp_path / "shards", {"train": 6}, names=())
    fit(shards, tmp_path / "run", load_preset("tiny", SMALL), steps=2, device="cpu")
    generator = load_generator(tmp_path / "run")
    images = generator(torch.zeros(1, 8), torch.zeros(1, 0), torch.zeros(1, 7, 32, 32))
    assert images.shape == (1, 3, 32, 32)


@pytest.mark.parametrize("device", ["tpu!", "meta", "cuda:99"])
def test_devices_that_are_not_there(
    device: str, drawn_shards: Path, small_settings: RunSettings, tmp_path: Path
) -> None:
    with pytest.raises(GanError, match="device"):
        fit(drawn_shards, tmp_path / "run", small_settings, device=device)
    assert not (tmp_path / "run").exists()


def test_a_digit_of_the_environment_and_lost_settings(
    small_run: Path, drawn_shards: Path, small_settings: RunSettings, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    environment = run / "environment.json"
    fit(drawn_shards, run, small_settings, steps=40, resume=True, device="cpu")
    assert [start["from_step"] for start in json.loads(environment.read_text())] == [0, 40]
    environment.write_text(environment.read_text().replace('"from_step": 40', '"from_step": 41'))
    with pytest.raises(RunError, match=r"environment\.json is damaged \(.*its checksum is another\); delete it"):
        fit(drawn_shards, run, small_settings, steps=41, resume=True, device="cpu")
    (run / "config.toml").write_text("# sha256 0123")  # the rest would come from the preset `paper`
    with pytest.raises(RunError, match=r"config\.toml is damaged: every run notes its data\.shards"):
        load_generator(run)
