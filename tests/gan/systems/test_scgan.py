"""The training round: who learns from what, and in which direction."""

from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import maskkit
from gan.computing.compute import Compute
from gan.data.description import DataDescription
from gan.data.order import BatchOrder
from gan.data.rows import Batch, RowsAtSize, one_hot
from gan.nets.segmentors import ReleaseSegmentor
from gan.runs.presets import load_preset
from gan.systems.scgan import SCGAN
from gan.systems.scgan_generators import AllAtOnceGenerator, ReversedOrderGenerator
from tests.gan.conftest import SMALL

CPU = torch.device("cpu")


DATA = DataDescription(32, maskkit.load_scheme("scgan"), ("a", "b", "c"), 100)


def build(*overrides: str) -> SCGAN:
    return SCGAN(load_preset("tiny", [*SMALL, *overrides]), DATA, Compute(CPU))


@pytest.fixture
def system() -> SCGAN:
    return build()


def make_batches(count: int) -> list[Batch]:
    """Batches whose attributes and layouts are all different."""
    noise = torch.Generator().manual_seed(5)
    codes = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    made = []
    for _ in range(count):
        x, s_idx = torch.rand(4, 3, 32, 32, generator=noise) * 2 - 1, torch.randint(7, (4, 32, 32), generator=noise)
        made.append(Batch(x, codes, s_idx, s_idx))
    return made


def weights(network: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten().clone() for p in network.parameters()])


def changed(system: SCGAN, before: dict[str, Tensor]) -> set[str]:
    return {name for name, network in system.networks.items() if not torch.equal(before[name], weights(network))}


def noise() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_each_step_changes_its_own_network_only(system: SCGAN) -> None:
    real = make_batches(1)[0]
    now = system.draw_once(real, noise())
    x_fake = system.fake(now)
    steps = {
        "D": lambda: system.critic_step(now, x_fake.detach()),
        "S": lambda: system.segmentor_step(now.x, now.s_idx),
        "G": lambda: system.generator_step(now, x_fake),
    }
    for name, step in steps.items():
        before = {key: weights(network) for key, network in system.networks.items()}
        step()
        assert changed(system, before) == {name}


def test_every_weight_of_every_network_learns(system: SCGAN) -> None:
    before = {name: [p.clone() for p in network.parameters()] for name, network in system.networks.items()}
    system.train_round(cycle(make_batches(2)), noise())
    for name, network in system.networks.items():
        for (key, now), then in zip(network.named_parameters(), before[name], strict=True):
            assert not torch.equal(now, then), f"{name}.{key} has not moved"


def test_segmentor_does_not_depend_on_the_others(system: SCGAN) -> None:
    alone = build()
    real = make_batches(6)
    stream, draws = iter(real), noise()
    for _ in range(3):
        system.train_round(stream, draws)
    for batch in real:
        alone.segmentor_step(batch.x, batch.s_idx)
    assert torch.equal(weights(system.networks["S"]), weights(alone.networks["S"]))


def test_layouts_are_permuted_and_attributes_stay_with_their_images(system: SCGAN) -> None:
    real = make_batches(2)
    seen: list[tuple[Tensor, ...]] = []
    system.networks["G"].register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    draws = noise()
    system.train_round(iter(real), draws)
    assert len(seen) == 2  # the fifth fake batch (here the second) serves the generator's step as well
    assert any(not torch.equal(s.argmax(1), batch.s_idx) for (_, _, s), batch in zip(seen, real, strict=True))
    for (z, c, s), batch in zip(seen, real, strict=True):
        assert torch.equal(c, batch.c) and z.shape == (4, 8)
        matches = (s.argmax(1)[:, None] == batch.s_idx[None]).flatten(2).all(2)
        assert torch.equal(matches.sum(0), torch.ones(4).long()), "each layout of the batch is used once"


