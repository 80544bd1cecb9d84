"""Stopped and resumed, or killed and resumed, is as if never stopped: bit for bit, for every preset and ablation."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan.errors import RunError, SettingsError
from gan.runs.checkpoint import Best, checkpoint_paths, load_checkpoint
from gan.runs.loading import load_generator
from gan.runs.presets import load_preset, load_settings
from gan.settings.run_settings import RunSettings
from gan.training.fit import fit
from gan.training.validation import Validation
from tests.drawn import write_drawn_shards
from tests.gan.conftest import SMALL
from tests.gan.resuming import CASES, ONE_OF, difference, settings_of

EVERYTHING = ("averaging.decay=0.9", "log.evaluate_every=7", "log.evaluate_rows=6", "log.checkpoint_every=10")


@pytest.fixture(scope="module")
def settings() -> RunSettings:
    return load_preset("tiny", [*SMALL, *EVERYTHING])


@pytest.fixture(scope="module")
def whole(drawn_shards: Path, settings: RunSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 40 steps with an averaged generator and evaluation. Not to be written to."""
    run = tmp_path_factory.mktemp("whole") / "run"
    fit(drawn_shards, run, settings, steps=40, device="cpu")
    return run


def after(steps: int) -> Iterator[bool]:
    """Answers to the question whether to stop: after so many steps."""
    yield from [False] * steps
    while True:
        yield True


def shown(run: Path) -> EventAccumulator:
    """What TensorBoard shows of a run."""
    return EventAccumulator(str(run / "tensorboard")).Reload()


def scalars(run: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in shown(run).Scalars(name)]


