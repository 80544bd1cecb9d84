"""SPADE's networks: norms whose scale and shift come from the layout, and what is built of them."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.nets.norms import BatchNorm2d
from gan.nets.spectral import spectral

LEAK = 0.2
DOUBLINGS = 5  # of the generator, whatever the size (official `normal`)
SEEN = 256  # side of what the encoder reads, whatever the size


class SpadeNorm(nn.Module):
    """Norm a map (N, channels, H, W) over the batch, then scale and shift each place by what lies there.

    The layout (N, n_s, size, size) is taken at the map's size by nearest neighbour.
    """

    def __init__(self, channels: int, n_s: int, hidden: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels, affine=False)
        self.shared = nn.Sequential(nn.Conv2d(n_s, hidden, 3, padding=1), nn.ReLU())
        self.gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        h = self.shared(F.interpolate(s, size=x.shape[2:], mode="nearest"))
        y: Tensor = self.norm(x) * (1 + self.gamma(h)) + self.beta(h)
        return y


class SpadeBlock(nn.Module):
    """Refine a map by a layout: (N, channels_in, H, W), (N, n_s, size, size) -> (N, channels_out, H, W)."""

    def __init__(self, channels_in: int, channels_out: int, n_s: int, hidden: int) -> None:
        super().__init__()
        middle = min(channels_in, channels_out)
        self.norm_0, self.norm_1 = SpadeNorm(channels_in, n_s, hidden), SpadeNorm(middle, n_s, hidden)
        self.conv_0 = spectral(_conv(channels_in, middle, 3, padding=1))
        self.conv_1 = spectral(_conv(middle, channels_out, 3, padding=1))
        self.norm_s = self.conv_s = None
        if channels_in != channels_out:
            self.norm_s = SpadeNorm(channels_in, n_s, hidden)
            self.conv_s = spectral(_conv(channels_in, channels_out, 1, bias=False))

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        h = self.conv_0(F.leaky_relu(self.norm_0(x, s), LEAK))
        h = self.conv_1(F.leaky_relu(self.norm_1(h, s), LEAK))
        y: Tensor = h + (x if self.norm_s is None or self.conv_s is None else self.conv_s(self.norm_s(x, s)))
        return y


class SpadeGenerator(nn.Module):
    """Make pictures (N, 3, size, size) in [-1, 1]: of `z` (N, n_z) and one-hot `s` (N, n_s, size, size), or of s alone.

    It begins at a 32nd of the size, with z, or where n_z is 0 with the layout at that size.
    """

    def __init__(self, n_s: int, size: int, *, width: int = 64, n_z: int = 256) -> None:
        super().__init__()
        w, self.side, self.channels = width, size >> DOUBLINGS, 16 * width
        self.first = nn.Linear(n_z, 16 * w * self.side**2) if n_z else nn.Conv2d(n_s, 16 * w, 3, padding=1)
        channels = (16 * w, 16 * w, 16 * w, 16 * w, 8 * w, 4 * w, 2 * w, w)
        self.blocks = nn.ModuleList(SpadeBlock(a, b, n_s, 2 * w) for a, b in pairwise(channels))
        self.to_image = nn.Conv2d(w, 3, 3, padding=1)
        self.apply(xavier_normal)

    def forward(self, first: Tensor, s: Tensor | None = None) -> Tensor:
        if s is None:
            s = first
            h = self.first(F.interpolate(s, size=(self.side, self.side), mode="nearest"))
        else:
            h = self.first(first).view(-1, self.channels, self.side, self.side)
        for i, block in enumerate(self.blocks):
            if i not in (0, 2):  # the size is doubled before the second block and from the fourth on
                h = F.interpolate(h, scale_factor=2.0, mode="nearest")
            h = block(h, s)
        return torch.tanh(self.to_image(F.leaky_relu(h, LEAK)))


class SpadeEncoder(nn.Module):
    """Guess from photos (N, 3, H, W) mean and logarithm of the variance of their latents, (N, n_z) each.

    Photos are read at 256 x 256, so that all sizes have six halvings.
    """

    def __init__(self, *, width: int = 64, n_z: int = 256) -> None:
        super().__init__()
        w = width
        channels = (3, w, 2 * w, 4 * w, 8 * w, 8 * w, 8 * w)
        self.rows = nn.Sequential(
            *(
                nn.Sequential(
                    spectral(_conv(a, b, 3, stride=2, padding=1, bias=False)),
                    nn.InstanceNorm2d(b),
                    nn.LeakyReLU(LEAK),
                )
                for a, b in pairwise(channels)
            ),
            nn.Flatten(),
        )
        places = (SEEN >> 6) ** 2
        self.mean, self.log_variance = nn.Linear(8 * w * places, n_z), nn.Linear(8 * w * places, n_z)
        self.apply(xavier_normal)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.rows(F.interpolate(x, size=(SEEN, SEEN), mode="bilinear", align_corners=False))
        return self.mean(h), self.log_variance(h)


class SpadeCritic(nn.Module):
    """Score patches at the size of the pictures and at half of it: (N, channels_in, H, W) -> for each its maps.

    The last map of each is the score, unbounded; those before it are what feature matching compares.
    """

    def __init__(self, channels_in: int, *, width: int = 64) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_patch_rows(channels_in, width) for _ in range(2))
        self.apply(xavier_normal)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        found: list[list[Tensor]] = []
        for i, rows in enumerate(self.scales):
            h = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False) if i else x
            maps = []
            for row in rows.children():
                h = row(h)
                maps.append(h)
            found.append(maps)
        return found


def _patch_rows(channels_in: int, w: int) -> nn.ModuleList:
    def normed(a: int, b: int, stride: int) -> nn.Sequential:
        conv = spectral(_conv(a, b, 4, stride=stride, padding=2, bias=False))
        return nn.Sequential(conv, nn.InstanceNorm2d(b), nn.LeakyReLU(LEAK))

    return nn.ModuleList(
        [
            nn.Sequential(nn.Conv2d(channels_in, w, 4, 2, 2), nn.LeakyReLU(LEAK)),
            normed(w, 2 * w, 2),
            normed(2 * w, 4 * w, 2),
            normed(4 * w, 8 * w, 1),
            nn.Conv2d(8 * w, 1, 4, 1, 2),
        ]
    )


def _conv(
    channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, padding: int = 0, bias: bool = True
) -> nn.Conv2d:
    """A convolution for spectral norm, whose first vector has to be of the weight that it begins with."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, bias=bias)
    xavier_normal(conv)
    return conv


def xavier_normal(module: nn.Module) -> None:
    """Xavier normal with gain 0.02 for weights, no shifts: what SPADE begins with. Weights under a norm have theirs."""
    if isinstance(module, nn.Conv2d | nn.Linear) and not nn.utils.parametrize.is_parametrized(module):
        nn.init.xavier_normal_(module.weight, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
