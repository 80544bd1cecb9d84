"""Judges trained apart: what they learn on drawn faces, and that a kept one is never taken for another."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gan.data.rows import RowsAtSize
from gan.errors import CheckpointError, NotFiniteError
from gan.evaluation import class_iou, evaluate
from gan.evaluation.attributes import classify
from gan.evaluation.judges import JudgeRecipe, Judges
from gan.evaluation.judges.classifier import correct
from gan.evaluation.judges.kept import SEED
from gan.evaluation.material import read_all
from gan.runs.loading import load_generator
from tests.drawn import write_drawn_shards

Make = Callable[..., Judges]
CPU = torch.device("cpu")


@pytest.fixture
def judges(drawn_shards: Path, tmp_path: Path) -> Make:
    """Make judges of 32 pixels that count their training steps in `trained`."""

    def make(steps: int, shards: Path = drawn_shards, trained: list[str] | None = None) -> Judges:
        return Judges(
            shards, 32, "binary", tmp_path / "judges", steps, CPU,
            lambda name, step, steps, loss: None if trained is None else trained.append(name),
        )  # fmt: skip

    return make


def test_a_segmentor_tells_floor_from_ceiling(judges: Make, small_run: Path, drawn_shards: Path) -> None:
    result = evaluate(load_generator(small_run), judges(120).segmentor().network, [RowsAtSize(drawn_shards, "val", 32)])
    assert result.consistency.floor + 0.02 < result.consistency.ceiling > 0.9
    assert class_iou(result.confusion)[1] > 0.7  # the skin; eyes are a few pixels at this size


def test_a_classifier_sees_hair(judges: Make, drawn_shards: Path) -> None:
    real = read_all([RowsAtSize(drawn_shards, "val", 32)])
    p = classify(judges(60).classifier().network, real.x, CPU, "binary")
    assert correct(p, real.c, "binary")[:, :3].double().mean() > 0.9


def test_judges_are_kept_by_recipe_and_data(judges: Make, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    trained: list[str] = []
    first = judges(2, trained=trained).segmentor()
    again = judges(2, trained=trained).segmentor()
    assert trained == ["independent segmentor"] * 2 and first.sha256 == again.sha256
    assert torch.equal(torch.get_rng_state(), before)
    assert judges(3).segmentor().sha256 != first.sha256
    others = write_drawn_shards(tmp_path / "others", {"train": 20})
    assert judges(2, others).segmentor().recipe != first.recipe
    assert len(list((tmp_path / "judges").glob("segmentor-*.safetensors"))) == 3


def test_a_judge_of_an_earlier_version_is_never_taken(
    judges: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one whose file was given the name of the new one."""
    new = judges(1).segmentor()
    assert new.recipe and "U-Net" in new.describe()["recipe"]["kind"] and "noise" in new.recipe.kind
    (kept,) = (tmp_path / "judges").iterdir()
    monkeypatch.setattr(JudgeRecipe.__init__, "__defaults__", (SEED, 1))
    judges(1).segmentor()
    (old,) = set((tmp_path / "judges").iterdir()) - {kept}
    monkeypatch.undo()
    old.replace(kept)
    with pytest.raises(CheckpointError, match="by another recipe than its name says; delete it"):
        judges(1).segmentor()


def test_what_a_kill_left_of_a_judge_goes_with_the_next(judges: Make, tmp_path: Path) -> None:
    (tmp_path / "judges").mkdir()
    (tmp_path / "judges" / ".segmentor-0123.safetensors.12-0123abcd.partial").write_bytes(b"half")
    judges(1).segmentor()
    assert [path.suffix for path in (tmp_path / "judges").iterdir()] == [".safetensors"]


def test_a_judge_that_learns_nothing_finite_is_not_kept(
    judges: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan.evaluation.judges.teaching.LEARNING_RATES", {"segmentor": 1e30})
    with pytest.raises(NotFiniteError, match=r"the independent segmentor's loss is (nan|inf) at step [23] of 3"):
        judges(3).segmentor()
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_judge_under_anothers_name_is_refused(judges: Make, tmp_path: Path) -> None:
    judges(1).segmentor(), judges(2).segmentor()
    first, second = sorted((tmp_path / "judges").iterdir())
    first.write_bytes(second.read_bytes())
    with pytest.raises(CheckpointError, match=rf"{first.name} was made from other data or by another recipe"):
        for steps in (1, 2):
            judges(steps).segmentor()
    first.write_bytes(second.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="delete it to train it anew"):
        for steps in (1, 2):
            judges(steps).segmentor()
