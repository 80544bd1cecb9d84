"""SCGAN's generators: that of the paper's Table 2 (contradictions resolved as noted) and its alternatives."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from gan.nets.blocks import ResidualUp, encoder, encoder_row, norm_relu, planes, to_image, xavier

TailNorm = Literal["last", "every"]


class Generator(nn.Module):
    """Make images from latents, attributes and layouts, joined step by step (SCGAN paper, Table 2, G).

    `z` (N, n_z), `c` (N, n_c), `s` one-hot (N, n_s, size, size), all float -> (N, 3, size, size) in [-1, 1].
    `n_c` may be 0. `tail_norm` says where "IN, ReLU" stands after blocks: "last" (before row 11 only, as in the
    release) or "every" block (Table 2 read literally; it keeps about two thirds of the effect of c).
    """

    def __init__(
        self, n_s: int, n_c: int, size: int, *, width: int = 64, n_z: int = 512, tail_norm: TailNorm = "last"
    ) -> None:
        super().__init__()
        w, plane = width, size // 16
        self.encoder = encoder(n_s, w)  # rows 1-4
        # Row b1: Table 2 prints FC-8192, but its two shapes agree on `width` planes of size/16 squared. The norm is
        # taken over each plane, since over a single value it would be zero.
        self.latent = nn.Sequential(
            nn.Linear(n_z, w * plane**2),
            nn.Unflatten(1, (w, plane, plane)),
            nn.InstanceNorm2d(w, affine=True),
            nn.ReLU(),
        )
        self.block6 = ResidualUp(9 * w, 8 * w)
        self.block7 = ResidualUp(8 * w, 4 * w)
        self.block9 = ResidualUp(4 * w + n_c, 2 * w)
        self.block10 = ResidualUp(2 * w, w)
        every = tail_norm == "every"
        self.norm6 = norm_relu(8 * w) if every else nn.Identity()
        self.norm7 = norm_relu(4 * w) if every else nn.Identity()
        self.norm9 = norm_relu(2 * w) if every else nn.Identity()
        self.norm10 = norm_relu(w)
        self.row11 = to_image(w)
        self.apply(xavier)

    def forward(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        h = torch.cat([self.encoder(s), self.latent(z)], dim=1)
        h = self.norm7(self.block7(self.norm6(self.block6(h))))
        h = self.norm9(self.block9(torch.cat([h, planes(c, h)], dim=1)))
        y: Tensor = self.row11(self.norm10(self.block10(h)))
        return y


class AllAtOnceGenerator(nn.Module):
    """Make images as `Generator` does, with z and c repeated over the encoded layout and joined to it at one place.

    The class that the SCGAN release trains, and the "alternative G" of the SCGAN slides. Inputs and output as those of
    `Generator`.
    """

    def __init__(self, n_s: int, n_c: int, size: int, *, width: int = 64, n_z: int = 512) -> None:
        super().__init__()
        w = width
        self.encoder = encoder(n_s, w)
        self.blocks = nn.Sequential(
            ResidualUp(8 * w + n_z + n_c, 8 * w),
            ResidualUp(8 * w, 4 * w),
            ResidualUp(4 * w, 2 * w),
            ResidualUp(2 * w, w),
            norm_relu(w),
        )
        self.to_image = to_image(w)
        self.apply(xavier)

    def forward(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        h = self.encoder(s)
        y: Tensor = self.to_image(self.blocks(torch.cat([h, planes(z, h), planes(c, h)], dim=1)))
        return y


class ReversedOrderGenerator(nn.Module):
    """Make images as `Generator` does, but from z first, with s and c joined at a quarter of the size.

    The alternative of the SCGAN paper's Figure 9, built from an unused class of the release. Inputs and output as those
    of `Generator`.
    """

    def __init__(self, n_s: int, n_c: int, size: int, *, width: int = 64, n_z: int = 512) -> None:
        super().__init__()
        w = width
        # At 32 pixels the map of z would begin as one pixel, which no instance norm can take: one block less there.
        blocks = [16 * w, 16 * w, 8 * w, 4 * w] if size > 32 else [16 * w, 8 * w, 4 * w]
        plane = (size // 4) >> (len(blocks) - 1)
        self.latent = nn.Sequential(
            nn.Linear(n_z, 16 * w * plane**2),
            nn.Unflatten(1, (16 * w, plane, plane)),
            *(ResidualUp(a, b) for a, b in pairwise(blocks)),
            norm_relu(4 * w),
        )
        self.layout = nn.Sequential(encoder_row(n_s, w), encoder_row(w, 2 * w))
        self.join = nn.Conv2d(4 * w + n_c + 2 * w, 4 * w, 3, padding=1)
        self.blocks = nn.Sequential(ResidualUp(4 * w, 2 * w), ResidualUp(2 * w, w), norm_relu(w))
        self.to_image = to_image(w)
        self.apply(xavier)

    def forward(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        h = self.latent(z)
        h = self.join(torch.cat([h, planes(c, h), self.layout(s)], dim=1))
        y: Tensor = self.to_image(self.blocks(h))
        return y
