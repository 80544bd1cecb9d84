"""The round against the paper's Algorithm 1 written out without any saving."""

from itertools import cycle

import pytest
import torch
from torch import Tensor, nn

import maskkit
from benchmarks.literal import Literal, literal_round
from gan.computing.compute import Compute
from gan.data.description import DataDescription
from gan.data.rows import Batch
from gan.runs.presets import load_preset
from gan.systems.scgan import SCGAN
from tests.gan.resuming import CUT

CPU = torch.device("cpu")
DATA = DataDescription(32, maskkit.load_scheme("scgan"), ("a", "b", "c"), 100)
ALL_ON = tuple(f"compute.{name}=on" for name in ("channels_last", "fused", "fakes_at_once"))
ALL_OFF = tuple(switch.replace("=on", "=off") for switch in ALL_ON)


def made_batches(count: int) -> list[Batch]:
    noise = torch.Generator().manual_seed(5)
    made = []
    for _ in range(count):
        x, c = torch.rand(4, 3, 32, 32, generator=noise) * 2 - 1, torch.randint(2, (4, 3), generator=noise).float()
        s_idx, layouts = torch.randint(7, (2, 4, 32, 32), generator=noise)
        made.append(Batch(x, c, s_idx, layouts))
    return made


def distance(ours: nn.Module, theirs: nn.Module) -> float:
    """The relative distance of all weights, by their order: keys of the literal shortcuts differ."""
    # As one vector: a bias in front of a norm has no gradient but rounding, and Adam makes steps of that.
    x, y = (torch.cat([p.detach().flatten() for p in network.parameters()]) for network in (ours, theirs))
    return float((x - y).norm() / y.norm())


def largest_difference(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    return max(float((ours[name] - theirs[name]).abs() / theirs[name].abs()) for name in theirs)


@pytest.mark.parametrize(
    ("preset", "changes", "rounds"),
    [
        ("paper", ALL_ON, 20),
        ("release", ALL_ON, 20),
        ("paper", ALL_OFF, 3),
        ("release", (*ALL_OFF, "loss.gp_reduction=mean", "segmentor.training=none"), 3),
    ],
)
def test_rounds_are_those_of_algorithm_1(preset: str, changes: tuple[str, ...], rounds: int) -> None:
    """In float64; five critic updates a round, in one step each (paper) or in two (release)."""
    settings = load_preset(preset, [*CUT["scgan"], "segmentor.blocks=1", *changes, "compute.precision=64"])
    system = SCGAN(settings, DATA, Compute(CPU, "64"))
    literal = Literal(system)
    ours, theirs = (cycle(made_batches(7)) for _ in range(2))
    our_noise, their_noise = (torch.Generator().manual_seed(3) for _ in range(2))
    for _ in range(rounds):
        found, expected = system.train_round(ours, our_noise), literal_round(literal, theirs, their_noise)
        assert largest_difference(found, expected) < 1e-6
    for name, network in system.networks.items():
        assert distance(network, literal.networks[name]) < 1e-6, name


@pytest.mark.parametrize("preset", ["paper", "release"])
def test_first_round_in_float32(preset: str) -> None:
    system = SCGAN(load_preset(preset, CUT["scgan"]), DATA, Compute(CPU))
    literal = Literal(system)
    noise, again = (torch.Generator().manual_seed(3) for _ in range(2))
    found = system.train_round(cycle(made_batches(5)), noise)
    expected = literal_round(literal, cycle(made_batches(5)), again)
    assert largest_difference(found, expected) < 1e-4
    assert all(distance(network, literal.networks[name]) < 1e-4 for name, network in system.networks.items())
    assert torch.equal(noise.get_state(), again.get_state())
