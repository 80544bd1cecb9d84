"""Shapes and sizes against the SCGAN paper's Table 2, and what its norms do to the attributes."""

import pytest
import torch
from torch import Tensor, nn

from gan.nets.blocks import ResidualUp
from gan.nets.critics import Critic, Halving
from gan.nets.segmentors import ReleaseSegmentor, Segmentor
from gan.systems.scgan_generators import AllAtOnceGenerator, Generator, ReversedOrderGenerator


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def output_shapes(network: nn.Module, names: list[str], *inputs: Tensor) -> list[tuple[int, ...]]:
    seen: dict[str, tuple[int, ...]] = {}
    for name in names:
        network.get_submodule(name).register_forward_hook(
            lambda module, given, output, name=name: seen.__setitem__(name, tuple(output.shape[1:]))
        )
    with torch.no_grad():
        network(*inputs)
    return [seen[name] for name in names]


def test_parameter_counts() -> None:
    assert parameters(Generator(7, 5, 128)) == 12_681_795
    assert parameters(Generator(7, 17, 128)) == 12_697_155
    assert parameters(Critic(5, 128)) == 44_762_048
    assert parameters(Critic(17, 128)) == 44_860_352
    assert parameters(Segmentor(7)) == 1_482_279
    assert parameters(AllAtOnceGenerator(7, 5, 128)) == 12_893_379
    assert parameters(ReleaseSegmentor(7)) == 6_066_048


