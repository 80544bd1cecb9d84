"""Checkpoints: what is refused, by name, and what survives a bad day."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gan.errors import CheckpointError, IncompleteCheckpointError, RunError
from gan.runs.checkpoint import checkpoint_paths, load_checkpoint, load_newest, remove_old
from gan.runs.loading import load_generator, load_segmentor
from gan.settings.run_settings import RunSettings
from gan.training.fit import fit
from maskkit.errors import MaskkitError, OutputError


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run, tmp_path / "run"))


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def test_a_checkpoint_holds_plain_types_only_and_all_of_them(run: Path, small_settings: RunSettings) -> None:
    found = load_newest(run)
    assert (found.step, found.batches) == (40, 80)
    assert found.settings.loss == small_settings.loss and found.data.attribute_names[0] == "Black_Hair"
    assert set(found.networks) == set(found.optimisers) == {"G", "D", "S"} and "torch" in found.versions
    assert [path.name for path in checkpoint_paths(run)] == ["step-000040.pt", "step-000020.pt"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(extra=1), "the key extra is foreign"),
        (lambda c: c.pop("noise"), "the key noise is missing"),
        (lambda c: c.update(format_version=99), "format version 99"),
        (lambda c: c.update(step="many"), "the key step holds a str"),
        (lambda c: c["settings"]["loss"].update(lambda_new=1), "no setting loss.lambda_new"),
        (lambda c: c["data"].pop("scheme"), "description of the data is damaged"),
        (lambda c: c["networks"]["G"].update(foreign=torch.zeros(1)), "network G: the key foreign is foreign"),
        (lambda c: c["networks"]["G"].pop("latent.0.bias"), "network G: the key latent.0.bias is missing"),
        (lambda c: c["networks"]["G"].update({"latent.0.bias": torch.zeros(3)}), "latent.0.bias has the shape (3,)"),
        (lambda c: c["networks"].pop("G"), "no network G"),
    ],
)
def test_refused_contents_are_named(run: Path, change: Callable[[dict[str, Any]], object], said: str) -> None:
    path = checkpoint_paths(run)[0]
    edit(path, change)
    with pytest.raises(MaskkitError) as error:
        load_generator(run)
    assert str(path) in str(error.value) and said in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["optimisers"].pop("D"), "no optimiser D"),
        (lambda c: c["optimisers"].update(D=[]), "optimiser D: it holds no state"),
        (lambda c: c["optimisers"]["D"]["state"].pop(1), "optimiser D knows 9 parameters, and 10 are needed"),
        (lambda c: c["optimisers"]["G"].update(state={}), "optimiser G knows 0 parameters"),
        (
            lambda c: c["optimisers"]["S"]["state"][0].update(exp_avg=torch.zeros(2)),
            "the key exp_avg has the shape (2,)",
        ),
        (lambda c: c["optimisers"]["S"]["state"][0].update(step=torch.zeros(2)), "the key step has the shape (2,)"),
        (lambda c: c["optimisers"]["S"]["state"][3].pop("exp_avg_sq"), "parameter 3: the key exp_avg_sq is missing"),
        (lambda c: c["networks"].update(X={}), "the network X is foreign"),
        (lambda c: c["optimisers"].update(X={}), "the optimiser X is foreign"),
        (lambda c: c["networks"]["S"].update(foreign=torch.zeros(1)), "network S: the key foreign"),
        (lambda c: c.update(averages={"G": c["networks"]["G"]}), "the averaged network G is foreign"),
        (lambda c: c.update(best={"step": 1}), "the key best is damaged"),
        (lambda c: c.update(noise=torch.zeros(4, dtype=torch.uint8)), "noise is no state"),
    ],
)
def test_resume_refuses_what_does_not_fit(
    run: Path, drawn_shards: Path, small_settings: RunSettings, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    edit(checkpoint_paths(run)[0], change)
    with pytest.raises(CheckpointError) as error:
        fit(drawn_shards, run, small_settings, steps=41, resume=True, device="cpu")
    assert said in str(error.value)


def test_resume_takes_rates_and_betas_from_the_settings(
    run: Path, drawn_shards: Path, small_settings: RunSettings
) -> None:
    for path in checkpoint_paths(run):
        edit(path, lambda c: c["optimisers"]["G"]["param_groups"][0].update(betas=(0.1, 0.2), eps=1.0, lr=9.0))
    fit(drawn_shards, run, small_settings, steps=41, resume=True, device="cpu")
    group = load_newest(run).optimisers["G"]["param_groups"][0]
    assert (group["betas"], group["eps"], group["lr"]) == ((0.5, 0.999), 1e-8, small_settings.optimiser.lr_g)


def test_a_users_copy_is_neither_taken_nor_deleted(run: Path) -> None:
    folder = run / "checkpoints"
    for name in ("step-000200-good.pt", "step-copy.pt", "step-99.pt.pt", "step-1000000.pt"):
        shutil.copy(folder / "step-000020.pt", folder / name)
    assert [path.name for path in checkpoint_paths(run)] == ["step-1000000.pt", "step-000040.pt", "step-000020.pt"]
    for step in (41, 42, 43):
        shutil.copy(folder / "step-000020.pt", folder / f"step-{step:06d}.pt")
    remove_old(run, keep=3, step=43)
    left = {path.name for path in folder.iterdir()}
    assert {"step-000200-good.pt", "step-copy.pt", "step-99.pt.pt", "step-1000000.pt"} <= left
    assert left - {path.name for path in checkpoint_paths(run)} == {
        "step-000200-good.pt", "step-copy.pt", "step-99.pt.pt",
    }  # fmt: skip
    assert [load_checkpoint(path).path.stem[-2:] for path in checkpoint_paths(run)[1:]] == ["43", "42", "41"]


def test_a_checkpoint_cut_short_is_passed_over(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    newest, before = checkpoint_paths(run)
    newest.write_bytes(newest.read_bytes()[:-500])
    assert load_newest(run).step == 20
    assert newest.name in caplog.text
    with pytest.raises(IncompleteCheckpointError, match=newest.name):
        load_generator(newest)
    before.write_bytes(b"")
    with pytest.raises(IncompleteCheckpointError, match=before.name):
        load_newest(run)


def test_code_in_a_checkpoint_is_not_run(run: Path) -> None:
    path = checkpoint_paths(run)[0]
    torch.save({"format_version": 1, "step": Path}, path)
    with pytest.raises(CheckpointError, match="more than tensors and plain types"):
        load_checkpoint(path)


def test_a_full_disk_leaves_the_old_file(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_newest(run)
    before = found.path.read_bytes()

    def full(content: object, file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match="No space left"):
        found.save()
    assert found.path.read_bytes() == before and len(list(found.path.parent.iterdir())) == 2


def test_missing_places(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run and no checkpoint at"):
        load_generator(tmp_path / "nothing")
    with pytest.raises(RunError, match="not the folder of a run"):
        load_generator(tmp_path)


def test_the_segmentor_of_a_run(run: Path) -> None:
    assert load_segmentor(run)(torch.zeros(2, 3, 32, 32)).shape == (2, 7, 32, 32)


def test_a_checkpoint_that_was_passed_over_does_not_displace_a_new_one(
    run: Path, drawn_shards: Path, small_settings: RunSettings
) -> None:
    newest = checkpoint_paths(run)[0]
    newest.write_bytes(newest.read_bytes()[:1000])
    log = small_settings.log.model_copy(update={"keep_checkpoints": 1})
    settings = small_settings.model_copy(update={"log": log})
    assert fit(drawn_shards, run, settings, steps=22, resume=True, device="cpu").step == 22
    assert [path.name for path in checkpoint_paths(run)] == ["step-000022.pt"] and load_newest(run).step == 22
    assert (run / "checkpoints/passed-over-step-000040.pt").stat().st_size == 1000


def test_a_checkpoint_of_old_that_does_not_name_its_photos_goes_on(
    run: Path, drawn_shards: Path, small_settings: RunSettings
) -> None:
    edit(checkpoint_paths(run)[0], lambda content: content["data"].pop("rows_sha256"))
    assert load_generator(run).about.data.rows_sha256 == ""
    assert fit(drawn_shards, run, small_settings, steps=41, resume=True, device="cpu").step == 41
    assert load_newest(run).data.rows_sha256
