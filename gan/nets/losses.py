"""Losses as pure functions of tensors; weights are applied by the caller."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Reduction = Literal["sum", "mean"]
PENALTY_EPS = 1e-12  # keeps the slope of the square root finite where a critic is flat


def wasserstein_critic(score_real: Tensor, score_fake: Tensor) -> tuple[Tensor, Tensor]:
    """Give the critic's two terms, minus the mean real score and the mean fake score; their sum is minimised."""
    return -score_real.mean(), score_fake.mean()


def wasserstein_generator(score_fake: Tensor) -> Tensor:
    """Give minus the mean fake score (Algorithm 1, line 28; some print it with the wrong sign)."""
    return -score_fake.mean()


def bce_score(score: Tensor, real: bool) -> Tensor:
    """Average the binary cross-entropy of scores, as logits, held to be of real or of fake images (Pix2Pix)."""
    return F.softplus(-score if real else score).mean()


def square_score(score: Tensor, real: bool) -> Tensor:
    """Average the squared distance of scores to 1 for real and 0 for fake images (LSGAN; CycleGAN)."""
    return (score - float(real)).square().mean()


def hinge_score(score: Tensor, real: bool) -> Tensor:
    """Average how far scores are from at least 1 for real and at most -1 for fake images: a critic's loss (SPADE)."""
    return F.relu(1 - score if real else 1 + score).mean()


def feature_matching(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """Sum the mean absolute differences of a critic's maps but the last, the score; average over its scales (SPADE)."""
    apart = [
        (a.detach() - b).abs().mean()
        for of_real, of_fake in zip(real, fake, strict=True)
        for a, b in zip(of_real[:-1], of_fake[:-1], strict=True)
    ]
    return torch.stack(apart).sum() / len(real)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Sum over batch and dimensions how normals (N, n_z) diverge from standard ones: (mu^2 + var - log var - 1) / 2."""
    return (mean.square() + log_variance.exp() - log_variance - 1).sum() / 2


def interpolate(x_real: Tensor, x_fake: Tensor, e: Tensor) -> Tensor:
    """Mix e*x_real + (1-e)*x_fake with one e in [0, 1] for each sample: (N, ...), (N, ...), (N,) -> (N, ...)."""
    weight = e.view(-1, *[1] * (x_real.dim() - 1))
    return weight * x_real + (1 - weight) * x_fake


def slope_penalty(slope: Tensor) -> Tensor:
    """Penalise slopes (N, ...), a critic's gradients at images, whose norm is not 1: mean_i (||slope_i|| - 1)^2."""
    norm = (slope.flatten(1).square().sum(1) + PENALTY_EPS).sqrt()
    return (norm - 1).square().mean()


def gradient_penalty(score: Callable[[Tensor], Tensor], x_hat: Tensor, reduction: Reduction = "sum") -> Tensor:
    """Give the penalty of any critic's slope at `x_hat` (N, ...), which autograd finds and can differentiate again.

    `score` gives a map (N, 1, h, w). With "sum" (SCGAN release, StarGAN) the map's sum is differentiated, with "mean"
    its mean; the Wasserstein terms use the mean, so "sum" holds the mean critic near slope 1 / (h*w).
    Six times the work of a forward with its own backward; `Critic.slope` needs four.
    """
    x_hat = x_hat.detach().requires_grad_()
    score_map = score(x_hat).flatten(1)
    scores = score_map.sum(1) if reduction == "sum" else score_map.mean(1)
    (slope,) = torch.autograd.grad(scores.sum(), x_hat, create_graph=True)
    return slope_penalty(slope)


def attribute_bce(logits: Tensor, c: Tensor) -> Tensor:
    """Sum the binary cross-entropy over attributes and average it over the batch: (N, n_c), (N, n_c) -> scalar.

    0 where there are no attributes. The paper prints only the positive half, which all-ones would minimise.
    """
    return F.binary_cross_entropy_with_logits(logits, c, reduction="sum") / len(c)


def attribute_softmax(logits: Tensor, c: Tensor) -> Tensor:
    """Average the softmax cross-entropy over the batch, for one class of n_c: (N, n_c), one-hot (N, n_c) -> scalar.

    DeepFashion's colours (ACWGAN release).
    """
    return F.cross_entropy(logits, c.argmax(1))


def pixel_cross_entropy(logits: Tensor, s_idx: Tensor) -> Tensor:
    """Average the softmax cross-entropy over pixels and batch: (N, n_s, H, W), int64 (N, H, W) -> scalar.

    The paper's formula sums over pixels; only the mean agrees with the share it reports for this loss.
    """
    return F.cross_entropy(logits, s_idx)
