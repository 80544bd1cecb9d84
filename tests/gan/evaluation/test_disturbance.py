"""What disturbs the photos that teach judges: against its definition, and drawn alike everywhere."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from gan.evaluation.judges.disturbance import (
    BLUR,
    CONTRAST,
    LIGHT,
    NOISE,
    Disturbance,
    disturb,
    draw_disturbance,
)

SIZE = 64


@pytest.fixture
def x() -> torch.Tensor:
    """Three pictures that no disturbance drives out of the range."""
    return torch.rand(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 0.8 - 0.4


def nothing(count: int) -> Disturbance:
    """What leaves pictures as they are."""
    kernel = np.zeros((count, 7), np.float32)
    kernel[:, 3] = 1
    return Disturbance(
        np.zeros(count, np.float32), np.ones(count, np.float32), kernel, np.zeros((count, 3, SIZE, SIZE), np.float32)
    )


def test_each_does_what_its_name_says(x: torch.Tensor) -> None:
    assert torch.allclose(disturb(x, nothing(3)), x, atol=1e-6)
    light, contrast = np.float32([0.2, 0, -0.1]), np.float32([1, 1.4, 0.5])
    lit = disturb(x, nothing(3)._replace(light=light, contrast=contrast))
    means = x.mean((1, 2, 3), keepdim=True)
    assert torch.allclose(lit[0], x[0] + 0.2, atol=1e-6)
    assert torch.allclose(lit[1], means[1] + 1.4 * (x[1] - means[1]), atol=1e-6)
    assert lit[2].std().item() == pytest.approx(x[2].std().item() / 2, rel=1e-4)
    assert lit[2].mean().item() == pytest.approx(x[2].mean().item() - 0.1, abs=1e-5)
    noise = np.random.default_rng(0).normal(0, 3, (3, 3, SIZE, SIZE)).astype(np.float32)
    noisy = disturb(x, nothing(3)._replace(noise=noise))
    assert torch.allclose(noisy, (x + torch.from_numpy(noise)).clamp(-1, 1), atol=1e-6)


def test_blur_is_gaussian_and_each_pictures_own(x: torch.Tensor) -> None:
    drawn = draw_disturbance(16, SIZE, np.random.default_rng(0))
    sharp = drawn.blur.max(axis=1) > 0.999
    assert 0 < sharp.sum() < 16 and np.allclose(drawn.blur.sum(axis=1), 1, atol=1e-6)
    two = [int(np.argmax(sharp)), int(np.argmin(drawn.blur.max(axis=1)))]
    seen = disturb(x[:2], nothing(2)._replace(blur=drawn.blur[two]))
    assert torch.allclose(seen[0], x[0], atol=1e-6)
    kernel = drawn.blur[two[1]]
    middle = len(kernel) // 2
    sigma = np.sqrt(-0.5 / np.log(kernel[middle + 1] / kernel[middle]))
    expected = gaussian_filter(x[1].numpy(), (0, sigma, sigma), mode="nearest", radius=middle)
    assert 0 < sigma <= BLUR * SIZE and np.abs(seen[1].numpy() - expected).max() < 1e-5


def test_strengths_and_shares() -> None:
    drawn = draw_disturbance(400, 4, np.random.default_rng(1))
    noise = drawn.noise.std(axis=(1, 2, 3))
    for strength, most in ((np.abs(drawn.light), LIGHT), (np.abs(np.log(drawn.contrast)), np.log(CONTRAST))):
        assert (strength <= most + 1e-6).all() and strength.max() > 0.95 * most
        assert 0.4 < (strength == 0).mean() < 0.6
    assert 0.4 < (noise == 0).mean() < 0.6 and 0.8 * NOISE < noise.max() < 1.4 * NOISE
    again = draw_disturbance(400, 4, np.random.default_rng(1))
    assert all(np.array_equal(a, b) for a, b in zip(drawn, again, strict=True))