class MeanPixel(nn.Module):
    """D(x) = w * mean pixel, w = 1 at first."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return (self.w * x.mean((1, 2, 3))).view(-1, 1, 1, 1), x.new_zeros(len(x), 3)

    def slope(self, x: Tensor, reduction: str) -> Tensor:
        return (self.w / x[0].numel()).expand_as(x)


def test_signs(system: SCGAN) -> None:
    """A critic step raises the real score and lowers the fake one; a generator step raises the fake score."""
    real = make_batches(1)[0]._replace(x=torch.ones(4, 3, 32, 32))
    system.networks["D"] = critic = MeanPixel()  # type: ignore[assignment]
    system.optimisers["D"] = torch.optim.SGD(critic.parameters(), 0.01)  # type: ignore[assignment]
    quiet = {"loss": system.settings.loss.model_copy(update={"lambda_gp": 0.0, "lambda_seg": 0.0, "lambda_cls": 0.0})}
    system.settings = system.settings.model_copy(update=quiet)
    x_fake = -torch.ones(4, 3, 32, 32)
    now = system.draw_once(real, noise())
    system.critic_step(now, x_fake)
    assert critic(real.x)[0].mean() > 1 and critic(x_fake)[0].mean() < -1

    before = critic(system.fake(now))[0].mean()
    system.generator_step(now, system.fake(now))
    assert critic(system.fake(now))[0].mean() > before


def test_generator_learns_from_all_three_terms(system: SCGAN) -> None:
    """The gradient at the fake images is that of -D_d + lambda_cls * A_c + lambda_seg * A_s, written out."""
    now = system.draw_once(make_batches(1)[0], noise())
    x_fake = torch.rand(4, 3, 32, 32, generator=noise(), requires_grad=True)
    score, logits = system.networks["D"](x_fake)
    p = torch.sigmoid(logits)
    a_c = -(now.c * p.log() + (1 - now.c) * (1 - p).log()).sum() / 4
    a_s = -(system.networks["S"](x_fake).log_softmax(1) * one_hot(now.layouts, 7)).sum() / (4 * 32 * 32)
    (expected,) = torch.autograd.grad(-score.mean() + 2 * a_c + 10 * a_s, x_fake)
    system.generator_step(now, x_fake)
    torch.testing.assert_close(x_fake.grad, expected, rtol=1e-4, atol=1e-8)


def test_a_round_that_failed_in_its_last_step_can_be_done_again(system: SCGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a CUDA graph cannot be captured: the judges learn again."""

    def refuse(now: object, x_fake: object) -> None:
        raise RuntimeError("not permitted while capturing")

    made: Iterator[Batch] = cycle(make_batches(2))
    with monkeypatch.context() as patch:
        patch.setattr(system, "generator_losses", refuse)
        with pytest.raises(RuntimeError, match="capturing"):
            system.train_round(made, noise())
    before = {name: weights(network) for name, network in system.networks.items()}
    system.train_round(made, noise())
    assert changed(system, before) == {"G", "D", "S"}


def test_components_add_up_and_bear_their_weights(system: SCGAN) -> None:
    made: Iterator[Batch] = cycle(make_batches(2))
    found = {name: value.item() for name, value in system.train_round(made, noise()).items()}
    assert set(found) == {
        "loss_d/real", "loss_d/fake", "loss_d/gp", "loss_d/cls", "loss_d/total", "loss_s/seg", "loss_s/total",
        "loss_g/fake", "loss_g/cls", "loss_g/seg", "loss_g/total",
    }  # fmt: skip
    for total in ("loss_d", "loss_s", "loss_g"):
        parts = sum(value for name, value in found.items() if name.startswith(total) and not name.endswith("total"))
        assert found[f"{total}/total"] == pytest.approx(parts, rel=1e-5)
    assert found["loss_g/seg"] > 5 * found["loss_s/seg"]  # lambda_seg is 10


def test_layouts_for_the_generator_come_from_the_fresh_ones(system: SCGAN) -> None:
    real = make_batches(1)[0]
    fresh = real._replace(layouts=torch.full_like(real.layouts, 3))
    now = system.draw_once(fresh, noise())
    assert (now.layouts == 3).all() and torch.equal(now.s_idx, real.s_idx)


