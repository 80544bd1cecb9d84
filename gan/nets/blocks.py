"""Blocks that networks of several systems are made of."""

from itertools import pairwise

import torch
from torch import Tensor, nn


class ResidualUp(nn.Module):
    """Double the resolution: (N, channels_in, H, W) -> (N, channels_out, 2H, 2W); RESBLKUP of the paper's Figure 3.

    The norms stand inside the block, as in the SCGAN release: attributes enter as constant planes, and an instance
    norm right behind them would erase them.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, padding=1),
            nn.InstanceNorm2d(channels_out, affine=True),
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(channels_out, channels_out, 3, padding=1),
            nn.InstanceNorm2d(channels_out, affine=True),
        )
        # A 1x1 convolution commutes with nearest upsampling; before it, it costs a quarter.
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1), nn.Upsample(scale_factor=2, mode="nearest")
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.main(x) + self.shortcut(x))


class Residual(nn.Module):
    """Refine a map at its resolution, (N, channels, H, W) -> the same shape; nothing follows the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.main(x)
        return y


def planes(vector: Tensor, h: Tensor) -> Tensor:
    """Repeat (N, C) over the places of a map (N, _, H, W): (N, C, H, W)."""
    return vector[:, :, None, None].expand(-1, -1, *h.shape[2:])


def encoder(n_s: int, w: int) -> nn.Sequential:
    """Four rows that halve a layout (N, n_s, H, W) to (N, 8w, H / 16, W / 16)."""
    return nn.Sequential(*(encoder_row(a, b) for a, b in pairwise((n_s, w, 2 * w, 4 * w, 8 * w))))


def encoder_row(channels_in: int, channels_out: int) -> nn.Sequential:
    """Halve a map by a 4 x 4 convolution, then IN, ReLU."""
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 4, 2, 1), *norm_relu(channels_out))


def norm_relu(channels: int) -> nn.Sequential:
    """IN with scale and shift, ReLU."""
    return nn.Sequential(nn.InstanceNorm2d(channels, affine=True), nn.ReLU())


def to_image(channels: int) -> nn.Sequential:
    """Make of a map (N, channels, H, W) an image (N, 3, H, W) in [-1, 1]."""
    return nn.Sequential(nn.Conv2d(channels, 3, 3, padding=1), nn.Tanh())


def xavier(module: nn.Module) -> None:
    """Xavier uniform for weights, PyTorch's own biases: the SCGAN release's choice for G (D and S keep defaults)."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)


def uniform_norm_scale(module: nn.Module) -> None:
    """U(0, 1) for the scales of instance norms: PyTorch's choice up to 1.0, with which the SCGAN release trained."""
    if isinstance(module, nn.InstanceNorm2d):
        nn.init.uniform_(module.weight)


def gaussian(module: nn.Module) -> None:
    """N(0, 0.02) for weights, N(1, 0.02) for scales of batch norms, no shifts: what Pix2Pix and CycleGAN begin with."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d) or (isinstance(module, nn.InstanceNorm2d) and module.affine):
        nn.init.normal_(module.weight, 1, 0.02)
        nn.init.zeros_(module.bias)
