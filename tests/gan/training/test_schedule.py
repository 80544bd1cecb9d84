"""Steps, epochs and learning rates, against the table of the paper's release."""

import pytest

from gan.errors import SettingsError
from gan.runs.presets import load_preset
from gan.training.schedule import Plan


def plan(batches_per_epoch: int, *overrides: str) -> Plan:
    return Plan(load_preset("paper", overrides).schedule, batches_per_epoch)


def test_rates_fall_as_in_the_release() -> None:
    """After epoch e (from 0) with e + 1 > epochs - decay the release takes off lr0 / decay."""
    epochs, decay, rate, expected = 20, 10, 1.0, []
    for epoch in range(epochs):
        expected.append(rate)
        if epoch + 1 > epochs - decay:
            rate -= 1 / decay
    found = plan(15)  # 3 steps an epoch
    assert [found.rate(3 * epoch) for epoch in range(epochs)] == pytest.approx(expected)
    assert [found.epoch(step) for step in range(7)] == [0, 0, 0, 1, 1, 1, 2]


def test_constant_rates_have_no_end() -> None:
    found = plan(15, "schedule.decay_epochs=0")
    assert found.rate(10**6) == 1 and found.last_step(10**6, None) == 10**6


def test_an_end_in_steps_is_the_same_for_any_number_of_photos() -> None:
    for batches_per_epoch in (1, 15, 10**5):
        found = plan(batches_per_epoch, "schedule.decay_epochs=0", "schedule.steps=50")
        assert found.last_step(None, None) == 50 and found.last_step(60, None) == 60
        assert found.last_step(None, 1) == found.steps(1)
    with_epochs = plan(15, "schedule.decay_epochs=0")
    assert with_epochs.last_step(None, None) == with_epochs.steps(20)


def test_epochs_are_seen_whole() -> None:
    found = plan(7)
    assert found.last_step(None, 1) == 2 and found.last_step(None, 5) == 7 and found.last_step(None, None) == 28
    assert all(found.rate(step) > 0 for step in range(28))


@pytest.mark.parametrize(("steps", "epochs", "said"), [(29, None, "beyond"), (1, 1, "not by both"), (0, None, "not 0")])
def test_refusals(steps: int | None, epochs: int | None, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        plan(7).last_step(steps, epochs)


def test_rates_by_steps() -> None:
    """Halved every 3 steps, no lower than a fifth; times what epochs leave, here one of two from the third epoch on."""
    steps = ("schedule.decay_every=3", "schedule.decay_factor=0.5", "schedule.decay_least=0.2")
    alone = plan(10**6, *steps)
    assert [alone.rate(step) for step in (0, 2, 3, 5, 6, 9)] == [1, 1, 0.5, 0.5, 0.25, 0.2]
    both = plan(5, *steps, "schedule.epochs=4", "schedule.decay_epochs=2")  # a step an epoch
    assert [both.rate(step) for step in range(4)] == [1, 1, 1, 0.25]
