"""SCGAN: its networks, optimisers and training round (SCGAN paper, Table 2 and Algorithm 1)."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan import losses
from gan.compute import Compute
from gan.config import Settings
from gan.data import Batch, DataDescription, one_hot
from gan.networks import Critic, Generator, Segmentor

Losses = dict[str, Tensor]


class GeneratorInput(NamedTuple):
    """What a fake batch is made from: `z` (N, n_z), `c` (N, n_c), `s_idx` int64 (N, H, W)."""

    z: Tensor
    c: Tensor
    s_idx: Tensor


class SCGAN:
    """Generator G, critic D and segmentor S with an Adam each.

    Every random draw of a round comes from the CPU generator `noise` handed in, so that a run does not depend on the
    device's own random numbers and its state fits in a checkpoint.
    """

    def __init__(self, settings: Settings, data: DataDescription, compute: Compute) -> None:
        self.settings, self.data, self.compute, self.device = settings, data, compute, compute.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.G = build_generator(settings, data).to(compute.device, compute.dtype)
            self.D = build_critic(settings, data).to(compute.device, compute.dtype)
            self.S = build_segmentor(settings, data).to(compute.device, compute.dtype)
        optimiser = settings.optimiser
        self.base_rates = {"G": optimiser.lr_g, "D": optimiser.lr_d, "S": optimiser.lr_s}
        self.optimisers = {
            name: torch.optim.Adam(
                network.parameters(), self.base_rates[name], betas=(optimiser.beta1, optimiser.beta2)
            )
            for name, network in self.networks.items()
        }

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks by the names they have in a checkpoint."""
        return {"G": self.G, "D": self.D, "S": self.S}

    def train_round(self, batches: Iterator[Batch], noise: torch.Generator) -> Losses:
        """Update D and S on n_repeat batches each and G once; give the weighted losses, those of D and S averaged."""
        n_repeat = self.settings.schedule.n_repeat
        rounds: list[Losses] = []
        for n in range(n_repeat):
            real = next(batches).to(self.device)
            fake_input = self.draw_input(real, noise)
            # G rests while D learns, so the fake batch of the last repetition can serve G's own step.
            with torch.set_grad_enabled(n == n_repeat - 1):
                x_fake = self.generate(fake_input.z, fake_input.c, one_hot(fake_input.s_idx, self.data.n_s))
            rounds.append(self.critic_step(real, x_fake.detach(), noise) | self.segmentor_step(real))
        mean = {name: torch.stack([one[name] for one in rounds]).mean() for name in rounds[0]}
        return mean | self.generator_step(x_fake, fake_input)

    def draw_input(self, real: Batch, noise: torch.Generator) -> GeneratorInput:
        """Draw z and permute the batch's layouts; c stays in the order of x (Algorithm 1; fixed points allowed)."""
        count = len(real.x)
        z = torch.randn(count, self.settings.generator.n_z, generator=noise).to(self.device)
        order = torch.randperm(count, generator=noise).to(self.device)
        return GeneratorInput(z, real.c, real.s_idx[order])

    def critic_step(self, real: Batch, x_fake: Tensor, noise: torch.Generator) -> Losses:
        """Take one step of D on real and fake scores, real attributes and the gradient penalty."""
        weights = self.settings.loss
        # D has no norm, so real and fake can go through it as one batch.
        score, logits = self.D(torch.cat([real.x, x_fake]))
        score_real, score_fake = score.chunk(2)
        loss_real, loss_fake = losses.wasserstein_critic(score_real, score_fake)
        e = torch.rand(len(x_fake), generator=noise).to(self.device)
        x_hat = losses.interpolate(real.x, x_fake, e)
        penalty = losses.gradient_penalty(lambda x: self.D(x)[0], x_hat, weights.gp_reduction)
        parts = {
            "loss_d/real": loss_real,
            "loss_d/fake": loss_fake,
            "loss_d/gp": weights.lambda_gp * penalty,
            "loss_d/cls": weights.lambda_cls * losses.attribute_bce(logits[: len(real.x)], real.c),
        }
        return self._descend("D", "loss_d", parts)

    def segmentor_step(self, real: Batch) -> Losses:
        """Take one step of S on real images; S never trains on fakes."""
        return self._descend("S", "loss_s", {"loss_s/seg": losses.pixel_cross_entropy(self.S(real.x), real.s_idx)})

    def generator_step(self, x_fake: Tensor, fake_input: GeneratorInput) -> Losses:
        """Take one step of G through D and S, which stay as they are; `x_fake` still has G's graph."""
        weights = self.settings.loss
        self.D.requires_grad_(False)
        self.S.requires_grad_(False)
        score, logits = self.D(x_fake)
        seg = losses.pixel_cross_entropy(self.S(x_fake), fake_input.s_idx)
        parts = {
            "loss_g/fake": losses.wasserstein_generator(score),
            "loss_g/cls": weights.lambda_cls * losses.attribute_bce(logits, fake_input.c),
            "loss_g/seg": weights.lambda_seg * seg,
        }
        result = self._descend("G", "loss_g", parts)
        self.D.requires_grad_(True)
        self.S.requires_grad_(True)
        return result

    def generate(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        """Make images (N, 3, H, W) in [-1, 1] from z (N, n_z), c (N, n_c) and one-hot s (N, n_s, H, W)."""
        images: Tensor = self.G(z, c, s)
        return images

    def _descend(self, name: str, total: str, parts: Losses) -> Losses:
        """Step one network down the sum of the parts; give the parts and the sum, detached."""
        loss = torch.stack(list(parts.values())).sum()
        optimiser = self.optimisers[name]
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()
        return {key: part.detach() for key, part in parts.items()} | {f"{total}/total": loss.detach()}


def build_generator(settings: Settings, data: DataDescription) -> Generator:
    """Make an untrained generator for the data."""
    chosen = settings.generator
    return Generator(
        data.n_s, data.n_c, data.size, width=chosen.width, n_z=chosen.n_z, tail_norm=chosen.tail_norm
    )  # fmt: skip


def build_critic(settings: Settings, data: DataDescription) -> Critic:
    """Make an untrained critic for the data."""
    return Critic(data.n_c, data.size, width=settings.critic.width, leaky_slope=settings.critic.leaky_slope)


def build_segmentor(settings: Settings, data: DataDescription) -> Segmentor:
    """Make an untrained segmentor for the data."""
    return Segmentor(data.n_s, width=settings.segmentor.width, blocks=settings.segmentor.blocks)
