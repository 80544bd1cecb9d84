"""Weights that are not as they were written, or not numbers: found when they are loaded, and named."""

import shutil
from pathlib import Path

import pytest
import torch

from gan.errors import CheckpointError, IncompleteCheckpointError, InputError, NotFiniteError
from gan.evaluation.measures import evaluate_run
from gan.nets import vgg
from gan.pictures.sampling import sample
from gan.runs.checkpoint import Checkpoint, checkpoint_paths, load_checkpoint, load_newest
from gan.runs.export import export_generator
from gan.runs.loading import load_generator
from gan.runs.release_weights import load_release_segmentor
from gan.settings.run_settings import Settings
from gan.training.fit import fit
from maskkit.files.regular import file_sha256
from tests.gan.released import release_segmentor


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run, tmp_path / "run"))


def zero_a_block(path: Path) -> None:
    """Lose 4 KiB in the middle of a file's largest part."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = bytes(4096)
    path.write_bytes(bytes(content))


def test_a_lost_block_is_found_and_the_older_checkpoint_taken(
    run: Path, drawn_shards: Path, small_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    newest = checkpoint_paths(run)[0]
    zero_a_block(newest)
    assert torch.load(newest, weights_only=True)["step"] == 40  # torch itself sees nothing
    assert load_generator(run).step == 20
    assert f"{newest} is damaged" in caplog.text
    assert fit(drawn_shards, run, small_settings, steps=21, resume=True, device="cpu").step == 21
    with pytest.raises(IncompleteCheckpointError, match=r"is damaged: it is not what was written, by the SHA-256"):
        load_checkpoint(run / "checkpoints" / "passed-over-step-000040.pt")


def test_a_checkpoint_of_old_has_its_archives_checksums(run: Path) -> None:
    newest = checkpoint_paths(run)[0]
    torch.save(torch.load(newest, weights_only=True), newest)
    assert load_newest(run).step == 40
    zero_a_block(newest)
    with pytest.raises(IncompleteCheckpointError, match=r"is damaged: its part .* is not what was written"):
        load_checkpoint(newest)


def change_weights(run: Path, value: float) -> Checkpoint:
    """Write the newest checkpoint with other weights in one layer of G."""
    found = load_newest(run)
    found.networks["G"]["latent.0.bias"].fill_(value)
    found.save()
    return found


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_named(run: Path, drawn_shards: Path, tmp_path: Path, value: float) -> None:
    path = change_weights(run, value).path
    said = rf"{path}: network G: the key latent\.0\.bias holds NaN or infinite values"
    for use in (
        lambda: sample(run, tmp_path / "grid.png", device="cpu"),
        lambda: export_generator(run, tmp_path / "G.safetensors"),
        lambda: evaluate_run(run, drawn_shards, only=["diversity"], judge_steps=1, device="cpu"),
    ):
        with pytest.raises(CheckpointError, match=said):
            use()


def test_pictures_that_are_no_numbers_are_not_measured(run: Path, drawn_shards: Path, tmp_path: Path) -> None:
    found = load_newest(run)
    for weights in found.networks["G"].values():
        weights.mul_(1e30)  # finite, and overflows on the way
    found.save()
    for use in (
        lambda: sample(run, tmp_path / "grid.png", device="cpu"),
        lambda: evaluate_run(run, drawn_shards, only=["features"], judge_steps=1, device="cpu"),
    ):
        with pytest.raises(NotFiniteError, match=r"the generator made NaN or infinite values, in image 0 of"):
            use()


def test_large_weights_are_no_infinite_ones(run: Path) -> None:
    change_weights(run, 3e38)  # their sum is infinite
    assert load_generator(run).step == 40


def test_a_flipped_bit_of_the_releases_segmentor(tmp_path: Path) -> None:
    path = tmp_path / "1_1_A.pth"
    torch.save(release_segmentor(), path)
    zero_a_block(path)
    with pytest.raises(CheckpointError, match=r"1_1_A\.pth is damaged: its part .* is not what was written"):
        load_release_segmentor(path)


def test_weights_of_vgg19_are_what_their_name_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg, "_LAYERS", tuple(a if a == "M" else a // 8 for a in vgg._LAYERS))
    path = tmp_path / "vgg19.pth"
    torch.save(vgg.VGG19().state_dict(), path)
    path.rename(published := tmp_path / f"vgg19-{file_sha256(path)[:8]}.pth")
    whole = vgg.load_vgg19(published)[0].state_dict()
    torch.save(whole, published, _use_new_zipfile_serialization=False)  # the same weights, other bytes
    with pytest.raises(InputError, match=r"vgg19-.*\.pth is damaged: its name promises a SHA-256 of [0-9a-f]{8}\.\.\."):
        vgg.load_vgg19(published)
    torch.save(whole, path)
    zero_a_block(path)
    with pytest.raises(InputError, match=r"vgg19\.pth is damaged"):
        vgg.load_vgg19(path)
    torch.save(whole | {"features.0.bias": torch.full((8,), torch.nan)}, path)
    with pytest.raises(InputError, match=r"vgg19\.pth is damaged: features\.0\.bias holds NaN"):
        vgg.load_vgg19(path)


def test_a_flipped_bit_of_an_exported_generator(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "G.safetensors"
    export_generator(run, path)
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match=r"G\.safetensors is damaged: it is not what was written"):
        load_generator(path)
