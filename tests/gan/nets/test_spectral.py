"""Spectral norm against torch's own and against singular values."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gan.nets.spectral import spectral


def test_in_training_as_torch_does_step_by_step() -> None:
    """Outputs, gradients and vectors, while the weights move."""
    torch.manual_seed(0)
    ours, theirs = spectral(nn.Conv2d(3, 5, 3).double()), spectral_norm(nn.Conv2d(3, 5, 3).double())
    with torch.no_grad():
        for a, b in zip(theirs.parameters(), ours.parameters(), strict=True):
            a.copy_(b)
    theirs.parametrizations.weight[0]._v.copy_(ours.parametrizations.weight[0].v)
    for _ in range(4):
        x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
        for layer in (ours, theirs):
            layer.zero_grad()
            layer(x).square().sum().backward()
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-10, atol=1e-12)
            with torch.no_grad():
                for parameter in (a, b):
                    parameter.sub_(0.1 * b.grad)
        torch.testing.assert_close(ours.parametrizations.weight[0].v, theirs.parametrizations.weight[0]._v)


def test_the_largest_singular_value_becomes_one() -> None:
    torch.manual_seed(0)
    layer = spectral(nn.Linear(7, 5))
    for _ in range(200):
        layer.weight  # noqa: B018  # each use is an iteration
    original = layer.parametrizations.weight.original
    torch.testing.assert_close(layer.weight, original / torch.linalg.svdvals(original)[0], rtol=1e-5, atol=1e-6)


def test_iterations_are_kept_in_training_alone_and_only_the_vector_s_direction_counts() -> None:
    """An average of unit vectors is shorter than they are."""
    torch.manual_seed(0)
    layer = spectral(nn.Linear(7, 5)).eval()
    norm = layer.parametrizations.weight[0]
    before, weight = norm.v.clone(), layer.weight
    assert torch.equal(norm.v, before)
    norm.v.mul_(0.25)
    torch.testing.assert_close(layer.weight, weight)
    layer.train()
    layer.weight  # noqa: B018
    assert not torch.equal(norm.v, before / 4) and set(layer.state_dict()) == {
        "bias", "parametrizations.weight.original", "parametrizations.weight.0.v",
    }  # fmt: skip