def test_generator_rows() -> None:
    names = ["encoder.0", "encoder.1", "encoder.2", "encoder.3", "latent", "block6", "block7", "block9", "block10",
             "norm10", "row11"]  # fmt: skip
    shapes = output_shapes(
        Generator(7, 5, 128), names, torch.randn(1, 512), torch.ones(1, 5), torch.ones(1, 7, 128, 128)
    )
    assert shapes == [
        (64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (64, 8, 8), (512, 16, 16), (256, 32, 32),
        (128, 64, 64), (64, 128, 128), (64, 128, 128), (3, 128, 128),
    ]  # fmt: skip


def test_generator_joins_z_at_row_5_and_c_at_row_8() -> None:
    generator = Generator(7, 5, 128)
    assert generator.block6.main[0].in_channels == 576
    assert generator.block9.main[0].in_channels == 256 + 5


def test_reversed_order_rows() -> None:
    """z grows from 1024 x 4 x 4 to 32 x 32, where s and c join it; parameters counted by hand from those shapes."""
    generator = ReversedOrderGenerator(7, 5, 128)
    names = ["latent.1", "latent.2", "latent.3", "latent.4", "layout", "join", "blocks", "to_image"]
    inputs = torch.randn(1, 512), torch.ones(1, 5), torch.ones(1, 7, 128, 128)
    assert output_shapes(generator, names, *inputs) == [
        (1024, 4, 4), (1024, 8, 8), (512, 16, 16), (256, 32, 32), (128, 32, 32), (256, 32, 32), (64, 128, 128),
        (3, 128, 128),
    ]  # fmt: skip
    up = {(a, b): 9 * a * b + b + 9 * b * b + b + a * b + b + 4 * b for a, b in
          ((1024, 1024), (1024, 512), (512, 256), (256, 128), (128, 64))}  # fmt: skip
    rest = 513 * 16384 + 2 * 256 + (16 * 7 * 64 + 64 + 128) + (16 * 64 * 128 + 128 + 256)
    rest += 9 * (256 + 5 + 128) * 256 + 256 + 2 * 64 + 9 * 64 * 3 + 3
    assert parameters(generator) == sum(up.values()) + rest


def test_release_segmentor_rows() -> None:
    names = ["stem", "down.0", "down.1", *(f"blocks.{i}" for i in range(4)), "up.0", "up.1", "out"]
    assert output_shapes(ReleaseSegmentor(7), names, torch.zeros(1, 3, 128, 128)) == [
        (64, 128, 128), (128, 64, 64), *[(256, 32, 32)] * 5, (128, 64, 64), (64, 128, 128), (7, 128, 128),
    ]  # fmt: skip


def test_critic_rows() -> None:
    names = [*(f"trunk.{i}" for i in range(6)), "score", "attributes"]
    assert output_shapes(Critic(5, 128), names, torch.zeros(1, 3, 128, 128)) == [
        (64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4), (2048, 2, 2), (1, 2, 2), (5, 1, 1),
    ]  # fmt: skip


def test_segmentor_rows() -> None:
    names = ["down.0", "down.1", *(f"blocks.{i}" for i in range(4)), "up.0", "up.1", "out"]
    assert output_shapes(Segmentor(7), names, torch.zeros(1, 3, 128, 128)) == [
        (64, 64, 64), *[(128, 32, 32)] * 5, (64, 64, 64), (32, 128, 128), (7, 128, 128),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [32, 64, 256])
@pytest.mark.parametrize("n_c", [0, 3])
def test_other_sizes_and_attribute_counts(size: int, n_c: int) -> None:
    generator = Generator(4, n_c, size, width=4, n_z=6, tail_norm="every")
    images = generator(torch.randn(2, 6), torch.ones(2, n_c), torch.rand(2, 4, size, size))
    score, logits = Critic(n_c, size, width=2)(images)
    assert images.shape == (2, 3, size, size) and images.abs().max() <= 1
    assert score.shape == (2, 1, 2, 2) and logits.shape == (2, n_c)


@pytest.mark.parametrize("kind", [AllAtOnceGenerator, ReversedOrderGenerator])
@pytest.mark.parametrize("size", [32, 64])
def test_other_generators_take_what_the_first_takes(kind: type[nn.Module], size: int) -> None:
    """And all three inputs reach the picture."""
    torch.manual_seed(0)
    generator = kind(4, 3, size, width=4, n_z=6)
    z, c, s = torch.randn(2, 6), torch.ones(2, 3), torch.rand(2, 4, size, size)
    images = generator(z, c, s)
    assert images.shape == (2, 3, size, size) and images.abs().max() <= 1
    for other in ((z + 1, c, s), (z, 1 - c, s), (z, c, s.flip(2))):
        assert (generator(*other) - images).abs().mean() > 1e-3


def test_shortcut_equals_the_order_of_the_paper() -> None:
    """The release upsamples first and convolves then; a 1x1 convolution gives the same either way."""
    block = ResidualUp(6, 4)
    x = torch.randn(2, 6, 5, 5)
    conv, upsample = block.shortcut
    torch.testing.assert_close(block.shortcut(x), conv(upsample(x)), rtol=0, atol=1e-6)


def test_halving_by_patches_equals_the_convolution() -> None:
    """Forth and back, and the gradients; with weights that lie channels last too."""
    patches, plain = Halving(3, 5, small=True).double(), Halving(3, 5, small=False).double()
    plain.load_state_dict(patches.state_dict())
    patches.to(memory_format=torch.channels_last)
    x, slope = torch.randn(2, 3, 8, 6, dtype=torch.float64), torch.randn(2, 5, 4, 3, dtype=torch.float64)
    for given, work in ((x, Halving.forward), (slope, Halving.back)):
        found, expected = work(patches, given), work(plain, given)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
        ours, theirs = (
            torch.autograd.grad(result.square().sum(), layer.weight)
            for result, layer in ((found, patches), (expected, plain))
        )
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_attributes_reach_the_inner_region() -> None:
    """Norms in the wrong place erase c: the spread of the inner 64 x 64 pixels shows it (0.037-0.042 when right)."""
    changes = []
    with torch.no_grad():
        for seed in range(4):
            torch.manual_seed(seed)
            generator = Generator(7, 5, 128)
            z = torch.randn(1, 512)
            s = torch.nn.functional.one_hot(torch.randint(7, (1, 16, 16)), 7).permute(0, 3, 1, 2).float()
            s = s.repeat_interleave(8, 2).repeat_interleave(8, 3)
            a, b = (generator(z, torch.tensor([c]), s) for c in ([1.0, 0, 0, 1, 1], [0.0, 1, 0, 0, 1]))
            changes.append((a - b).abs()[..., 32:96, 32:96].mean().item())
    assert sum(changes) / len(changes) > 0.01
