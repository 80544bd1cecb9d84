"""What judges learn to look past: other light, contrast, sharpness and noise in the photos that teach them.

As in gan/data/augmentation.py, all chance is NumPy on the host; what is done to pixels is torch on the device.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

LIGHT = 0.2  # added or taken, of the range 2
CONTRAST = 1.4  # times or divided by, about the picture's mean
BLUR = 1 / 64  # sigma, of the picture's size
NOISE = 0.1  # standard deviation, of the range 2

Numbers = NDArray[np.float32]


class Disturbance(NamedTuple):
    """What becomes of N pictures, float32: `light` and `contrast` (N,), `blur` (N, taps), `noise` (N, 3, H, W).

    `blur` holds the weights of a kernel along one side, which add up to 1.
    """

    light: Numbers
    contrast: Numbers
    blur: Numbers
    noise: Numbers


def draw_disturbance(count: int, size: int, rng: np.random.Generator) -> Disturbance:
    """Draw each of the four for about half of the pictures, of a strength between none and the most."""

    def strengths(least: float, most: float) -> NDArray[np.float64]:
        return np.where(rng.random(count) < 0.5, rng.uniform(least, most, count), 0.0)

    light, contrast = strengths(-LIGHT, LIGHT), np.exp(strengths(-math.log(CONTRAST), math.log(CONTRAST)))
    reach = math.ceil(3 * BLUR * size)
    sigma = np.maximum(strengths(0, BLUR * size), 0.01)  # which leaves a picture as it is
    blur = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma[:, None]) ** 2)
    noise = rng.standard_normal((count, 3, size, size), dtype=np.float32)
    noise *= strengths(0, NOISE).astype(np.float32)[:, None, None, None]
    return Disturbance(
        light.astype(np.float32),
        contrast.astype(np.float32),
        (blur / blur.sum(axis=1, keepdims=True)).astype(np.float32),
        noise,
    )


def disturb(x: Tensor, by: Disturbance) -> Tensor:
    """Alter pictures float32 (N, 3, H, W) in [-1, 1] as light, lens and sensor would, in that order; the same shape."""
    light, contrast, blur, noise = (torch.from_numpy(numbers).to(x.device) for numbers in by)
    mean = x.mean((1, 2, 3), keepdim=True)
    lit = mean + (x - mean) * contrast[:, None, None, None] + light[:, None, None, None]
    return (_blurred(lit, blur) + noise).clamp(-1, 1)


def _blurred(x: Tensor, kernels: Tensor) -> Tensor:
    """Smooth each picture by its own kernel, along rows and columns; pixels beyond the rim are those of the rim."""
    count, channels, height, width = x.shape
    reach = kernels.shape[1] // 2
    of_maps = kernels.repeat_interleave(channels, 0)[:, None]
    y = F.pad(x, (reach,) * 4, mode="replicate").view(1, count * channels, height + 2 * reach, width + 2 * reach)
    y = F.conv2d(y, of_maps[:, :, None, :], groups=count * channels)
    return F.conv2d(y, of_maps[:, :, :, None], groups=count * channels).view(x.shape)
