"""Losses against numbers worked out by hand, closed forms and finite differences."""

import math

import pytest
import torch
from torch import Tensor, nn

from gan.nets import losses
from gan.nets.critics import Critic


def test_wasserstein_signs() -> None:
    real, fake = torch.tensor([[1.0, 3.0]]), torch.tensor([[5.0, 9.0]])
    minus_real, plus_fake = losses.wasserstein_critic(real, fake)
    assert (minus_real.item(), plus_fake.item()) == (-2.0, 7.0)
    assert losses.wasserstein_generator(fake).item() == -7.0


def test_scores_held_to_be_real_or_fake() -> None:
    """By hand for scores 0 and log 3 (probabilities 1/2 and 3/4), and for scores on both sides of a margin."""
    score = torch.tensor([[0.0, math.log(3)]])
    assert losses.bce_score(score, real=True).item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    assert losses.bce_score(score, real=False).item() == pytest.approx((math.log(2) + math.log(4)) / 2)
    score = torch.tensor([[-2.0, 0.5, 3.0]])
    assert losses.square_score(score, real=True).item() == pytest.approx((9 + 0.25 + 4) / 3)
    assert losses.square_score(score, real=False).item() == pytest.approx((4 + 0.25 + 9) / 3)
    assert losses.hinge_score(score, real=True).item() == pytest.approx((3 + 0.5 + 0) / 3)
    assert losses.hinge_score(score, real=False).item() == pytest.approx((0 + 1.5 + 4) / 3)


def test_feature_matching_sums_maps_and_averages_scales() -> None:
    real = [[torch.ones(1, 2), torch.zeros(3), torch.zeros(1)], [torch.ones(2), torch.ones(1), torch.ones(1)]]
    fake = [[torch.zeros(1, 2), torch.full((3,), 2.0), torch.ones(9)], [torch.ones(2), torch.zeros(1), torch.zeros(9)]]
    for scale in (*real, *fake):
        for maps in scale:
            maps.requires_grad_()
    found = losses.feature_matching(real, fake)
    assert found.item() == ((1 + 2) + (0 + 1)) / 2  # not the scores, which come last
    found.backward()
    assert real[0][0].grad is None and fake[0][0].grad is not None


def test_divergence_of_normals() -> None:
    """Against torch's own, summed over batch and dimensions."""
    mean, log_variance = torch.randn(3, 4), torch.randn(3, 4)
    normals = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(normals, torch.distributions.Normal(0.0, 1.0)).sum()
    torch.testing.assert_close(losses.kl_to_standard_normal(mean, log_variance), expected)


def test_interpolation_takes_one_weight_for_each_sample() -> None:
    mixed = losses.interpolate(torch.ones(2, 3, 2, 2), torch.zeros(2, 3, 2, 2), torch.tensor([0.25, 1.0]))
    assert torch.equal(mixed[0], torch.full((3, 2, 2), 0.25)) and torch.equal(mixed[1], torch.ones(3, 2, 2))


def test_attribute_loss_sums_over_attributes_and_averages_over_the_batch() -> None:
    logits = torch.tensor([[0.0, math.log(3)], [math.log(3), 0.0]])  # probabilities 1/2 and 3/4
    c = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    by_hand = ((math.log(2) + math.log(4 / 3)) + (math.log(4) + math.log(2))) / 2
    assert losses.attribute_bce(logits, c).item() == pytest.approx(by_hand)
    assert losses.attribute_bce(torch.zeros(2, 0), torch.zeros(2, 0)).item() == 0


def test_pixel_loss_is_the_mean_over_pixels() -> None:
    logits = torch.zeros(1, 3, 1, 2)
    logits[0, 1, 0, 1] = math.log(2)  # probabilities 1/4, 1/2, 1/4 in the second pixel
    truth = torch.tensor([[[0, 1]]])
    assert losses.pixel_cross_entropy(logits, truth).item() == pytest.approx((math.log(3) + math.log(2)) / 2)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_penalty_of_a_linear_critic(reduction: losses.Reduction) -> None:
    torch.manual_seed(0)
    w = torch.randn(4, 12, dtype=torch.float64)  # a map of four scores, each linear in the image
    x = torch.randn(5, 3, 2, 2, dtype=torch.float64)
    slope = w.sum(0) if reduction == "sum" else w.mean(0)
    found = losses.gradient_penalty(lambda x: (x.flatten(1) @ w.T).view(-1, 1, 2, 2), x, reduction)
    assert found.item() == pytest.approx((slope.norm().item() - 1) ** 2, rel=1e-6)


def test_penalty_of_a_flat_critic_can_be_differentiated() -> None:
    w = torch.zeros(12, requires_grad=True)
    losses.gradient_penalty(lambda x: (x.flatten(1) @ w).view(-1, 1, 1, 1), torch.randn(2, 3, 2, 2)).backward()
    assert w.grad is not None and w.grad.isfinite().all()


def test_penalty_gradient_against_finite_differences() -> None:
    torch.manual_seed(1)
    critic = nn.Sequential(
        nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3, padding=1, bias=False)
    ).double()
    x = torch.randn(3, 3, 4, 4, dtype=torch.float64)

    def penalty() -> Tensor:
        return losses.gradient_penalty(critic, x)

    penalty().backward()
    step = 1e-6
    for weight in (critic[0].weight, critic[2].weight):
        for place in torch.randperm(weight.numel())[:12].tolist():
            flat = weight.data.view(-1)
            at, values = flat[place].item(), []
            for moved in (at + step, at - step):
                flat[place] = moved
                values.append(penalty().item())
            flat[place] = at
            expected = (values[0] - values[1]) / (2 * step)
            assert weight.grad.view(-1)[place].item() == pytest.approx(expected, rel=1e-5, abs=1e-8)


def penalty_and_gradients(critic: Critic, penalty: Tensor) -> tuple[Tensor, list[Tensor | None]]:
    """Where a weight takes no part, its gradient is None, and Adam leaves it alone."""
    return penalty.detach(), list(torch.autograd.grad(penalty, list(critic.parameters()), allow_unused=True))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("compiled", [False, True])
def test_slope_chain_equals_differentiating_twice(reduction: losses.Reduction, compiled: bool) -> None:
    """Penalty and every weight's gradient, in float64 and by what torch.compile makes of it (pytorch#91469)."""
    torch.manual_seed(2)
    torch.compiler.reset()
    critic = Critic(3, 32, width=4, leaky_slope=0.2).double()
    assert [row[0].small for row in critic.trunk] == [False, False, True, True]  # both kinds of layers
    for parameter in critic.parameters():
        parameter.data.mul_(3)
    x = torch.rand(3, 3, 32, 32, dtype=torch.float64) * 2 - 1
    slope = torch.compile(critic.slope, backend="aot_eager") if compiled else critic.slope
    twice = losses.gradient_penalty(lambda x: critic(x)[0], x, reduction)
    expected, expected_gradients = penalty_and_gradients(critic, twice)
    found, gradients = penalty_and_gradients(critic, losses.slope_penalty(slope(x, reduction)))
    assert expected > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)
    for (name, _), ours, theirs in zip(critic.named_parameters(), gradients, expected_gradients, strict=True):
        assert (ours is None) == (theirs is None), name
        if theirs is not None:
            assert theirs.abs().max() > 1e-6 or name.endswith("bias"), name
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12, msg=name)