def test_without_a_segmentor_nothing_of_it_is_left() -> None:
    system = build("segmentor.training=none")
    assert set(system.networks) == set(system.optimisers) == set(system.base_rates) == {"G", "D"}
    found = system.train_round(cycle(make_batches(2)), noise())
    assert not any("seg" in name or "loss_s" in name for name in found)


def test_a_frozen_segmentor_learns_before_the_rounds_and_not_in_them(drawn_shards: Path) -> None:
    """It equals a joint one that has met the same batches (its learning depends on the real data alone)."""
    system = build("segmentor.training=frozen", "segmentor.pretraining=5")
    rows, seen = RowsAtSize(drawn_shards, "train", 32), []
    untrained = weights(system.networks["S"])
    assert system.prepare(rows, lambda done, last: seen.append((done, last)))
    assert seen == [(i, 5) for i in range(1, 6)] and set(system.optimisers) == {"G", "D"}
    pretrained = weights(system.networks["S"])
    found = system.train_round(cycle(make_batches(2)), noise())
    assert torch.equal(weights(system.networks["S"]), pretrained) and not torch.equal(untrained, pretrained)
    assert found["loss_g/seg"] > 0 and "loss_s/seg" not in found
    assert not any(p.requires_grad for p in system.networks["S"].parameters())
    joint = build()
    assert not joint.prepare(rows, lambda done, last: None)
    for number in islice(BatchOrder(len(rows), 4, 0), 5):
        real = rows.read(number.rows)
        joint.segmentor_step(real.x, real.s_idx)
    assert torch.equal(weights(joint.networks["S"]), pretrained)


def test_separate_updates_take_the_penalty_where_the_first_has_led() -> None:
    """The logged penalty is of the critic after its first step, and Adam counts two steps (SCGAN release)."""
    joint, separate = build(), build("critic.updates=separate")
    now = joint.draw_once(make_batches(1)[0], noise())
    x_fake = torch.zeros(4, 3, 32, 32)
    found = {name: one.critic_step(now, x_fake) for name, one in (("j", joint), ("s", separate))}
    assert found["j"]["loss_d/real"] == found["s"]["loss_d/real"]
    assert found["j"]["loss_d/gp"] != found["s"]["loss_d/gp"]
    steps = {
        name: int(next(iter(one.optimisers["D"].state.values()))["step"])
        for name, one in (("j", joint), ("s", separate))
    }
    assert steps == {"j": 1, "s": 2}
    again = build("critic.updates=separate")
    again.descend("D", again.score_losses(now, x_fake))
    assert torch.equal(again.penalty_loss(now, x_fake)["loss_d/gp"], found["s"]["loss_d/gp"])


def test_one_of_n_attributes_is_held_to_the_softmax() -> None:
    system = build("loss.cls=softmax")
    c = torch.eye(3)[[0, 2, 1, 1]]
    logits = torch.randn(4, 3, generator=noise())
    by_hand = system.settings.loss.lambda_cls * -(logits.softmax(1).log() * c).sum() / 4
    torch.testing.assert_close(system.attribute_losses("cls", logits, c)["cls"], by_hand)


def test_settings_choose_the_networks() -> None:
    assert isinstance(build("generator.joining=all-at-once").networks["G"], AllAtOnceGenerator)
    assert isinstance(build("generator.joining=reversed-order").networks["G"], ReversedOrderGenerator)
    assert isinstance(build("segmentor.architecture=release").networks["S"], ReleaseSegmentor)


def test_half_precision_keeps_losses_and_weights_whole() -> None:
    exact, half = build(), build()
    half.compute = Compute(CPU, "bf16")
    a, b = (one.train_round(cycle(make_batches(2)), noise()) for one in (exact, half))
    for name, value in b.items():
        assert value.dtype == torch.float32 and value == pytest.approx(a[name].item(), rel=0.1, abs=0.05), name
        assert name == "loss_d/gp" or value != a[name], name
    assert {p.dtype for network in half.networks.values() for p in network.parameters()} == {torch.float32}
