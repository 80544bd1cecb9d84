"""What changes from step to step: averages, state beside weights, and pairs that a system wants to have broken."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gan.runs.checkpoint import load_checkpoint
from gan.runs.presets import load_preset
from gan.systems.acwgan import ACWGAN
from gan.systems.given import Given
from gan.training.averaging import Average
from gan.training.fit import fit
from tests.gan.resuming import CUT, difference

SETTINGS = load_preset("tiny", [*CUT["acwgan"], "averaging.decay=0.5"], system="acwgan")


def test_counts_have_no_average() -> None:
    norm = nn.BatchNorm1d(2)
    average = Average(norm, 0.5)
    norm(torch.tensor([[0.0, 2.0], [4.0, 6.0]]))
    average.update(100)
    assert average.weights["num_batches_tracked"] == 1
    assert average.weights["running_mean"].tolist() == pytest.approx([0.1, 0.2])  # half of what the norm has


class Remembering(ACWGAN):
    """Counts its rounds in a tensor of its own."""

    seen = torch.zeros(1)

    def learn(self, draws: object) -> dict[str, Tensor]:
        losses = super().learn(draws)  # type: ignore[arg-type]
        self.seen = self.seen + 1
        return losses | {"loss_d/seen": self.seen[0]}

    def state(self) -> dict[str, Tensor]:
        return {"seen": self.seen}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.seen = state["seen"]


def test_state_beside_weights_is_resumed(drawn_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan.systems.acwgan.ACWGAN", Remembering)
    fit(drawn_shards, tmp_path / "whole", SETTINGS, steps=2, device="cpu")
    for steps in (1, 2):
        fit(drawn_shards, tmp_path / "run", SETTINGS, steps=steps, device="cpu", resume=steps == 2)
    assert load_checkpoint(tmp_path / "run/checkpoints/step-000002.pt").state["seen"] == 2
    assert difference(tmp_path / "run", tmp_path / "whole", 2) is None


def test_pictures_leave_no_trace_in_what_learns(drawn_shards: Path, tmp_path: Path) -> None:
    """Batch norms gather averages in training; a sample grid after every step must not."""
    for name, every in (("often", 1), ("seldom", 100)):
        chosen = SETTINGS.model_copy(update={"log": SETTINGS.log.model_copy(update={"sample_every": every})})
        fit(drawn_shards, tmp_path / name, chosen, steps=2, device="cpu")
    ours, theirs = (load_checkpoint(tmp_path / name / "checkpoints/step-000002.pt") for name in ("often", "seldom"))
    for name, held in ours.networks.items():
        assert all(torch.equal(tensor, theirs.networks[name][key]) for key, tensor in held.items())


class Unpaired(ACWGAN):
    """Keeps the batches that it is given."""

    pairing = "unpaired"
    batches: list[Given] = []  # noqa: RUF012

    def draw_once(self, whole, noise):  # type: ignore[no-untyped-def]
        self.batches.append(whole)
        return super().draw_once(whole, noise)


def test_unpaired_layouts_come_in_an_order_of_their_own(
    drawn_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photos and attributes as ever; layouts of other rows, each of them once an epoch, and the same after a resume."""
    seen = {}
    for name, system in (("paired", "paired"), ("unpaired", "unpaired"), ("resumed", "unpaired")):
        monkeypatch.setattr(Unpaired, "pairing", system)
        monkeypatch.setattr("gan.systems.acwgan.ACWGAN", Unpaired)
        Unpaired.batches = []
        for steps in (4, 10) if name == "resumed" else (10,):
            fit(
                drawn_shards,
                tmp_path / name,
                SETTINGS,
                steps=steps,
                device="cpu",
                resume=steps > len(Unpaired.batches) > 0,
            )
        seen[name] = [torch.cat(parts) for parts in zip(*Unpaired.batches, strict=True)]
    (x, c, s_idx, _), (x_too, c_too, others, _) = seen["paired"], seen["unpaired"]
    assert torch.equal(x, x_too) and torch.equal(c, c_too)
    assert not torch.equal(s_idx, others)
    assert sorted(map(hash, map(bytes, s_idx.byte().numpy()))) == sorted(map(hash, map(bytes, others.byte().numpy())))
    assert all(torch.equal(a, b) for a, b in zip(seen["unpaired"], seen["resumed"], strict=True))
