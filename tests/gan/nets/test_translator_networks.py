"""Output shapes of every row of the baselines' networks at 128 x 128, without memory for them."""

from collections.abc import Sequence
from itertools import chain

import pytest
import torch
from torch import Tensor, nn

from gan.nets.norms import BatchNorm2d
from gan.nets.patch_critic import PatchCritic
from gan.nets.resnet_generator import ResnetGenerator
from gan.nets.spade_networks import SpadeEncoder
from gan.nets.unet import UNet, chances
from gan.systems.acwgan import AttributeGenerator


def shapes(rows: Sequence[nn.Module], network: nn.Module, *inputs: Tensor) -> list[tuple[int, ...]]:
    """What comes out of each of a network's rows, without the batch."""
    seen: list[tuple[int, ...]] = []
    for row in rows:
        row.register_forward_hook(lambda module, given, output: seen.append(tuple(output.shape[1:])))
    network(*inputs)
    return seen


@pytest.fixture(autouse=True)
def without_memory() -> "torch.device":
    with torch.device("meta"):
        yield


def test_unet_rows() -> None:
    """`unet_128`: seven halvings to one place, seven doublings, dropout after the second and the third of these."""
    network = UNet(7, 128, norm=BatchNorm2d)
    rows = [*network.down, *network.up, network.to_image]
    assert chances(128, 64) == 512 * 4**2 + 512 * 8**2
    assert network.dropped == [(512, 4, 4), (512, 8, 8)]
    assert [len(row) == 2 and isinstance(row[1], BatchNorm2d) for row in rows] == [
        False, *[True] * 5, False, *[True] * 6, False,
    ]  # fmt: skip
    assert shapes(rows, network, torch.zeros(2, 7, 128, 128), torch.ones(2, chances(128, 64)).bool()) == [
        (64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (512, 4, 4), (512, 2, 2), (512, 1, 1),
        (512, 2, 2), (512, 4, 4), (512, 8, 8), (256, 16, 16), (128, 32, 32), (64, 64, 64), (3, 128, 128),
    ]  # fmt: skip
    assert [row[0].in_channels for row in [*network.up, network.to_image]] == [512, *[1024] * 3, 512, 256, 128]


@pytest.mark.parametrize("size", [128, 256])
def test_patch_critic_rows(size: int) -> None:
    critic = PatchCritic(6, norm=BatchNorm2d, bias=False)
    rows = [row for row in critic.rows if isinstance(row, nn.Conv2d)]
    side = size // 8
    assert shapes(rows, critic, torch.zeros(1, 6, size, size)) == [
        (64, 4 * side, 4 * side), (128, 2 * side, 2 * side), (256, side, side), (512, side - 1, side - 1),
        (1, side - 2, side - 2),
    ]  # fmt: skip


def test_a_patch_is_70_pixels_wide() -> None:
    """From the score back, by kernels and strides."""
    side = 1
    for row in reversed([row for row in PatchCritic(3, norm=BatchNorm2d, bias=False).rows if type(row) is nn.Conv2d]):
        side = (side - 1) * row.stride[0] + row.kernel_size[0]
    assert side == 70


def test_resnet_rows() -> None:
    network = ResnetGenerator(3, 3)
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    rows = [row for row in network.rows if isinstance(row, kinds) or hasattr(row, "main")]
    assert shapes(rows, network, torch.zeros(1, 3, 128, 128)) == [
        (64, 128, 128), (128, 64, 64), *[(256, 32, 32)] * 10, (128, 64, 64), (64, 128, 128), (3, 128, 128),
    ]  # fmt: skip


def test_spade_encoder_rows() -> None:
    """Six halvings of 256 x 256, whatever the size."""
    encoder = SpadeEncoder()
    assert shapes(list(encoder.rows), encoder, torch.zeros(2, 3, 64, 64)) == [
        (64, 128, 128), (128, 64, 64), (256, 32, 32), (512, 16, 16), (512, 8, 8), (512, 4, 4), (8192,),
    ]  # fmt: skip


def test_attribute_generator_rows() -> None:
    network = AttributeGenerator(5, 128)
    rows = list(chain(network.latent, [network.join], network.blocks[:2], [network.to_image]))
    assert shapes(rows, network, torch.zeros(2, 512), torch.zeros(2, 5)) == [
        (16384,), (1024, 4, 4), (1024, 8, 8), (512, 16, 16), *[(256, 32, 32)] * 3, (256, 32, 32), (128, 64, 64),
        (64, 128, 128), (3, 128, 128),
    ]  # fmt: skip
    assert network.join.in_channels == 256 + 5
