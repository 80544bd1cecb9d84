"""Algorithm 1 of the SCGAN paper as it is printed, with no saving: what the speed of `gan fit` is measured against.

Eager, float32 without TensorFloat-32, channels first, every convolution as PyTorch does it. D sees real and fake images
apart, its penalty is differentiated twice, the weight gradients of D and S are computed in G's step too, G makes the
last fake batch once more with its graph, its shortcuts convolve what has been upsampled, and Adam goes from weight to
weight. Same results, to rounding.
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from gan.computing.compute import Compute
from gan.data.order import BatchOrder
from gan.data.rows import Batch, RowsAtSize, one_hot
from gan.nets import losses
from gan.nets.blocks import ResidualUp
from gan.nets.critics import Halving
from gan.systems.scgan import SCGAN, Losses


class Literal:
    """Copies of a system's networks as they are now, with Adams of their own."""

    def __init__(self, system: SCGAN) -> None:
        self.settings, self.n_s = system.settings, system.data.n_s
        self.dtype, self.device = system.compute.dtype, system.compute.device
        self.networks = {name: _literally(network) for name, network in system.networks.items()}
        rates, chosen = system.base_rates, system.settings.optimiser
        betas = chosen.beta1, chosen.beta2
        self.optimisers = {
            name: torch.optim.Adam(self.networks[name].parameters(), rate, betas, foreach=False, fused=False)
            for name, rate in rates.items()
        }

    def step(self, name: str, parts: Losses, *, zeroed: bool = False) -> Losses:
        """Take one network a step down the sum of its losses."""
        self.optimisers[name].zero_grad(set_to_none=not zeroed)
        torch.stack(list(parts.values())).sum().backward()
        self.optimisers[name].step()
        return {key: part.detach() for key, part in parts.items()}


def literal_round(literal: Literal, stream: Iterator[Batch], noise: torch.Generator) -> Losses:
    """Do a round with batches and random draws as `SCGAN.train_round` does; give the same losses by name."""
    with Compute(literal.device, "32").arithmetic():
        return _round(literal, stream, noise)


def _round(literal: Literal, stream: Iterator[Batch], noise: torch.Generator) -> Losses:
    settings, weights = literal.settings, literal.settings.loss
    G, D, S = (literal.networks.get(name) for name in "GDS")
    attribute_loss = losses.attribute_softmax if weights.cls == "softmax" else losses.attribute_bce
    rounds = []
    for _ in range(settings.schedule.n_repeat):
        real = next(stream)
        z = torch.randn(len(real.x), settings.generator.n_z, generator=noise).to(literal.device, literal.dtype)
        order = torch.randperm(len(real.x), generator=noise)
        e = torch.rand(len(real.x), generator=noise).to(literal.device, literal.dtype)
        x, c = (tensor.to(literal.device, literal.dtype) for tensor in (real.x, real.c))
        s_idx, permuted = (tensor.to(literal.device) for tensor in (real.s_idx, real.layouts[order]))
        s = one_hot(permuted, literal.n_s).to(literal.dtype).contiguous()
        with torch.no_grad():
            x_fake = G(z, c, s)

        def scores(x: Tensor = x, c: Tensor = c, x_fake: Tensor = x_fake) -> Losses:
            score_real, logits = D(x)
            real, fake = losses.wasserstein_critic(score_real, D(x_fake)[0])
            cls = weights.lambda_cls * attribute_loss(logits, c)
            return {"loss_d/real": real, "loss_d/fake": fake, "loss_d/cls": cls}

        def penalty(x: Tensor = x, x_fake: Tensor = x_fake, e: Tensor = e) -> Losses:
            x_hat = losses.interpolate(x, x_fake, e)
            gp = losses.gradient_penalty(lambda x: D(x)[0], x_hat, weights.gp_reduction)
            return {"loss_d/gp": weights.lambda_gp * gp}

        if settings.critic.updates == "joint":
            found = literal.step("D", scores() | penalty())
        else:
            found = literal.step("D", scores())
            found |= literal.step("D", penalty(), zeroed=settings.critic.updates == "separate-zeroed")
        if "S" in literal.optimisers:
            found |= literal.step("S", {"loss_s/seg": losses.pixel_cross_entropy(S(x), s_idx)})
        rounds.append(found)

    x_fake = G(z, c, s)
    score, logits = D(x_fake)
    parts = {
        "loss_g/fake": losses.wasserstein_generator(score),
        "loss_g/cls": weights.lambda_cls * attribute_loss(logits, c),
    }
    if S is not None:
        parts["loss_g/seg"] = weights.lambda_seg * losses.pixel_cross_entropy(S(x_fake), permuted)
    mean = {name: torch.stack([found[name] for found in rounds]).mean() for name in rounds[0]}
    return mean | literal.step("G", parts)


def literal_batches(rows: RowsAtSize, order: BatchOrder) -> Iterator[Batch]:
    """Give the batches of an order without augmentation, read item by item in the training process."""
    # A list of row numbers for each batch, as `batch_sampler` wants it.
    numbers = (numbered.rows for numbered in order)
    return iter(DataLoader(_Items(rows), batch_sampler=numbers, collate_fn=_collated))  # type: ignore[arg-type]


class _Items(Dataset[Batch]):
    def __init__(self, rows: RowsAtSize) -> None:
        self.rows = rows

    def __getitem__(self, row: int) -> Batch:
        return self.rows.read([row])


def _collated(items: list[Batch]) -> Batch:
    return Batch(*(torch.cat(parts) for parts in zip(*items, strict=True)))


def _literally(network: nn.Module) -> nn.Module:
    network = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    for block in network.modules():
        if isinstance(block, ResidualUp):
            block.shortcut = nn.Sequential(*reversed(block.shortcut))
        elif isinstance(block, Halving):
            block.small = False
    return network
