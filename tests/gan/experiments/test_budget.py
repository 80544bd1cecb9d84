"""What a budget is, and how long a run has trained."""

from pathlib import Path

import pytest

from gan.errors import InputError, RunError
from gan.experiments.budget import parse_budget
from gan.experiments.training_time import TrainingTime
from gan.runs.presets import load_preset


@pytest.mark.parametrize(
    ("text", "seconds", "words"),
    [("90s", 90, "90 s"), ("12m", 720, "12 min"), ("1.5h", 5400, "90 min"), ("2d", 172800, "2 days")],
)
def test_a_time(text: str, seconds: float, words: str) -> None:
    budget = parse_budget(text)
    assert (budget.seconds, budget.to_text()) == (seconds, f"{words} of training")
    assert budget.steps(load_preset("tiny")) is None


def test_images_are_used_up_by_every_critic_update_and_rounded_up_to_whole_steps() -> None:
    settings = load_preset("tiny", ["schedule.batch=16", "schedule.n_repeat=5"])
    assert parse_budget("800").steps(settings) == 10
    assert parse_budget("801").steps(settings) == 11
    assert parse_budget("801").seconds is None


def test_only_the_papers_own_budget_lets_rates_fall() -> None:
    assert parse_budget("paper").overrides == ()
    assert parse_budget("paper").steps(load_preset("tiny")) is None
    assert "schedule.decay_epochs=0" in parse_budget("10m").overrides == parse_budget("10").overrides


@pytest.mark.parametrize("text", ["", "0", "-5", "12 min", "0m", "1e9", "١٢", "9" * 50, "infh", "paper!"])
def test_what_is_no_budget(text: str) -> None:
    with pytest.raises(InputError, match="write a time such as 90s"):
        parse_budget(text)


def test_time_goes_on_from_the_checkpoint_that_a_run_goes_on_from(tmp_path: Path) -> None:
    path = tmp_path / "times" / "scgan.json"
    time = TrainingTime(path)
    time.start(0)
    time._since -= 10
    time.keep(200)
    time._since -= 10
    time.keep(400)
    again = TrainingTime(path)
    assert again.at(200) == pytest.approx(10, abs=0.5)
    assert again.at(399) == again.at(200)
    assert again.at(400) == pytest.approx(20, abs=0.5)
    again.start(200)  # the checkpoint of step 400 was damaged
    again.keep(300)
    assert TrainingTime(path).at(10**9) == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize("content", [b"{}", b"\xff", b'{"seconds": {"5": 3.5}, "crc32": "00000000"}\n'])
def test_a_damaged_time_is_not_believed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scgan.json"
    path.write_bytes(content)
    with pytest.raises(RunError, match="put it back, or delete it"):
        TrainingTime(path)
