"""Ways between latents against closed forms."""

import math

import pytest
import torch

from gan.errors import InputError
from gan.pictures.latents import interpolate_latents


def angle(a: torch.Tensor, b: torch.Tensor) -> float:
    return math.acos(min(1.0, float(a @ b / a.norm() / b.norm())))


def test_linear_is_the_straight_line_with_exact_ends() -> None:
    a, b = torch.randn(2, 128, generator=torch.Generator().manual_seed(0))
    way = interpolate_latents(a, b, 5)
    assert torch.equal(way[0], a) and torch.equal(way[-1], b) and way.dtype == torch.float32
    assert torch.allclose(way[1], 0.75 * a + 0.25 * b)
    assert torch.equal(interpolate_latents(a, b, 1)[0], a)


def test_spherical_turns_at_constant_speed_and_keeps_the_norm() -> None:
    a, b = torch.tensor([3.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 3.0])
    t = torch.linspace(0, math.pi / 2, 7)
    arc = torch.stack([3 * torch.cos(t), torch.zeros(7), 3 * torch.sin(t)], dim=1)
    assert torch.allclose(interpolate_latents(a, b, 7, "spherical"), arc, atol=1e-6)

    a, b = torch.randn(2, 64, generator=torch.Generator().manual_seed(1))
    b = 2 * b
    way = interpolate_latents(a, b, 9, "spherical")
    whole = angle(a.double(), b.double())
    for i, z in enumerate(way.double()):
        assert float(z.norm()) == pytest.approx(float((1 - i / 8) * a.norm() + i / 8 * b.norm()), rel=1e-5)
        assert angle(a.double(), z) == pytest.approx(whole * i / 8, abs=1e-3 if i == 0 else 1e-5)
    assert torch.allclose(way[0], a) and torch.allclose(way[-1], b)


def test_latents_without_an_arc() -> None:
    a = torch.tensor([1.0, 2.0])
    for b in (a, 3 * a, torch.zeros(2)):
        assert torch.allclose(interpolate_latents(a, b, 3, "spherical"), torch.stack([a, (a + b) / 2, b]))
    nearly = a + torch.tensor([1e-7, 0.0])
    assert torch.allclose(interpolate_latents(a, nearly, 3, "spherical")[1], a)
    with pytest.raises(InputError, match="opposite directions"):
        interpolate_latents(a, -2 * a, 3, "spherical")
