"""SCGAN: its networks, optimisers and training round (SCGAN paper, Table 2 and Algorithm 1)."""

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan import losses
from gan.compute import Compute
from gan.config import Settings
from gan.data import Batch, BatchOrder, DataDescription, RowsAtSize, batches, one_hot
from gan.errors import NotFiniteError
from gan.networks import (
    AllAtOnceGenerator,
    Critic,
    Generator,
    ReleaseSegmentor,
    ReversedOrderGenerator,
    Segmentor,
)

Losses = dict[str, Tensor]


class GeneratorInput(NamedTuple):
    """What a fake batch is made from: `z` (N, n_z), `c` (N, n_c), `s_idx` int64 (N, H, W)."""

    z: Tensor
    c: Tensor
    s_idx: Tensor


class SCGAN:
    """Generator G, critic D and segmentor S, and an Adam for each that learns.

    Every random draw of a round comes from the CPU generator `noise` handed in, for the whole batch, so that a run
    depends neither on the device's own random numbers nor on the number of processes, and its state fits in a
    checkpoint. S is None without a segmentor; a frozen one learns before the first round, in `prepare`.
    """

    def __init__(self, settings: Settings, data: DataDescription, compute: Compute) -> None:
        self.settings, self.data, self.compute = settings, data, compute
        training = settings.segmentor.training
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.G = build_generator(settings, data).to(compute.device, compute.dtype)
            self.D = build_critic(settings, data).to(compute.device, compute.dtype)
            self.S = None
            if training != "none":
                self.S = build_segmentor(settings, data).to(compute.device, compute.dtype)
        rates = {"G": settings.optimiser.lr_g, "D": settings.optimiser.lr_d, "S": settings.optimiser.lr_s}
        learning = [name for name in self.networks if name != "S" or training == "joint"]
        self.base_rates = {name: rates[name] for name in learning}
        self.optimisers = {name: self._adam(self.networks[name], rates[name]) for name in learning}
        if self.S is not None and training == "frozen":
            self.S.requires_grad_(False)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks by the names they have in a checkpoint."""
        return {"G": self.G, "D": self.D} | ({} if self.S is None else {"S": self.S})

    def prepare(self, rows: RowsAtSize, on_step: Callable[[int, int], None]) -> bool:
        """Train a frozen segmentor on real rows before the first round; give whether there was anything to do.

        `on_step` gets the batches done and their number (SCGAN paper, Figure 8: pre-trained and frozen). Raises
        NotFiniteError.
        """
        if self.S is None or self.settings.segmentor.training != "frozen":
            return False
        last = self.settings.segmentor.pretraining
        optimiser = self._adam(self.S, self.settings.optimiser.lr_s)
        self.S.requires_grad_(True)
        order = BatchOrder(len(rows), self.settings.schedule.batch, self.settings.seed)
        for done, real in enumerate(islice(batches(rows, order, self.settings.data.workers), last), 1):
            found = self._descend(self.S, optimiser, self.segmentor_losses(self.share(real)))
            loss = self.compute.mean(found["loss_s/seg"]).item()
            if not math.isfinite(loss):
                raise NotFiniteError(
                    f"loss_s/seg is {loss} at batch {done} of {last} that the segmentor learns from before step 1; "
                    "nothing is kept. Start again with a smaller optimiser.lr_s or look at the data"
                )
            on_step(done, last)
        self.S.requires_grad_(False)
        return True

    def train_round(self, stream: Iterator[Batch], noise: torch.Generator) -> Losses:
        """Update D and S on n_repeat batches each and G once; give the weighted losses, those of D and S averaged."""
        n_repeat = self.settings.schedule.n_repeat
        rounds: list[Losses] = []
        for n in range(n_repeat):
            whole = next(stream)
            real, fake_input = self.share(whole), self.draw_input(whole, noise)
            # G rests while D learns, so the fake batch of the last repetition can serve G's own step.
            with torch.set_grad_enabled(n == n_repeat - 1):
                x_fake = self.generate(fake_input.z, fake_input.c, one_hot(fake_input.s_idx, self.data.n_s))
            result = self.critic_step(real, x_fake.detach(), noise)
            if self.settings.segmentor.training == "joint":
                result |= self.segmentor_step(real)
            rounds.append(result)
        mean = {name: torch.stack([one[name] for one in rounds]).mean() for name in rounds[0]}
        return mean | self.generator_step(x_fake, fake_input)

    def share(self, whole: Batch) -> Batch:
        """Give this process's part of a batch, on its device."""
        return Batch(*map(self.compute.share, whole))

    def draw_input(self, whole: Batch, noise: torch.Generator) -> GeneratorInput:
        """Draw z and permute the batch's layouts; c stays in the order of x (Algorithm 1; fixed points allowed).

        Drawn for the whole batch; this process's part is given.
        """
        count = len(whole.x)
        z = torch.randn(count, self.settings.generator.n_z, generator=noise)
        order = torch.randperm(count, generator=noise)
        return GeneratorInput(*map(self.compute.share, (z, whole.c, whole.layouts[order])))

    def critic_step(self, real: Batch, x_fake: Tensor, noise: torch.Generator) -> Losses:
        """Take one step of D on real and fake scores, real attributes and the gradient penalty.

        With `critic.updates` "separate" the penalty has a step of its own, after the others (SCGAN release).
        """
        e = self.compute.share(torch.rand(self.settings.schedule.batch, generator=noise))
        if self.settings.critic.updates == "joint":
            result = self._step("D", self.score_losses(real, x_fake) | self.penalty_loss(real, x_fake, e))
        else:
            result = self._step("D", self.score_losses(real, x_fake))
            result |= self._step("D", self.penalty_loss(real, x_fake, e))
        return _with_total(result, "loss_d")

    def score_losses(self, real: Batch, x_fake: Tensor) -> Losses:
        """Give the critic's terms of scores and real attributes, weighted."""
        # D has no norm, so real and fake can go through it as one batch.
        score, logits = self._criticise(torch.cat([real.x, x_fake]))
        score_real, score_fake = score.chunk(2)
        loss_real, loss_fake = losses.wasserstein_critic(score_real, score_fake)
        return {
            "loss_d/real": loss_real,
            "loss_d/fake": loss_fake,
            "loss_d/cls": self.settings.loss.lambda_cls * self.attribute_loss(logits[: len(real.x)], real.c),
        }

    def penalty_loss(self, real: Batch, x_fake: Tensor, e: Tensor) -> Losses:
        """Give the weighted gradient penalty at `e` between real and fake; in full precision, for its square root."""
        weights = self.settings.loss
        x_hat = losses.interpolate(real.x, x_fake, e)
        penalty = losses.gradient_penalty(lambda x: self.D(x)[0], x_hat, weights.gp_reduction)
        return {"loss_d/gp": weights.lambda_gp * penalty}

    def attribute_loss(self, logits: Tensor, c: Tensor) -> Tensor:
        """Give A_c for independent attributes or for one of n_c, as `loss.cls` says."""
        one_of = self.settings.loss.cls == "softmax"
        return losses.attribute_softmax(logits, c) if one_of else losses.attribute_bce(logits, c)

    def segmentor_step(self, real: Batch) -> Losses:
        """Take one step of S on real images; S never trains on fakes."""
        return _with_total(self._step("S", self.segmentor_losses(real)), "loss_s")

    def segmentor_losses(self, real: Batch) -> Losses:
        """Give the segmentor's loss on real images."""
        return {"loss_s/seg": losses.pixel_cross_entropy(self._segment(real.x), real.s_idx)}

    def generator_step(self, x_fake: Tensor, fake_input: GeneratorInput) -> Losses:
        """Take one step of G through D and S, which stay as they are; `x_fake` still has G's graph."""
        weights = self.settings.loss
        self._let_judges_learn(False)
        score, logits = self._criticise(x_fake)
        parts = {
            "loss_g/fake": losses.wasserstein_generator(score),
            "loss_g/cls": weights.lambda_cls * self.attribute_loss(logits, fake_input.c),
        }
        if self.S is not None:
            seg = losses.pixel_cross_entropy(self._segment(x_fake), fake_input.s_idx)
            parts["loss_g/seg"] = weights.lambda_seg * seg
        result = self._step("G", parts)
        self._let_judges_learn(True)
        return _with_total(result, "loss_g")

    def generate(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        """Make images (N, 3, H, W) in [-1, 1] from z (N, n_z), c (N, n_c) and one-hot s (N, n_s, H, W)."""
        with self.compute.autocast():
            images: Tensor = self.G(*(tensor.to(self.compute.dtype) for tensor in (z, c, s)))
        return images.to(self.compute.dtype)

    def _criticise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with self.compute.autocast():
            score, logits = self.D(x)
        return score.to(self.compute.dtype), logits.to(self.compute.dtype)

    def _segment(self, x: Tensor) -> Tensor:
        if self.S is None:
            raise RuntimeError("there is no segmentor")
        with self.compute.autocast():
            logits: Tensor = self.S(x)
        return logits.to(self.compute.dtype)

    def _let_judges_learn(self, learn: bool) -> None:
        for name in self.optimisers:
            if name != "G":
                self.networks[name].requires_grad_(learn)

    def _step(self, name: str, parts: Losses) -> Losses:
        return self._descend(self.networks[name], self.optimisers[name], parts)

    def _descend(self, network: nn.Module, optimiser: torch.optim.Adam, parts: Losses) -> Losses:
        """Step one network down the sum of the parts; give the parts, detached."""
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(parts.values())).sum())
        self.compute.average_gradients(network)
        optimiser.step()
        return {key: part.detach() for key, part in parts.items()}

    def _adam(self, network: nn.Module, rate: float) -> torch.optim.Adam:
        chosen = self.settings.optimiser
        return torch.optim.Adam(network.parameters(), rate, betas=(chosen.beta1, chosen.beta2))


