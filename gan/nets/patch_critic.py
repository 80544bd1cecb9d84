"""The PatchGAN critic, which scores overlapping patches of 70 x 70 pixels and not the picture."""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn

LEAK = 0.2


class PatchCritic(nn.Module):
    """Score patches (Pix2Pix, CycleGAN): (N, channels_in, H, W) -> (N, 1, H / 8 - 2, W / 8 - 2), unbounded.

    `norm` makes a norm for so many channels; the convolutions before one have a bias where it has no shift of its own.
    """

    def __init__(self, channels_in: int, *, width: int = 64, norm: Callable[[int], nn.Module], bias: bool) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 8 * width)
        rows: list[nn.Module] = [nn.Conv2d(channels_in, width, 4, 2, 1), nn.LeakyReLU(LEAK)]
        for i, (a, b) in enumerate(pairwise(widths)):
            rows += [nn.Conv2d(a, b, 4, 1 if i == 2 else 2, 1, bias=bias), norm(b), nn.LeakyReLU(LEAK)]
        self.rows = nn.Sequential(*rows, nn.Conv2d(8 * width, 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.rows(x)
        return score
