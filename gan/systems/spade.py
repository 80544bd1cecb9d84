"""SPADE: layouts to photos from pairs, by norms that the layout scales and shifts.

Networks and values are those of the official code for pictures of up to 128 x 128, with its image encoder.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from gan.computing.compute import Compute
from gan.data.description import DataDescription
from gan.data.rows import Batch, one_hot
from gan.errors import CheckpointError
from gan.nets import losses, vgg
from gan.nets.spade_networks import SpadeCritic, SpadeEncoder, SpadeGenerator
from gan.settings.run_settings import RunSettings
from gan.settings.sections import Section
from gan.systems.base import Builders, Losses, System, with_total
from gan.systems.given import Given
from gan.systems.shared_settings import OptimiserSettings, PairedSettings

log = logging.getLogger(__name__)


class GeneratorSettings(Section):
    width: int = Field(gt=0, le=512, description="channels of the last map; the widest has sixteen times as many")
    n_z: int = Field(ge=0, le=8192, description="length of the latent vector; 0 makes pictures of layouts alone")


class CriticSettings(Section):
    width: int = Field(gt=0, le=512, description="channels of the first row")


class LossSettings(Section):
    lambda_features: float = Field(ge=0, description="of the critic's maps")
    lambda_kl: float = Field(ge=0, description="of the encoder's latents, summed over the batch")
    lambda_vgg: float = Field(ge=0, description="of VGG19's maps; without vgg_weights it has no effect")
    vgg_weights: str = Field(default="", description="file with torchvision's state dict of vgg19; empty: none")


class SpadeSettings(PairedSettings):
    """Everything that decides what a run of SPADE computes."""

    system: Literal["spade"]
    generator: GeneratorSettings
    critic: CriticSettings
    loss: LossSettings
    optimiser: OptimiserSettings

    @model_validator(mode="after")
    def _norms_see_more_than_one_value(self) -> Self:
        if self.schedule.batch == 1 and self.data.size == 32:
            raise ValueError(
                "schedule.batch = 1 with data.size = 32 leaves batch norm one value of each channel of the first map, "
                "1 x 1; take a larger batch or size"
            )
        return self

    @property
    def takes(self) -> tuple[str, ...]:
        return ("z", "s") if self.n_z else ("s",)

    @property
    def n_z(self) -> int:
        return self.generator.n_z


class Draws(NamedTuple):
    """All that a round is computed from, on the device.

    Photos `x` (N, 3, H, W), their layouts `s_idx` int64 (N, H, W), and for the latents of the fakes that the generator
    and the critic learn from `e_g` and `e_d` (N, n_z), standard normal.
    """

    x: Tensor
    s_idx: Tensor
    e_g: Tensor
    e_d: Tensor


class SPADE(System):
    """Generator G, critic D of two scales, and encoder E, which finds the latents of photos in training.

    There is no E where the generator takes no latents.
    """

    Settings: ClassVar[type[RunSettings]] = SpadeSettings
    title = "SPADE"
    paper = "Park, Liu, Wang, Zhu: Semantic Image Synthesis with Spatially-Adaptive Normalization, arXiv 1903.07291"
    settings: SpadeSettings

    def __init__(self, settings: SpadeSettings, data: DataDescription, compute: Compute) -> None:
        super().__init__(settings, data, compute)
        self.vgg, self.vgg_sha256 = None, torch.zeros(32, dtype=torch.uint8)
        if settings.loss.lambda_vgg and settings.loss.vgg_weights:
            network, self.vgg_sha256 = vgg.load_vgg19(Path(settings.loss.vgg_weights))
            self.vgg = network.to(compute.device, compute.dtype)
        elif (without := self.preparation()) and compute.first:
            log.warning("%s", without)

    @classmethod
    def build(cls, settings: Any, data: DataDescription) -> Builders:
        chosen, critic = settings.generator, settings.critic
        builders: Builders = {
            "G": lambda: SpadeGenerator(data.n_s, data.size, width=chosen.width, n_z=chosen.n_z),
            "D": lambda: SpadeCritic(data.n_s + 3, width=critic.width),
        }
        if chosen.n_z:
            builders["E"] = lambda: SpadeEncoder(width=chosen.width, n_z=chosen.n_z)
        return builders

    def rates(self) -> dict[str, float]:
        chosen = self.settings.optimiser
        rates = {"G": chosen.lr_g, "D": chosen.lr_d}
        return rates | ({"E": chosen.lr_g} if self.settings.n_z else {})

    def betas(self) -> tuple[float, float]:
        return self.settings.optimiser.beta1, self.settings.optimiser.beta2

    def preparation(self) -> str | None:
        chosen = self.settings.loss
        if chosen.vgg_weights or not chosen.lambda_vgg:
            return None
        return (
            f"loss.lambda_vgg = {chosen.lambda_vgg:g} has no effect: no weights of VGG19 are named, so SPADE trains "
            "without that term; loss.vgg_weights=FILE takes torchvision's"
        )

    def state(self) -> dict[str, Tensor]:
        return {"vgg_sha256": self.vgg_sha256}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Check that the run goes on with the VGG19 that it began with."""
        if not torch.equal(state.get("vgg_sha256", torch.zeros(0)), self.vgg_sha256):
            raise CheckpointError(
                "the checkpoint was made with other weights of VGG19 than those of loss.vgg_weights = "
                f"{self.settings.loss.vgg_weights!r}, or with none; name the run's own"
            )

    def draw(self, stream: Iterator[Batch], noise: torch.Generator) -> Draws:
        """Take a batch of pairs and draw where in the encoder's normals the latents lie."""
        batch = next(stream)
        e_g, e_d = torch.randn(2, len(batch.x), self.settings.n_z, generator=noise)
        return Draws(*map(self.compute.share, (batch.x, batch.s_idx, e_g, e_d)))

    def learn(self, draws: Draws) -> Losses:
        """Take one step of G and E, then one of D on fakes made anew."""
        s = one_hot(draws.s_idx, self.data.n_s).to(self.compute.dtype)
        found = self.generator_step(draws.x, s, draws.e_g)
        with torch.no_grad():
            x_fake, _ = self.fake(draws.x, s, draws.e_d)
        return found | self.critic_step(draws.x, s, x_fake)

    def fake(self, x: Tensor, s: Tensor, e: Tensor) -> tuple[Tensor, Losses]:
        """Make pictures of layouts, their latents those of photos; give the divergence of these, weighted, as well."""
        if not self.settings.n_z:
            return self.make(self.forward("G"), Given(s=s)), {}
        with self.compute.autocast():
            mean, log_variance = (part.to(self.compute.dtype) for part in self.forward("E")(self.laid_out(x)))
        z = mean + e * (log_variance / 2).exp()
        # A sum over the batch, of which each process has a part; what they find is averaged.
        kl = losses.kl_to_standard_normal(mean, log_variance) * self.compute.processes
        return self.make(self.forward("G"), Given(z=z, s=s)), {"loss_g/kl": self.settings.loss.lambda_kl * kl}

    def generator_step(self, x: Tensor, s: Tensor, e: Tensor) -> Losses:
        """Take one step of G and E through D, which stays as it is."""
        weights = self.settings.loss
        with self.resting("D"):
            x_fake, parts = self.fake(x, s, e)
            real, fake = self.criticise(s, x, x_fake)
            gan = torch.stack([losses.wasserstein_generator(maps[-1]) for maps in fake]).mean()
            parts = {
                "loss_g/gan": gan,
                "loss_g/features": weights.lambda_features * losses.feature_matching(real, fake),
            } | parts
            if self.vgg is not None:
                parts["loss_g/vgg"] = weights.lambda_vgg * self.looks(x, x_fake)
            return with_total(self.descend(("G", "E") if self.settings.n_z else "G", parts), "loss_g")

    def critic_step(self, x: Tensor, s: Tensor, x_fake: Tensor) -> Losses:
        """Take one step of D."""
        real, fake = self.criticise(s, x, x_fake)
        parts = {
            "loss_d/real": torch.stack([losses.hinge_score(maps[-1], real=True) for maps in real]).mean(),
            "loss_d/fake": torch.stack([losses.hinge_score(maps[-1], real=False) for maps in fake]).mean(),
        }
        return with_total(self.descend("D", parts), "loss_d")

    def criticise(self, s: Tensor, x: Tensor, x_fake: Tensor) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """Give D's maps of photos and of fakes, each with their layouts, for both scales."""
        # D has no norm over the batch, so real and fake go through it as one, under the same spectral norm.
        pairs = torch.cat([torch.cat([s, x], dim=1), torch.cat([s, x_fake], dim=1)])
        with self.compute.autocast():
            scales = self.forward("D")(self.laid_out(pairs))
        halves = [[maps.to(self.compute.dtype).chunk(2) for maps in scale] for scale in scales]
        real, fake = ([[half[i] for half in scale] for scale in halves] for i in (0, 1))
        return real, fake

    def looks(self, x: Tensor, x_fake: Tensor) -> Tensor:
        """Give how far fakes look from photos: mean absolute differences of VGG19's maps, the later the heavier."""
        with self.compute.autocast():
            real, fake = self.vgg(x), self.vgg(x_fake)  # type: ignore[misc]
        apart = [(a - b).abs().mean().to(self.compute.dtype) for a, b in zip(real, fake, strict=True)]
        return torch.stack([weight * one for weight, one in zip(vgg.WEIGHTS, apart, strict=True)]).sum()
