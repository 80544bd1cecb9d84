"""SCGAN's networks, optimisers and training round (SCGAN paper, Table 2 and Algorithm 1)."""

import math
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan.computing.compute import Compute
from gan.computing.device import sent
from gan.data.batches import Rows, batches
from gan.data.description import DataDescription
from gan.data.order import BatchOrder
from gan.data.rows import Batch, one_hot
from gan.errors import NotFiniteError
from gan.nets import losses
from gan.nets.blocks import uniform_norm_scale
from gan.nets.critics import Critic
from gan.nets.segmentors import ReleaseSegmentor, Segmentor
from gan.systems.base import Builders, Losses, with_total
from gan.systems.given import Given
from gan.systems.scgan_generators import AllAtOnceGenerator, Generator, ReversedOrderGenerator
from gan.systems.scgan_settings import ScganSettings
from gan.systems.wasserstein import WassersteinSystem


class Draws(NamedTuple):
    """All that an update is computed from, on the device; those of a round are stacked, n_repeat in front of each N.

    Real images `x` (N, 3, H, W), their attributes `c` (N, n_c) and layouts `s_idx` int64 (N, H, W); for fakes, beside
    c, `z` (N, n_z) and permuted `layouts` int64 (N, H, W); the penalty's places `e` (N,) between real and fake.
    """

    x: Tensor
    c: Tensor
    s_idx: Tensor
    z: Tensor
    layouts: Tensor
    e: Tensor


