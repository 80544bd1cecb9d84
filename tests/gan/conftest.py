"""Settings small enough that a training step takes milliseconds."""

from pathlib import Path

import pytest
import torch

from gan.runs.presets import load_preset
from gan.settings.run_settings import RunSettings
from gan.training.fit import fit

SMALL = (
    "data.size=32", "generator.width=4", "generator.n_z=8", "critic.width=4", "segmentor.width=4", "segmentor.blocks=1",
    "loss.lambda_cls=2", "loss.lambda_seg=10", "optimiser.lr_s=2e-3", "schedule.batch=4", "schedule.n_repeat=2",
    "log.checkpoint_every=20", "log.sample_every=20", "log.sample_columns=3", "log.sample_rows=2",
)  # fmt: skip

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")),
]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Threads cost more than they give at this size."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small_settings() -> RunSettings:
    return load_preset("tiny", SMALL)


@pytest.fixture(scope="session")
def small_run(drawn_shards: Path, small_settings: RunSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 40 steps on the drawn faces. Not to be written to."""
    run = tmp_path_factory.mktemp("run") / "run"
    fit(drawn_shards, run, small_settings, steps=40, device="cpu")
    return run
