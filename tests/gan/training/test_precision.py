"""The precision that the machine chooses: the fastest of those tried, kept in the run, and never chosen twice."""

from pathlib import Path

import pytest

from gan.errors import SettingsError
from gan.runs.presets import load_preset
from gan.runs.run_folder import read_environment, read_settings
from gan.settings.run_settings import RunSettings
from gan.training.dry_run import dry_run
from gan.training.fit import fit
from gan.training.job import Request
from gan.training.precision import settled
from tests.gan.conftest import SMALL


@pytest.fixture
def auto() -> RunSettings:
    return load_preset("tiny", (*SMALL, "compute.precision=auto"))


def test_the_fastest_is_taken_and_kept(auto: RunSettings, drawn_shards: Path, tmp_path: Path) -> None:
    run, heard = tmp_path / "run", list[tuple[int, int]]()
    fit(drawn_shards, run, auto, steps=2, device="cpu", on_prepare=lambda done, total: heard.append((done, total)))
    (first,) = read_environment(run / "environment.json")
    tried = first["seconds_per_step_by_precision"]
    kept = read_settings(run)
    assert set(tried) == {"32", "bf16"} and kept.compute.precision == min(tried, key=tried.get)
    assert kept.data.resident == auto.data.resident and heard == [(0, 2), (1, 2), (2, 2)]
    fit(drawn_shards, run, auto, steps=4, resume=True, device="cpu")
    _, second = read_environment(run / "environment.json")
    assert "seconds_per_step_by_precision" not in second and read_settings(run) == kept


def test_a_run_that_names_its_own_is_left_alone(drawn_shards: Path, tmp_path: Path) -> None:
    request = Request(drawn_shards, tmp_path / "run", load_preset("tiny", (*SMALL, "compute.precision=bf16")))
    assert settled(request, "cpu", None) is request


def test_a_dry_run_names_it(auto: RunSettings, drawn_shards: Path, tmp_path: Path) -> None:
    found = dry_run(drawn_shards, tmp_path / "run", auto, steps=2, device="cpu")
    fastest = min(found.tried_precisions, key=lambda name: found.tried_precisions[name])
    assert found.settings.compute.precision == fastest
    assert f"precision {fastest}" in found.to_text() and "\ntried       32 " in found.to_text()
    assert not (tmp_path / "run").exists()


def test_processes_of_torchrun_cannot_choose(
    auto: RunSettings, drawn_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    with pytest.raises(SettingsError, match="torchrun has started several; name one of 32, tf32, bf16"):
        settled(Request(drawn_shards, tmp_path / "run", auto), "cpu", None)