class SCGAN(WassersteinSystem):
    """Generator G, critic D and segmentor S.

    There is no S without a segmentor; a frozen one learns before the first round, in `prepare`.
    """

    Settings = ScganSettings
    title = "SCGAN"
    paper = "Jiang, Liu, Wu, Fu: Spatially Constrained GAN for Face and Fashion Synthesis, arXiv 1905.02320"
    settings: ScganSettings

    def __init__(self, settings: ScganSettings, data: DataDescription, compute: Compute) -> None:
        super().__init__(settings, data, compute)
        if settings.segmentor.training == "frozen":
            self.networks["S"].requires_grad_(False)

    @classmethod
    def build(cls, settings: ScganSettings, data: DataDescription) -> Builders:
        builders: Builders = {
            "G": lambda: build_generator(settings, data),
            "D": lambda: build_critic(settings, data),
            "S": lambda: build_segmentor(settings, data),
        }
        if settings.segmentor.training == "none":
            del builders["S"]
        return builders

    def rates(self) -> dict[str, float]:
        chosen = self.settings.optimiser
        rates = {"G": chosen.lr_g, "D": chosen.lr_d}
        return rates | ({"S": chosen.lr_s} if self.settings.segmentor.training == "joint" else {})

    def betas(self) -> tuple[float, float]:
        return self.settings.optimiser.beta1, self.settings.optimiser.beta2

    def bytes_of_fakes(self) -> int | None:
        schedule, width = self.settings.schedule, self.settings.generator.width
        images = (schedule.n_repeat - 1) * schedule.batch // self.compute.processes
        # At full size a block holds its input, its result and one between the two, each of `width` planes.
        return images * self.settings.data.size**2 * width * 3 * 4

    def preparation(self) -> str | None:
        batches_before = self.settings.segmentor.pretraining
        return f"{batches_before} batches for the segmentor alone" if batches_before else None

    def prepare(self, rows: Rows, on_step: Callable[[int, int], None]) -> bool:
        """Train a frozen segmentor on real rows (SCGAN paper, Figure 8: pre-trained and frozen)."""
        if self.settings.segmentor.training != "frozen":
            return False
        last, segmentor = self.settings.segmentor.pretraining, self.networks["S"]
        self.optimisers["S"] = self.optimiser("S", self.settings.optimiser.lr_s)
        segmentor.requires_grad_(True)
        order = BatchOrder(len(rows), self.settings.schedule.batch, self.settings.seed)
        stream = batches(rows, order, self.settings.data.workers, self.compute.device)
        for done, real in enumerate(islice(stream, last), 1):
            mine = self.compute.share(real.x), self.compute.share(real.s_idx)
            with self.compute.arithmetic():
                found = self.descend("S", self.segmentor_losses(*mine))
            loss = self.compute.mean(found["loss_s/seg"]).item()
            if not math.isfinite(loss):
                raise NotFiniteError(
                    f"loss_s/seg is {loss} at batch {done} of {last} that the segmentor learns from before step 1; "
                    "nothing is kept. Start again with a smaller optimiser.lr_s or look at the data"
                )
            on_step(done, last)
        segmentor.requires_grad_(False)
        del self.optimisers["S"]  # it learns no more, and no checkpoint needs its moments
        return True

    def draw_once(self, whole: Batch, noise: torch.Generator) -> Draws:
        """Draw z, a permutation of the batch's layouts (fixed points allowed) and e; c stays in the order of x.

        Drawn for the whole batch; this process's part is given, on its device (Algorithm 1).
        """
        count = len(whole.x)
        z = torch.randn(count, self.settings.n_z, generator=noise)
        order = torch.randperm(count, generator=noise)
        e = torch.rand(count, generator=noise)
        layouts = whole.layouts[sent(order, whole.layouts.device)]
        return Draws(*map(self.compute.share, (whole.x, whole.c, whole.s_idx, z, layouts, e)))

    def fake(self, now: Draws) -> Tensor:
        """Make the fake batch of what was drawn."""
        return self.make(self.forward("G"), Given(now.z, now.c, one_hot(now.layouts, self.data.n_s)))

    def learn_beside(self, now: Draws) -> Losses:
        return self.segmentor_step(now.x, now.s_idx) if self.settings.segmentor.training == "joint" else {}

    def segmentor_step(self, x: Tensor, s_idx: Tensor) -> Losses:
        """Take one step of S on real images; S never trains on fakes."""
        return with_total(self.descend("S", self.segmentor_losses(x, s_idx)), "loss_s")

    def segmentor_losses(self, x: Tensor, s_idx: Tensor) -> Losses:
        """Give the segmentor's loss on real images."""
        return {"loss_s/seg": losses.pixel_cross_entropy(self._segment(x), s_idx)}

    def further_losses(self, now: Draws, x_fake: Tensor) -> Losses:
        """Hold the fakes to their layouts, as S sees them."""
        if "S" not in self.networks:
            return {}
        seg = losses.pixel_cross_entropy(self._segment(x_fake), now.layouts)
        return {"loss_g/seg": self.settings.loss.lambda_seg * seg}

    def _segment(self, x: Tensor) -> Tensor:
        with self.compute.autocast():
            logits: Tensor = self.forward("S")(self.laid_out(x))
        return logits.to(self.compute.dtype)


def build_generator(settings: ScganSettings, data: DataDescription) -> nn.Module:
    """Make the untrained generator that the settings name, for the data."""
    chosen, sizes = settings.generator, (data.n_s, data.n_c, data.size)
    network: nn.Module
    if chosen.joining == "all-at-once":
        network = AllAtOnceGenerator(*sizes, width=chosen.width, n_z=chosen.n_z)
    elif chosen.joining == "reversed-order":
        network = ReversedOrderGenerator(*sizes, width=chosen.width, n_z=chosen.n_z)
    else:
        network = Generator(*sizes, width=chosen.width, n_z=chosen.n_z, tail_norm=chosen.tail_norm)
    return network.apply(uniform_norm_scale) if chosen.norm_scale == "uniform" else network


def build_critic(settings: ScganSettings, data: DataDescription) -> Critic:
    """Make an untrained critic for the data."""
    return Critic(data.n_c, data.size, width=settings.critic.width, leaky_slope=settings.critic.leaky_slope)


def build_segmentor(settings: ScganSettings, data: DataDescription) -> nn.Module:
    """Make the untrained segmentor that the settings name, for the data."""
    chosen = settings.segmentor
    kind = ReleaseSegmentor if chosen.architecture == "release" else Segmentor
    network = kind(data.n_s, width=chosen.width, blocks=chosen.blocks)
    return network.apply(uniform_norm_scale) if chosen.norm_scale == "uniform" else network
