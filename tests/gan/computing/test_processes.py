"""Two processes follow one; what one refuses, all refuse; one that fails ends the others with its words."""

from functools import partial
from pathlib import Path

import pytest
import torch

from gan.computing.compute import Compute
from gan.computing.processes import computing
from gan.computing.spawning import Stop
from gan.errors import InputError, RefusedByFirstError, RunError, SettingsError, TrainingError
from gan.runs.checked_json import decode_line
from gan.runs.checkpoint import Checkpoint, load_checkpoint
from gan.runs.presets import load_preset
from gan.settings.run_settings import RunSettings
from gan.training.fit import fit, train
from gan.training.job import Request
from tests.gan.resuming import CUT

# A batch of 4 for two processes, so 2 each.
SETTINGS = (
    "schedule.batch=4", "schedule.n_repeat=1", "schedule.epochs=99", "generator.width=4", "critic.width=4",
    "segmentor.width=4", "segmentor.blocks=1", "augmentation.layouts=0.5", "log.sample_columns=1", "log.sample_rows=1",
    "log.keep_checkpoints=2",
)  # fmt: skip
FROZEN = ("segmentor.training=frozen", "segmentor.pretraining=3")


def settings(precision: str, *overrides: str) -> RunSettings:
    return load_preset("paper", [*CUT["scgan"], *SETTINGS, f"compute.precision={precision}", *overrides])


def one_after_the_other(requests: list[Request], compute: Compute, stop: Stop) -> None:
    """What each of two processes does: train, train again, be refused, be told to stop, and lose one of them."""
    for request in requests:
        train(Compute(compute.device, request.settings.compute.precision, compute.fabric), request)
    with pytest.raises(RunError if compute.first else RefusedByFirstError, match="not empty"):
        train(compute, requests[0])
    longer = Request(requests[1].shards, requests[1].run, requests[1].settings, steps=9, resume=True)
    asked = iter([False, True])  # the second process is told to stop after the next step
    result = train(compute, longer, stop=None if compute.first else asked.__next__)
    assert result.stopped and result.step == 2
    if not compute.first:
        raise ValueError("the second has fallen")
    compute.any(False)  # waits for the second


def test_two_processes_follow_one(drawn_shards: Path, tmp_path: Path) -> None:
    """50 steps in float64, and the first in float32 with a frozen segmentor that both have prepared together."""
    runs = {"64": (settings("64", "averaging.decay=0.9"), 50), "32": (settings("32", *FROZEN), 1)}
    requests = [Request(drawn_shards, tmp_path / f"two-{name}", *run) for name, run in runs.items()]
    with pytest.raises(TrainingError, match="process 1 of 2 has ended: ValueError: the second has fallen"):
        follow = partial(one_after_the_other, requests)
        with computing("cpu", 2, "32", follow) as compute:
            assert (compute.rank, compute.processes) == (0, 2)
            follow(compute, lambda: False)
    assert not torch.distributed.is_initialized()
    for name, (chosen, steps) in runs.items():
        fit(drawn_shards, tmp_path / f"one-{name}", chosen, steps=steps, device="cpu")
        tolerance = 1e-6 if name == "64" else 1e-4
        ours, theirs = (tmp_path / f"{number}-{name}" for number in ("two", "one"))
        checkpoint = f"checkpoints/step-{steps:06d}.pt"
        assert farthest(load_checkpoint(ours / checkpoint), load_checkpoint(theirs / checkpoint)) < tolerance
        lines = [(run / "metrics.jsonl").read_text().splitlines()[steps - 1] for run in (ours, theirs)]
        assert decode_line(lines[0]) == pytest.approx(decode_line(lines[1]), rel=tolerance, abs=tolerance)


def farthest(a: Checkpoint, b: Checkpoint) -> float:
    """The largest relative distance between the weights of a network, averaged ones included."""
    found = []
    for ours, theirs in ((a.networks, b.networks), (a.averages, b.averages)):
        for name, weights in ours.items():
            # As one vector: a bias in front of a norm has no gradient but rounding, and Adam makes steps of that.
            x, y = (torch.cat([held[key].flatten() for key in weights]) for held in (weights, theirs[name]))
            found.append(float((x - y).norm() / y.norm()))
    return max(found)


def test_what_processes_cannot_share_is_refused_before_they_start(drawn_shards: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"schedule\.batch = 4 .* evenly among 3 processes; take a multiple of 3"):
        fit(drawn_shards, tmp_path / "run", settings("32"), device="cpu", devices=3)
    with pytest.raises(TrainingError, match="8 rows cannot be divided among 3"):
        compute = Compute(torch.device("cpu"))
        compute.processes = 3
        compute.share(torch.zeros(8, 2))
    assert not (tmp_path / "run").exists()


def test_torchrun_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="torchrun has started 4 processes on this machine, and 2 devices"):
        with computing("cpu", 2, "32", print):
            pass
