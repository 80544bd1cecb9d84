"""The settings of SCGAN beside those that all systems share."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from gan.settings.sections import Section
from gan.systems.wasserstein import AttributeLossSettings, WassersteinSettings

Joining = Literal["step-by-step", "all-at-once", "reversed-order"]
NormScale = Literal["one", "uniform"]


def norm_scale() -> Any:
    """Declare how instance norms begin; older runs have not noted it."""
    return Field("one", description="scales of instance norms at first: 1, or drawn from U(0, 1)")


class GeneratorSettings(Section):
    joining: Joining = Field(description="of s, z and c: s, z, c in steps; at one place; z first, then s and c")
    width: int = Field(gt=0, le=512, multiple_of=2, description="channels of the first encoder row")
    n_z: int = Field(gt=0, le=8192, description="length of the latent vector")
    tail_norm: Literal["last", "every"] = Field(description="IN, ReLU after the last block only, or after every block")
    norm_scale: NormScale = norm_scale()

    @model_validator(mode="after")
    def _tail_norm_fits(self) -> Self:
        if self.tail_norm == "every" and self.joining != "step-by-step":
            raise ValueError(f"tail_norm every belongs to joining step-by-step; {self.joining} has last alone")
        return self


class SegmentorSettings(Section):
    architecture: Literal["paper", "release"]
    width: int = Field(gt=0, le=512, multiple_of=2)
    blocks: int = Field(ge=0, le=64)
    norm_scale: NormScale = norm_scale()
    training: Literal["joint", "frozen", "none"] = Field(
        description="beside G, before G and then frozen, or no segmentor at all (lambda_seg then has no effect)"
    )
    pretraining: int = Field(ge=0, le=10_000_000, description="batches that a frozen segmentor learns from before G")

    @model_validator(mode="after")
    def _pretraining_fits(self) -> Self:
        if (self.training == "frozen") != (self.pretraining > 0):
            raise ValueError(
                f"training {self.training} with pretraining = {self.pretraining}: a frozen segmentor needs pretraining "
                "of at least 1, another has none; set both segmentor.training and segmentor.pretraining"
            )
        return self


class LossSettings(AttributeLossSettings):
    lambda_seg: float = Field(ge=0)


class OptimiserSettings(Section):
    lr_g: float = Field(gt=0, le=1)
    lr_d: float = Field(gt=0, le=1)
    lr_s: float = Field(gt=0, le=1)
    beta1: float = Field(ge=0, lt=1)
    beta2: float = Field(ge=0, lt=1)


class ScganSettings(WassersteinSettings):
    """Everything that decides what a run of SCGAN computes."""

    system: Literal["scgan"]
    generator: GeneratorSettings
    segmentor: SegmentorSettings
    loss: LossSettings
    optimiser: OptimiserSettings

    @property
    def takes(self) -> tuple[str, ...]:
        return "z", "c", "s"

    @property
    def n_z(self) -> int:
        return self.generator.n_z

    @property
    def segmentor_name(self) -> str | None:
        return None if self.segmentor.training == "none" else "S"
