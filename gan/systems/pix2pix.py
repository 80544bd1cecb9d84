"""Pix2Pix: layouts to photos from pairs, by a critic of patches and the mean absolute difference.

Networks and values are those of the official PyTorch code at 128 x 128.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from gan.data.description import DataDescription
from gan.data.rows import Batch, one_hot
from gan.nets import losses
from gan.nets.blocks import gaussian
from gan.nets.coding import Coding, LayoutCoding
from gan.nets.norms import BatchNorm2d
from gan.nets.patch_critic import PatchCritic
from gan.nets.unet import UNet, chances
from gan.settings.run_settings import RunSettings
from gan.settings.sections import Section
from gan.systems.base import Builders, Losses, System, with_total
from gan.systems.given import Given
from gan.systems.shared_settings import OptimiserSettings, PairedSettings


class GeneratorSettings(Section):
    width: int = Field(gt=0, le=512, description="channels of the first row; the widest have eight times as many")
    layouts: Coding = Field(description="read as pictures in the scheme's colours, or as a plane for each class")
    norm: Literal["batch", "instance"] = Field(
        description="instance: what batch norm is where a batch is one picture, in training and, officially, after it"
    )


class CriticSettings(Section):
    width: int = Field(gt=0, le=512, description="channels of the first row")


class LossSettings(Section):
    lambda_l1: float = Field(ge=0)


class Pix2PixSettings(PairedSettings):
    """Everything that decides what a run of Pix2Pix computes."""

    system: Literal["pix2pix"]
    generator: GeneratorSettings
    critic: CriticSettings
    loss: LossSettings
    optimiser: OptimiserSettings

    @property
    def takes(self) -> tuple[str, ...]:
        return "z", "s"

    @property
    def n_z(self) -> int:
        return chances(self.data.size, self.generator.width)


class LayoutTranslator(nn.Module):
    """Make pictures of one-hot layouts, the chance of dropout drawn outside: `z` (N, n_z), `s` (N, n_s, size, size).

    Pix2Pix has no other noise than dropout, which stays on when it generates. The signs of standard normal z are its
    masks, so that a picture is a function of z and s on every device and in an exported file.
    """

    def __init__(self, coding: LayoutCoding, network: UNet) -> None:
        super().__init__()
        self.coding, self.network = coding, network
        self.apply(gaussian)

    def forward(self, z: Tensor, s: Tensor) -> Tensor:
        y: Tensor = self.network(self.coding(s), z > 0)
        return y


class Draws(NamedTuple):
    """All that a round is computed from, on the device.

    Photos `x` (N, 3, H, W), their layouts `s_idx` int64 (N, H, W), and `z` (N, n_z) for dropout.
    """

    x: Tensor
    s_idx: Tensor
    z: Tensor


class Pix2Pix(System):
    """Generator G and critic D, which sees a layout and a photo together."""

    Settings: ClassVar[type[RunSettings]] = Pix2PixSettings
    title = "Pix2Pix"
    paper = (
        "Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional Adversarial Networks, arXiv 1611.07004"
    )
    settings: Pix2PixSettings

    @classmethod
    def build(cls, settings: Any, data: DataDescription) -> Builders:
        chosen = settings.generator
        coding = partial(LayoutCoding, chosen.layouts, data.scheme.palette)

        def generator() -> nn.Module:
            norm = BatchNorm2d if chosen.norm == "batch" else partial(nn.InstanceNorm2d, affine=True)
            code = coding()
            return LayoutTranslator(code, UNet(code.channels, data.size, width=chosen.width, norm=norm))

        def critic() -> nn.Module:
            channels = coding().channels + 3
            return PatchCritic(channels, width=settings.critic.width, norm=BatchNorm2d, bias=False).apply(gaussian)

        return {"G": generator, "D": critic}

    def rates(self) -> dict[str, float]:
        return {"G": self.settings.optimiser.lr_g, "D": self.settings.optimiser.lr_d}

    def betas(self) -> tuple[float, float]:
        return self.settings.optimiser.beta1, self.settings.optimiser.beta2

    def draw(self, stream: Iterator[Batch], noise: torch.Generator) -> Draws:
        """Take a batch of pairs and draw what dropout leaves out."""
        batch = next(stream)
        z = torch.randn(len(batch.x), self.settings.n_z, generator=noise)
        return Draws(*map(self.compute.share, (batch.x, batch.s_idx, z)))

    def learn(self, draws: Draws) -> Losses:
        """Take one step of D, then one of G."""
        s = one_hot(draws.s_idx, self.data.n_s).to(self.compute.dtype)
        layouts = self.networks["G"].get_submodule("coding")(s)
        x_fake = self.make(self.forward("G"), Given(z=draws.z, s=s))
        return self.critic_step(layouts, draws.x, x_fake.detach()) | self.generator_step(layouts, draws.x, x_fake)

    def critic_step(self, layouts: Tensor, x: Tensor, x_fake: Tensor) -> Losses:
        """Take one step of D, whose loss is halved against that of G."""
        # One after the other: a batch norm would mix real and fake.
        parts = {
            "loss_d/real": losses.bce_score(self.criticise(layouts, x), real=True) / 2,
            "loss_d/fake": losses.bce_score(self.criticise(layouts, x_fake), real=False) / 2,
        }
        return with_total(self.descend("D", parts), "loss_d")

    def generator_step(self, layouts: Tensor, x: Tensor, x_fake: Tensor) -> Losses:
        """Take one step of G through D, which stays as it is; `x_fake` still has G's graph."""
        with self.resting("D"):
            parts = {
                "loss_g/gan": losses.bce_score(self.criticise(layouts, x_fake), real=True),
                "loss_g/l1": self.settings.loss.lambda_l1 * (x_fake - x).abs().mean(),
            }
            return with_total(self.descend("G", parts), "loss_g")

    def criticise(self, layouts: Tensor, x: Tensor) -> Tensor:
        """Give D's scores of photos with their layouts."""
        with self.compute.autocast():
            score: Tensor = self.forward("D")(self.laid_out(torch.cat([layouts, x], dim=1)))
        return score.to(self.compute.dtype)
