"""Spectral norm: weights divided by their largest singular value (Miyato et al. 2018)."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)
FIRST_ITERATIONS = 15  # as torch's own


class SpectralNorm(nn.Module):
    """Divide a weight (out, ...) by its largest singular value, followed by one power iteration for each use.

    In training as `torch.nn.utils.parametrizations.spectral_norm`, whose two vectors have to be of unit length and of
    one weight. Here only the direction of one is kept, and in evaluation what an iteration finds is used and not kept:
    so averaged weights, whose vector is an average of directions and shorter, are divided by a value of their own.
    """

    v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("v", torch.randn_like(matrix[0]))
        for _ in range(FIRST_ITERATIONS):
            self.v = _iterate(matrix, self.v)[1]

    def forward(self, weight: Tensor) -> Tensor:
        matrix = weight.flatten(1)
        u, v = _iterate(matrix.detach(), self.v)
        if self.training:
            self.v.copy_(v)
        return weight / torch.dot(u, matrix @ v)


def _iterate(matrix: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Come nearer to the first left and right singular vectors."""
    u = F.normalize(matrix @ v, dim=0)
    return u, F.normalize(matrix.T @ u, dim=0)


def spectral(layer: Layer) -> Layer:
    """Let a layer compute with its weight under spectral norm."""
    parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    return layer