def _with_total(parts: Losses, name: str) -> Losses:
    return parts | {f"{name}/total": torch.stack(list(parts.values())).sum()}


def build_generator(settings: Settings, data: DataDescription) -> nn.Module:
    """Make the untrained generator that the settings name, for the data."""
    chosen, sizes = settings.generator, (data.n_s, data.n_c, data.size)
    if chosen.joining == "all-at-once":
        return AllAtOnceGenerator(*sizes, width=chosen.width, n_z=chosen.n_z)
    if chosen.joining == "reversed-order":
        return ReversedOrderGenerator(*sizes, width=chosen.width, n_z=chosen.n_z)
    return Generator(*sizes, width=chosen.width, n_z=chosen.n_z, tail_norm=chosen.tail_norm)


def build_critic(settings: Settings, data: DataDescription) -> Critic:
    """Make an untrained critic for the data."""
    return Critic(data.n_c, data.size, width=settings.critic.width, leaky_slope=settings.critic.leaky_slope)


def build_segmentor(settings: Settings, data: DataDescription) -> nn.Module:
    """Make the untrained segmentor that the settings name, for the data."""
    chosen = settings.segmentor
    network = ReleaseSegmentor if chosen.architecture == "release" else Segmentor
    return network(data.n_s, width=chosen.width, blocks=chosen.blocks)
