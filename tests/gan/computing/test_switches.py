"""Switches of speed: what is had, what is said where it cannot be had, and what they must not change."""

import platform
import resource
from itertools import cycle
from pathlib import Path

import pytest
import torch

from gan.computing import switches
from gan.computing.compute import Compute
from gan.computing.memory import freed_memory_kept
from gan.computing.switches import Switches, choose_switches
from gan.runs.checkpoint import load_checkpoint
from gan.runs.presets import load_preset, settings_from
from gan.systems.scgan import SCGAN, Draws
from gan.training.fit import fit
from tests.gan.conftest import SMALL
from tests.gan.systems.test_scgan import CPU, DATA, make_batches, noise, weights

NAMES = ("channels_last", "fused", "fakes_at_once", "compile", "graphs")


def test_what_cannot_be_had_is_said_once_and_only_where_asked_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switches, "_why_no_compiler", lambda compute: None)  # as on a machine that has one
    asked = choose_switches(load_preset("paper", [f"compute.{name}=on" for name in NAMES]).compute, Compute(CPU), 0)
    assert asked == Switches(True, True, True, compile=True, graphs=False)
    assert [record.getMessage() for record in caplog.records if "graphs" in record.getMessage()] == [
        "compute.graphs = on cannot be had: CUDA graphs need a CUDA device; it stays off"
    ]
    caplog.clear()
    assert choose_switches(load_preset("paper").compute, Compute(CPU), 0) == Switches(fused=True)
    assert choose_switches(load_preset("paper").compute, Compute(CPU, "bf16"), 0) == Switches(
        channels_last=True, fused=True
    )
    assert (
        choose_switches(load_preset("paper", [f"compute.{name}=off" for name in NAMES]).compute, Compute(CPU), 0)
        == Switches()
    )
    assert not caplog.records
    choose_switches(load_preset("paper").compute, Compute(CPU, "tf32"), 0)
    assert "compute.precision = tf32 cannot be had: it needs a CUDA device; float32 is computed in full" in caplog.text


def test_a_compiler_that_is_missing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    from torch._inductor import config

    with config.patch({"cpp.cxx": ("no-such-compiler",)}):
        assert not choose_switches(load_preset("paper", ["compute.compile=on"]).compute, Compute(CPU), 0).compile
    assert "compute.compile = on cannot be had: torch.compile needs a C++ compiler, and none is found" in caplog.text


def test_switches_may_be_written_as_truth_values() -> None:
    compute = load_preset("tiny", ["compute.graphs=true", "compute.fused=false"]).compute
    assert (compute.graphs, compute.fused, compute.compile) == ("on", "off", "auto")


def test_settings_of_older_runs_leave_switches_to_us() -> None:
    values = load_preset("tiny").model_dump()
    values["compute"] = {"precision": "32"}
    assert settings_from(values, source="an old checkpoint") == load_preset("tiny")


@pytest.mark.parametrize("updates", ["joint", "separate", "separate-zeroed"])
def test_a_round_asks_nothing_of_the_host(updates: str) -> None:
    """So that it can be captured: tensors without values refuse to be looked at, and to be drawn from the device."""
    system = SCGAN(load_preset("tiny", [*SMALL, f"critic.updates={updates}", "compute.fused=off"]), DATA,
                   Compute(torch.device("meta")))  # fmt: skip
    batches = cycle(make_batches(2))
    drawn = SCGAN(system.settings, DATA, Compute(CPU)).draw(batches, noise())
    draws = Draws(*(part.to("meta") for part in drawn))
    assert {value.device.type for value in system.learn(draws).values()} == {"meta"}


def test_moments_lie_as_the_weights_do_after_a_resume_with_other_switches(drawn_shards: Path, tmp_path: Path) -> None:
    """Fused Adam goes through both as they lie: a moment of another layout would meet the wrong weights."""
    off, on = (
        load_preset("tiny", [*SMALL, f"compute.channels_last={value}", "compute.precision=64"])
        for value in ("off", "on")
    )
    fit(drawn_shards, tmp_path / "whole", off, steps=3, device="cpu")
    fit(drawn_shards, tmp_path / "run", off, steps=2, device="cpu")
    fit(drawn_shards, tmp_path / "run", on, steps=3, device="cpu", resume=True)
    ours, theirs = (load_checkpoint(tmp_path / name / "checkpoints/step-000003.pt") for name in ("run", "whole"))
    for name, held in ours.networks.items():
        for key, tensor in held.items():
            # Biases in front of a norm learn from rounding alone.
            torch.testing.assert_close(
                tensor, theirs.networks[name][key], rtol=1e-6, atol=1e-3 if tensor.dim() < 2 else 1e-9
            )


def test_all_networks_compiled_give_the_same_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what torch.compile traces and differentiates; only the making of machine code is left out, for its time."""
    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda work, **options: compile_(work, backend="aot_eager", **options))
    torch.compiler.reset()
    found = {}
    for value in ("off", "on"):
        system = SCGAN(load_preset("tiny", [*SMALL, f"compute.compile={value}", "compute.precision=64"]), DATA,
                       Compute(CPU, "64"))  # fmt: skip
        assert system.switches.compile == (value == "on")
        losses = system.train_round(cycle(make_batches(2)), noise())
        found[value] = losses | {name: weights(network) for name, network in system.networks.items()}
    torch.testing.assert_close(found["on"], found["off"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("precision", "rounded"), [("32", False), ("tf32", True), ("bf16", True), ("64", False)])
def test_tensorfloat_is_on_only_where_asked_for_and_only_meanwhile(precision: str, rounded: bool) -> None:
    """Both ways, whatever PyTorch had; by the names that torch.compile reads without refusing."""
    backends = torch.backends
    before = backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32
    with Compute(torch.device("cuda"), precision).arithmetic():
        assert (backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32) == (rounded, rounded)
    assert (backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32) == before == (True, False)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory by its own rules")
def test_freed_memory_is_kept_meanwhile() -> None:
    """Ten times 64 MB one after the other are the same 64 MB: their 2**14 pages come once and not ten times."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    with freed_memory_kept(CPU):
        for _ in range(10):
            torch.ones(64 * 2**18)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 5 * 2**14
