"""WGAN-GP and ACWGAN: images from noise, and from noise and attributes (SCGAN paper's baselines; the ACWGAN release).

The release gives networks and values of ACWGAN; WGAN-GP is the same without attributes.
"""

from itertools import pairwise
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from gan.data.description import DataDescription
from gan.data.rows import Batch
from gan.nets.blocks import planes, to_image, xavier
from gan.nets.critics import Critic
from gan.nets.norms import BatchNorm2d
from gan.settings.run_settings import RunSettings
from gan.settings.sections import Section
from gan.systems.base import Builders
from gan.systems.given import Given
from gan.systems.shared_settings import OptimiserSettings
from gan.systems.wasserstein import AttributeLossSettings, WassersteinSettings, WassersteinSystem


class GeneratorSettings(Section):
    width: int = Field(gt=0, le=512, description="channels of the last map; the widest has sixteen times as many")
    n_z: int = Field(gt=0, le=8192, description="length of the latent vector")


class WganSettings(WassersteinSettings):
    """Everything that decides what a run of WGAN-GP computes."""

    system: Literal["wgan-gp"]
    generator: GeneratorSettings
    optimiser: OptimiserSettings

    @property
    def takes(self) -> tuple[str, ...]:
        return ("z",)

    @property
    def n_z(self) -> int:
        return self.generator.n_z


class AcwganSettings(WganSettings):
    """Everything that decides what a run of ACWGAN computes."""

    system: Literal["acwgan"]  # type: ignore[assignment]
    loss: AttributeLossSettings

    @property
    def takes(self) -> tuple[str, ...]:
        return "z", "c"


class PreactivationUp(nn.Module):
    """Double the resolution: (N, channels_in, H, W) -> (N, channels_out, 2H, 2W), norms and ReLUs first."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            BatchNorm2d(channels_in),
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(channels_in, channels_out, 3, padding=1),
            BatchNorm2d(channels_out),
            nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, padding=1),
        )
        # A 1x1 convolution commutes with nearest upsampling; before it, it costs a quarter.
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1), nn.Upsample(scale_factor=2, mode="nearest")
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.main(x) + self.shortcut(x)
        return y


class AttributeGenerator(nn.Module):
    """Make images from latents and attributes (ACWGAN release): `z` (N, n_z), `c` (N, n_c) -> (N, 3, size, size).

    z becomes a map of 4 x 4, which grows to a quarter of the size; there c joins as planes. Batch norms keep what c
    adds: unlike an instance norm they do not see a single image.
    """

    def __init__(self, n_c: int, size: int, *, width: int = 64, n_z: int = 512) -> None:
        super().__init__()
        w = width
        # From 4 x 4 to size / 4, at most sixteen times as wide as the last map: 16w, 16w, 8w, 4w at 128.
        doublings = size.bit_length() - 5
        channels = [min(16, 4 * 2**i) * w for i in reversed(range(doublings + 1))]
        self.latent = nn.Sequential(
            nn.Linear(n_z, channels[0] * 16),
            nn.Unflatten(1, (channels[0], 4, 4)),
            *(PreactivationUp(a, b) for a, b in pairwise(channels)),
            BatchNorm2d(4 * w),
            nn.ReLU(),
        )
        self.join = nn.Conv2d(4 * w + n_c, 4 * w, 3, padding=1)
        self.blocks = nn.Sequential(PreactivationUp(4 * w, 2 * w), PreactivationUp(2 * w, w), BatchNorm2d(w), nn.ReLU())
        self.to_image = to_image(w)
        self.apply(xavier)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        h = self.latent(z)
        joined = h if c is None else torch.cat([h, planes(c, h)], dim=1)
        y: Tensor = self.to_image(self.blocks(self.join(joined)))
        return y


class Draws(NamedTuple):
    """All that an update is computed from, on the device; those of a round are stacked, n_repeat in front of each N.

    Real images `x` (N, 3, H, W), their attributes `c` (N, n_c), which fakes have too; `z` (N, n_z) for the fakes; the
    penalty's places `e` (N,) between real and fake.
    """

    x: Tensor
    c: Tensor
    z: Tensor
    e: Tensor


class WGAN(WassersteinSystem):
    """Generator G and critic D, without attributes."""

    Settings: ClassVar[type[RunSettings]] = WganSettings
    title = "WGAN-GP"
    paper = "Gulrajani et al.: Improved Training of Wasserstein GANs, arXiv 1704.00028; networks of the ACWGAN release"
    settings: WganSettings

    @classmethod
    def build(cls, settings: Any, data: DataDescription) -> Builders:
        n_c = data.n_c if "c" in settings.takes else 0
        chosen, critic = settings.generator, settings.critic
        return {
            "G": lambda: AttributeGenerator(n_c, data.size, width=chosen.width, n_z=chosen.n_z),
            "D": lambda: Critic(n_c, data.size, width=critic.width, leaky_slope=critic.leaky_slope),
        }

    def rates(self) -> dict[str, float]:
        return {"G": self.settings.optimiser.lr_g, "D": self.settings.optimiser.lr_d}

    def betas(self) -> tuple[float, float]:
        return self.settings.optimiser.beta1, self.settings.optimiser.beta2

    def draw_once(self, whole: Batch, noise: torch.Generator) -> Draws:
        """Draw z and e."""
        count = len(whole.x)
        z = torch.randn(count, self.settings.n_z, generator=noise)
        e = torch.rand(count, generator=noise)
        return Draws(*map(self.compute.share, (whole.x, whole.c, z, e)))

    def fake(self, now: Draws) -> Tensor:
        return self.make(self.forward("G"), Given(now.z, now.c))


class ACWGAN(WGAN):
    """Generator G, and a critic D that also guesses attributes."""

    Settings = AcwganSettings
    title = "ACWGAN"
    paper = (
        "Odena, Olah, Shlens: Conditional Image Synthesis with Auxiliary Classifier GANs, arXiv 1610.09585; by WGAN-GP"
    )
