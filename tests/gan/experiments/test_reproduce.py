"""A reproduction: what is trained, up to where, and that it goes on wherever it was stopped."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save

from gan.errors import InputError, RunError, SettingsError
from gan.experiments.rehearsal import rehearse
from gan.experiments.reproduce import train_all
from gan.experiments.request import Request, plan_reproduction, standing
from gan.runs.checkpoint import load_newest

TINY = ("data.size=32", "generator.width=4", "critic.width=4", "schedule.batch=4", "log.checkpoint_every=3")


def asked(shards: Path, out: Path, **changes: Any) -> Request:
    values = {"budget": "40", "scale": "tiny", "systems": ("pix2pix", "wgan-gp"), "overrides": TINY, "device": "cpu"}
    return plan_reproduction("scgan", shards, out, **(values | changes))


def silent(title: str, done: int, total: int, note: str = "") -> None:
    pass


def weights(request: Request, system: str) -> str:
    found = load_newest(request.run(system))
    return hashlib.sha256(save({name: one.contiguous() for name, one in found.networks["G"].items()})).hexdigest()


def test_every_system_uses_the_same_images_and_a_stop_changes_nothing(drawn_shards: Path, tmp_path: Path) -> None:
    whole = asked(drawn_shards, tmp_path / "whole")
    assert train_all(whole, lambda: False, silent)
    parts = asked(drawn_shards, tmp_path / "parts")
    for _ in range(30):
        stops = iter([False] * 4)
        if train_all(parts, lambda stops=stops: next(stops, True), silent):
            break
    for system in parts.systems:
        assert standing(parts, system).step == standing(whole, system).step
        assert standing(parts, system).images == 40
        assert standing(parts, system).finished
        assert weights(parts, system) == weights(whole, system)


def test_time_ends_training_and_is_remembered(drawn_shards: Path, tmp_path: Path) -> None:
    request = asked(drawn_shards, tmp_path / "out", budget="0.5s", systems=["pix2pix"])
    assert train_all(request, lambda: False, silent)
    first = standing(request, "pix2pix")
    assert first.finished
    assert first.seconds >= 0.5
    assert first.step > 0
    assert train_all(request, lambda: False, silent)
    assert standing(request, "pix2pix") == first  # to the second: reading and setting up again is no training
    assert not standing(request, "wgan-gp").finished


def test_machines_share_a_folder_if_they_ask_for_the_same(drawn_shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert train_all(asked(drawn_shards, out, systems=["pix2pix"]), lambda: False, silent)
    other = asked(drawn_shards, out, systems=["wgan-gp"])
    assert train_all(other, lambda: False, silent)
    assert all(standing(other, system).finished for system in ("pix2pix", "wgan-gp"))
    for key, change in {"budget": "44", "seed": 1, "overrides": (*TINY, "augmentation.mirror=true")}.items():
        with pytest.raises(RunError, match=f"was begun with {key}"):
            train_all(asked(drawn_shards, out, **{key: change}), lambda: False, silent)


def test_a_folder_of_something_else_is_left_alone(drawn_shards: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"holds notes.txt and no reproduction.json"):
        train_all(asked(drawn_shards, tmp_path), lambda: False, silent)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["notes.txt"]


def test_what_cannot_be_asked_for(drawn_shards: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'stylegan' is no system of this experiment; there are wgan-gp"):
        asked(drawn_shards, tmp_path, systems=["stylegan"])
    with pytest.raises(SettingsError, match=r"wgan-gp: .*there is no setting generator.depth"):
        asked(drawn_shards, tmp_path, overrides=["generator.depth=3"])


def test_a_rehearsal_tells_the_cost_and_writes_nothing(drawn_shards: Path, tmp_path: Path) -> None:
    request = asked(drawn_shards, tmp_path / "out", budget="1m")
    costs = rehearse(request, silent)
    assert [(one.system, one.seconds) for one in costs.systems] == [("wgan-gp", 60), ("pix2pix", 60)]
    assert [one.images / one.steps for one in costs.systems] == [20, 4]  # five updates of the critic, and one
    assert "2 min 0 s" in costs.to_text()
    assert not request.out.exists()
