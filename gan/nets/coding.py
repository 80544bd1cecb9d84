"""How translators read layouts: as pictures in the scheme's colours, or as a plane for each class."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

Coding = Literal["rgb", "one-hot"]


class LayoutCoding(nn.Module):
    """Turn one-hot layouts (N, n_s, H, W) into what a translator reads: (N, channels, H, W) in [-1, 1].

    "rgb" gives pictures in the `palette`, uint8 (n_s, 3), as the official translators read layouts from files;
    "one-hot" a plane for each class. The colours are a buffer: nothing is learned, and an exported file holds them.
    """

    colors: Tensor

    def __init__(self, coding: Coding, palette: NDArray[np.uint8]) -> None:
        super().__init__()
        # A class is coded as its column: its colour, or 1 in its plane and -1 in the others.
        values = torch.tensor(palette.T / 127.5 - 1) if coding == "rgb" else 2 * torch.eye(len(palette)) - 1
        self.register_buffer("colors", values.float()[:, :, None, None])
        self.channels = len(values)

    def forward(self, s: Tensor) -> Tensor:
        return F.conv2d(s, self.colors)

    def decode(self, coded: Tensor) -> Tensor:
        """Give the class (N, H, W) int64 whose code is nearest at each place of (N, channels, H, W)."""
        # |a - b|^2 without |a|^2, which is the same for all classes.
        codes = self.colors.transpose(0, 1)
        return (codes.square().sum(1).flatten()[:, None, None] - 2 * F.conv2d(coded, codes)).argmin(1)