def test_forty_steps_equal_a_stop_a_kill_and_the_rest(
    whole: Path, drawn_shards: Path, settings: RunSettings, tmp_path: Path
) -> None:
    """Weights, averages, moments, noise, scores, logs and pictures; the stop falls between two checkpoints."""
    run = tmp_path / "run"
    first = fit(drawn_shards, run, settings, steps=40, device="cpu", stop=after(23).__next__)
    assert first.stopped and first.step == 23
    # As if killed: back to step 20, later steps in the logs, a line and a checkpoint half-written.
    (run / "checkpoints/step-000023.pt").rename(run / "checkpoints/.step-000024.pt.7-0123abcd.partial")
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 24}\n{"ste')
    second = fit(drawn_shards, run, settings, steps=40, device="cpu", resume=True)
    assert not second.stopped and second.step == 40
    assert difference(run, whole, 40) is None
    assert not list(run.rglob("*.partial"))

    lines = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    scores = {line["step"]: line["eval/value"] for line in lines if "eval/value" in line}
    assert list(scores) == [7, 14, 21, 28, 35]
    best = load_checkpoint(run / "checkpoints/best.pt")
    assert best.best == Best(best.step, max(scores.values())) and scores[best.step] == max(scores.values())
    # TensorBoard shows every step once, though 21 to 23 were done twice.
    losses = [(line["step"], pytest.approx(line["loss_d/gp"])) for line in lines]
    assert scalars(run, "loss_d/gp") == losses == scalars(whole, "loss_d/gp")
    assert [image.step for image in shown(run).Images("samples")] == [20, 40]
    assert scalars(run, "eval/value") == [(step, pytest.approx(score)) for step, score in scores.items()]


@pytest.mark.parametrize("case", CASES)
def test_every_preset_and_ablation_resumes(case: str, drawn_shards: Path, tmp_path: Path) -> None:
    shards = drawn_shards
    if "softmax" in str(CASES[case]):
        shards = write_drawn_shards(tmp_path / "shards", {"train": 12, "val": 4}, names=ONE_OF)
    settings = settings_of(case, "schedule.n_repeat=1", "schedule.batch=2", "log.evaluate_every=2",
                           "log.evaluate_rows=2", "log.sample_columns=2", "log.sample_rows=1")  # fmt: skip
    fit(shards, tmp_path / "whole", settings, steps=2, device="cpu")
    prepared: list[int] = []
    for steps in (1, 2):
        fit(shards, tmp_path / "run", settings, steps=steps, resume=steps == 2, device="cpu",
            on_prepare=lambda done, total: prepared.append(done))  # fmt: skip
    assert difference(tmp_path / "run", tmp_path / "whole", 2) is None
    assert prepared == ([1, 2, 3, 4, 5, 6] if case == "frozen segmentor" else [])


def test_a_stop_while_the_segmentor_is_prepared_loses_only_that(drawn_shards: Path, tmp_path: Path) -> None:
    settings, run = settings_of("frozen segmentor", "schedule.n_repeat=2"), tmp_path / "run"
    result = fit(drawn_shards, run, settings, steps=1, device="cpu", stop=after(2).__next__)
    assert result.stopped and result.checkpoint is None and checkpoint_paths(run) == []
    prepared: list[tuple[int, int]] = []
    fit(drawn_shards, run, settings, steps=1, device="cpu", resume=True, on_prepare=lambda *a: prepared.append(a))
    assert prepared == [(done, 6) for done in range(1, 7)]
    assert [path.name for path in checkpoint_paths(run)] == ["step-000001.pt", "step-000000.pt"]
    (run / "checkpoints/step-000001.pt").unlink()
    fit(drawn_shards, run, settings, steps=1, device="cpu", resume=True, on_prepare=lambda *a: prepared.append(a))
    assert len(prepared) == 6
    fit(drawn_shards, tmp_path / "whole", settings, steps=1, device="cpu")
    assert difference(run, tmp_path / "whole", 1) is None


def test_the_best_is_kept_over_a_resume(drawn_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, run, scores = (
        load_preset("tiny", [*SMALL, "log.evaluate_every=1"]),
        tmp_path / "run",
        iter([0.5, 0.9, None, 0.7, 0.8]),
    )
    monkeypatch.setattr(Validation, "figures", lambda self, system: {"eval/value": next(scores)})
    fit(drawn_shards, run, settings, steps=3, device="cpu")
    assert '"eval/value": null' in (run / "metrics.jsonl").read_text()
    fit(drawn_shards, run, settings, steps=5, device="cpu", resume=True)
    best, newest = load_checkpoint(run / "checkpoints/best.pt"), load_checkpoint(checkpoint_paths(run)[0])
    assert (best.step, best.best) == (2, Best(2, 0.9)) and (newest.step, newest.best) == (5, Best(2, 0.9))


def test_averages_follow_the_weights(drawn_shards: Path, tmp_path: Path) -> None:
    """Against the sum written out: each step's weights count for what later steps have left of them."""
    settings = load_preset(
        "tiny",
        [*SMALL, "averaging.decay=0.3", "log.checkpoint_every=1", "log.keep_checkpoints=9", "compute.precision=64"],
    )
    run = tmp_path / "run"
    fit(drawn_shards, run, settings, steps=1, device="cpu", stop=lambda: True)  # the weights before the first step
    fit(drawn_shards, run, settings, steps=4, device="cpu", resume=True)
    saved = [load_checkpoint(path) for path in reversed(checkpoint_paths(run))]
    kept = [1.0]
    for step in range(1, 5):
        decay = min(0.3, (1 + step) / (10 + step))
        kept = [share * decay for share in kept] + [1 - decay]
    assert kept[1] == pytest.approx(9 / 11 * 3 / 12 * 0.3 * 0.3)  # 2/11 and 3/12 are below 0.3, 4/13 is not
    for name, average in saved[-1].averages["G"].items():
        expected = sum(share * found.networks["G"][name] for share, found in zip(kept, saved, strict=True))
        torch.testing.assert_close(average, expected, rtol=1e-12, atol=1e-14)
    loaded = load_generator(run).network.state_dict()
    assert all(torch.equal(loaded[name], value.float()) for name, value in saved[-1].averages["G"].items())


def test_what_may_change_on_resume(whole: Path, drawn_shards: Path, settings: RunSettings, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    newest = run / "checkpoints/step-000040.pt"
    before = newest.stat().st_mtime_ns
    assert fit(drawn_shards, run, settings, steps=40, device="cpu", resume=True).checkpoint == newest
    assert newest.stat().st_mtime_ns == before  # there was nothing to do
    log = settings.log.model_copy(update={"checkpoint_every": 1, "keep_checkpoints": 2, "evaluate_every": 0})
    fit(drawn_shards, run, settings.model_copy(update={"log": log}), steps=42, device="cpu", resume=True)
    assert [path.name for path in checkpoint_paths(run)] == ["step-000042.pt", "step-000041.pt"]
    rows = settings.model_copy(update={"log": log.model_copy(update={"evaluate_rows": 5})})
    with pytest.raises(RunError, match=r"log\.evaluate_rows = 6, and 5 is asked for"):
        fit(drawn_shards, run, rows, steps=43, device="cpu", resume=True)
    # Someone has edited config.toml, or a disk has: the checkpoint knows better.
    config = run / "config.toml"
    config.write_text(config.read_text().replace("lambda_seg = 10.0", "lambda_seg = 11.0"))
    with pytest.raises(SettingsError, match=r"config\.toml are not what was written, .* remove that line"):
        load_settings(config)
    config.write_text(config.read_text().partition("\n")[2])
    other = load_preset("tiny", [*SMALL, *EVERYTHING, "loss.lambda_seg=11"])
    with pytest.raises(RunError, match=r"step-000042\.pt was made with loss\.lambda_seg = 10.*11"):
        fit(drawn_shards, run, other, steps=43, device="cpu", resume=True)
