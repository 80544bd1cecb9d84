"""Tensors of images and layouts as pictures that can be looked at."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

import maskkit

Picture = NDArray[np.uint8]


def to_pictures(images: Tensor) -> list[Picture]:
    """Turn images (N, 3, H, W) in [-1, 1] into N uint8 RGB pictures (H, W, 3), rounded."""
    scaled = images.detach().cpu().float().add(1).mul(127.5).round().clamp(0, 255)
    return list(scaled.byte().permute(0, 2, 3, 1).numpy())


def layout_pictures(s_idx: Tensor, scheme: maskkit.RegionScheme) -> list[Picture]:
    """Colour class indices (N, H, W) with the scheme's palette: N pictures (H, W, 3)."""
    return list(maskkit.colorize(s_idx.cpu().byte().numpy(), scheme))
