"""The preset `release` against the release's training loop, written out over its own keys as its PyTorch ran it."""

from collections.abc import Iterator
from itertools import cycle

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gan.computing.compute import Compute
from gan.data.rows import Batch, one_hot
from gan.runs.presets import load_preset
from gan.systems.scgan import SCGAN
from gan.systems.scgan_release import RELEASED
from tests.gan.released import State, run_critic, run_generator, run_segmentor
from tests.gan.resuming import CUT
from tests.gan.systems.test_literal import CPU, DATA, made_batches


class Adam:
    """Adam as it is used in the release: gradients are zeroed, so weights that a loss does not reach move on.

    But for eps, which the release's PyTorch added before the corrections and today's adds after them.
    """

    def __init__(self, weights: State, rate: float) -> None:
        self.weights, self.rate = weights, rate
        self.moments = {key: (0, torch.zeros_like(w), torch.zeros_like(w)) for key, w in weights.items()}

    def zero_grad(self) -> None:
        for weight in self.weights.values():
            if weight.grad is not None:
                weight.grad = torch.zeros_like(weight)

    @torch.no_grad()
    def step(self) -> None:
        for key, weight in self.weights.items():
            if weight.grad is None:
                continue
            count, first, second = self.moments[key]
            count, first = count + 1, 0.5 * first + 0.5 * weight.grad
            second = 0.999 * second + 0.001 * weight.grad**2
            self.moments[key] = count, first, second
            first, second = first / (1 - 0.5**count), second / (1 - 0.999**count)
            weight -= self.rate * first / (second.sqrt() + 1e-8)


def released(system: SCGAN, letter: str) -> State:
    """Copies of a network's weights by the release's keys."""
    network = RELEASED[letter]
    weights = system.networks[network.name].state_dict()
    return {network.key(key): tensor.clone().requires_grad_() for key, tensor in weights.items()}


def release_loop(G: State, D: State, A: State, batches: Iterator[Batch], noise: torch.Generator, rounds: int) -> None:
    """Each iteration a batch for D, in two steps, and for A; each fifth a step of G with the last batch's draws."""
    of_g, of_d, of_a = Adam(G, 5e-5), Adam(D, 5e-5), Adam(A, 1e-4)

    def descend(optimiser: Adam, loss: Tensor) -> None:
        for one in (of_g, of_d, of_a):
            one.zero_grad()
        loss.backward()
        optimiser.step()

    def of_attributes(logits: Tensor, c: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, c, reduction="sum") / len(c)

    for iteration in range(1, 5 * rounds + 1):
        real = next(batches)
        z = torch.randn(len(real.x), 16, generator=noise).double()
        layouts = real.layouts[torch.randperm(len(real.x), generator=noise)]
        e = torch.rand(len(real.x), 1, 1, 1, generator=noise).double()
        x, c, s = real.x.double(), real.c.double(), one_hot(layouts, 7).double()
        x_fake = run_generator(G, z, c, s).detach()

        score, logits = run_critic(D, x)
        descend(of_d, -score.mean() + run_critic(D, x_fake)[0].mean() + of_attributes(logits, c))
        x_hat = (e * x + (1 - e) * x_fake).requires_grad_()
        score, _ = run_critic(D, x_hat)
        (slope,) = torch.autograd.grad(score, x_hat, torch.ones_like(score), create_graph=True)
        descend(of_d, 10 * ((slope.flatten(1).square().sum(1).sqrt() - 1) ** 2).mean())
        descend(of_a, F.cross_entropy(run_segmentor(A, x), real.s_idx))
        if iteration % 5 == 0:
            x_fake = run_generator(G, z, c, s)
            score, logits = run_critic(D, x_fake)
            seg = F.cross_entropy(run_segmentor(A, x_fake), layouts)
            descend(of_g, -score.mean() + of_attributes(logits, c) + seg)


def test_two_rounds_are_those_of_the_release() -> None:
    """In float64, 7e-12 apart; with gradients absent in the penalty's step, the critics would be 4e-4 apart."""
    system = SCGAN(load_preset("release", [*CUT["scgan"], "compute.precision=64"]), DATA, Compute(CPU, "64"))
    theirs = {letter: released(system, letter) for letter in "GDA"}
    ours, again = (torch.Generator().manual_seed(3) for _ in range(2))
    batches = cycle(made_batches(10))
    for _ in range(2):
        system.train_round(batches, ours)
    release_loop(*theirs.values(), cycle(made_batches(10)), again, 2)
    for letter, weights in theirs.items():
        found = released(system, letter)
        for key, weight in weights.items():
            torch.testing.assert_close(
                found[key], weight, rtol=0, atol=1e-9, msg=lambda said, key=key: f"{key}: {said}"
            )


@pytest.mark.parametrize("preset", ["paper", "release"])
def test_scales_of_instance_norms(preset: str) -> None:
    """U(0, 1) in `release`, for the release's PyTorch drew them so; 1 elsewhere."""
    system = SCGAN(load_preset(preset, CUT["scgan"]), DATA, Compute(CPU))
    for name in "GS":
        norms = [m for m in system.networks[name].modules() if isinstance(m, torch.nn.InstanceNorm2d)]
        scales = torch.cat([norm.weight.detach() for norm in norms])
        assert len(norms) == 13 or preset == "paper"
        assert all((norm.bias == 0).all() for norm in norms)
        if preset == "paper":
            assert (scales == 1).all()
        else:
            assert 0 <= scales.min() < 0.1 and 0.9 < scales.max() <= 1 and abs(scales.mean() - 0.5) < 0.06
