"""A segmentor of another family than those that teach generators: a U-Net with skips, to judge by."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.evaluation.judges.classifier import conv_row

WIDTHS = (12, 24, 48, 96)  # channels at full size, a half, a quarter and an eighth


class UNetSegmentor(nn.Module):
    """Name the region of every pixel: (N, 3, H, W) in [-1, 1] -> logits (N, n_s, H, W); H and W are multiples of 8.

    Two 3x3 convolutions with batch norm and ReLU at each size, halved by their maxima on the way down; on the way up
    doubled and joined by what was there at that size (U-Net, Ronneberger et al. 2015, padded and narrower).
    """

    def __init__(self, n_s: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Sequential(*conv_row(a, b), *conv_row(b, b)) for a, b in pairwise((3, *WIDTHS)))
        self.up = nn.ModuleList(
            nn.Sequential(*conv_row(a + b, b), *conv_row(b, b)) for a, b in pairwise(reversed(WIDTHS))
        )
        self.out = nn.Conv2d(WIDTHS[0], n_s, 1)

    def forward(self, x: Tensor) -> Tensor:
        seen: list[Tensor] = []
        for row in self.down:
            x = row(F.max_pool2d(x, 2) if seen else x)
            seen.append(x)
        seen.pop()
        for row in self.up:
            x = row(torch.cat([seen.pop(), F.interpolate(x, scale_factor=2.0)], dim=1))
        logits: Tensor = self.out(x)
        return logits
