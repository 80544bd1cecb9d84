"""A run that an earlier version began goes on, and what it has written can be used."""

import shutil
from pathlib import Path

import pytest
import torch

import gan
from gan.runs.checked_json import decode_line
from gan.runs.checkpoint import load_checkpoint
from gan.runs.presets import load_settings
from tests.drawn import write_drawn_shards

EARLIER = Path(__file__).parent.parent / "earlier_run"


def test_it_resumes_as_if_this_version_had_begun_it(tmp_path: Path) -> None:
    """To rounding, which may differ from processor to processor."""
    shards = write_drawn_shards(tmp_path / "shards", {"train": 16, "val": 4})
    run = shutil.copytree(EARLIER, tmp_path / "run")
    settings = load_settings(run / "config.toml")
    gan.fit(shards, run, settings, steps=4, device="cpu", resume=True)
    gan.fit(shards, tmp_path / "anew", settings, steps=4, device="cpu")
    losses = [(one / "metrics.jsonl").read_text().splitlines()[3] for one in (run, tmp_path / "anew")]
    assert decode_line(losses[0]) == pytest.approx(decode_line(losses[1]), rel=1e-3, abs=1e-4)
    ours, theirs = (load_checkpoint(one / "checkpoints" / "step-000004.pt") for one in (run, tmp_path / "anew"))
    assert ours.optimisers.keys() == theirs.optimisers.keys() == {"G", "D", "S"}
    assert torch.equal(ours.noise, theirs.noise) and ours.batches == theirs.batches == 8


def test_its_generator_and_its_exported_one_are_the_same() -> None:
    generators = [gan.load_generator(path) for path in (EARLIER, EARLIER / "generator.safetensors")]
    z, c, s = generators[0].draw_z(1, 0), torch.zeros(1, 5), torch.zeros(1, 7, 32, 32)
    assert torch.equal(generators[0](z, c, s), generators[1](z, c, s))
