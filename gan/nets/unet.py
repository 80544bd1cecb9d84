"""The U-Net of Pix2Pix: a layout is halved down to one place and doubled again, joined by what it was at each size."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAK = 0.2  # of the encoder


class UNet(nn.Module):
    """Translate maps (N, channels_in, size, size) into pictures (N, 3, size, size) in [-1, 1] (official `unet_128`).

    `norm` makes a norm with scale and shift for so many channels; neither the outermost rows nor the innermost encoder
    row have one. The innermost decoder rows but one are followed by dropout of one half, as many as the official
    networks have (two at 128), and one at least. What it leaves out is given: `keep` bool (N, chances).
    """

    def __init__(self, channels_in: int, size: int, *, width: int = 64, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        sizes = layer_widths(size, width)
        inner = len(sizes) - 1
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(sizes[i - 1] if i else channels_in, sizes[i], 4, 2, 1, bias=False),
                norm(sizes[i]) if 0 < i < inner else nn.Identity(),
            )
            for i in range(inner + 1)
        )
        # From the innermost outwards; what joins a row doubles its channels.
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(sizes[i] * (1 if i == inner else 2), sizes[i - 1], 4, 2, 1, bias=False),
                norm(sizes[i - 1]),
            )
            for i in range(inner, 0, -1)
        )
        self.to_image = nn.Sequential(nn.ConvTranspose2d(2 * sizes[0], 3, 4, 2, 1), nn.Tanh())
        self.dropped = dropped_maps(size, width)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        rows: list[Tensor] = []
        h = x
        for row in self.down:
            h = row(F.leaky_relu(h, LEAK) if rows else h)
            rows.append(h)
        masks = [part.reshape(-1, *shape) for part, shape in zip(self._parts(keep), self.dropped, strict=True)]
        h = rows.pop()
        for i, row in enumerate(self.up):
            h = row(torch.relu(h))
            if 0 < i <= len(masks):
                h = 2 * h * masks[i - 1].to(h.dtype)
            h = torch.cat([rows.pop(), h], dim=1)
        y: Tensor = self.to_image(torch.relu(h))
        return y

    def _parts(self, keep: Tensor) -> tuple[Tensor, ...]:
        return torch.split(keep, [c * h * w for c, h, w in self.dropped], dim=1)


def layer_widths(size: int, width: int) -> list[int]:
    """Give the channels of the encoder's rows, down to a map of one place."""
    return [width * min(8, 2**i) for i in range(size.bit_length() - 1)]


def dropped_maps(size: int, width: int) -> list[tuple[int, int, int]]:
    """Give the shapes (C, H, W) of the decoder's maps that dropout is on, innermost first."""
    widths = layer_widths(size, width)
    count = max(1, len(widths) - 5)
    return [(widths[i - 1], size >> i, size >> i) for i in range(len(widths) - 2, len(widths) - 2 - count, -1)]


def chances(size: int, width: int) -> int:
    """Count the places of a picture's maps that dropout is on: 40,960 at 128 and the official width."""
    return sum(c * h * w for c, h, w in dropped_maps(size, width))
