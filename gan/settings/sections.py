"""The sections of settings that every system has: data, computing, augmentation, averaging, schedule and log."""

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator
from pydantic.fields import FieldInfo

from gan.names import Precision, Switch

FREE: dict[str, JsonValue] = {
    "free_on_resume": True
}  # changes nothing that is computed, so a run may be resumed with another value


class Section(BaseModel):
    """Named values, checked and unchangeable; an unknown name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @classmethod
    def fields_by_key(cls, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
        """Give all fields, those of sections within by dotted keys."""
        for name, field in cls.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
                yield from field.annotation.fields_by_key(f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", field

    @classmethod
    def free_keys(cls) -> set[str]:
        """Give the dotted keys that may differ when a run is resumed."""
        return {key for key, field in cls.fields_by_key() if field.json_schema_extra == FREE}


def free(default: Any = ..., **constraints: Any) -> Any:
    """Declare a field that a resume may change."""
    return Field(default, json_schema_extra=FREE, **constraints)


class DataSettings(Section):
    """Where training rows come from, and at which size."""

    shards: str = free("", description="folder of the shards, filled in by `fit`")
    size: int = Field(description="height and width of the images; a power of two from 32 to 1024")
    workers: int = free(ge=0, le=256, description="processes that read batches ahead; 0 reads in the training process")
    resident: Literal["auto", "yes", "no"] = free(
        "auto", description="hold all rows on the device; auto: on CUDA, where they take at most half of what is free"
    )

    @field_validator("size")
    @classmethod
    def _power_of_two(cls, size: int) -> int:
        if not 32 <= size <= 1024 or size & (size - 1):
            raise ValueError("it must be a power of two from 32 to 1024, such as 64 or 128")
        return size


class ComputeSettings(Section):
    """How to compute. All but `precision` decide speed and memory, and nothing of the result beyond rounding."""

    precision: Precision = Field(
        description="bf16: networks in bfloat16, weights and losses in 32; auto: the fastest, by some steps of each"
    )
    # What older runs have not noted has a default here.
    channels_last: Switch = free("auto", description="tensors with the channels of a pixel side by side")
    fused: Switch = free("auto", description="Adam as one kernel for all weights")
    fakes_at_once: Switch = free("auto", description="the fake batches that G does not learn from in one forward")
    compile: Switch = free("auto", description="networks compiled by torch.compile")
    graphs: Switch = free("auto", description="a round as one CUDA graph")

    @field_validator("precision", mode="before")
    @classmethod
    def _number_is_text(cls, precision: object) -> object:
        return str(precision) if isinstance(precision, int) else precision  # --set compute.precision=32

    @field_validator("channels_last", "fused", "fakes_at_once", "compile", "graphs", mode="before")
    @classmethod
    def _truth_is_a_switch(cls, value: object) -> object:
        return ("on" if value else "off") if isinstance(value, bool) else value  # --set compute.graphs=true


class AugmentationSettings(Section):
    """How training rows are altered."""

    mirror: bool = Field(description="mirror half of the real images, their layouts' sides swapped")
    layouts: float = Field(ge=0, le=1, description="share of the generator's layouts drawn afresh from altered points")
    shift: float = Field(ge=0, le=0.5, description="of such points, at most, as a part of the image's size")
    scale: float = Field(ge=0, lt=1, description="of such points, at most, up or down")


class AveragingSettings(Section):
    """The average of the weights that generate."""

    decay: float = Field(ge=0, lt=1, description="of the averaged generator; 0 keeps no average")


class ScheduleSettings(Section):
    """Batches, steps and the course of the learning rates, which is the product of two: by epochs and by steps."""

    batch: int = Field(gt=0, le=4096)
    n_repeat: int = Field(
        gt=0, le=1000, description="batches of a step: updates of the critic for one of the generator"
    )
    epochs: int = Field(gt=0, description="horizon of the learning rates; training ends there, if `steps` is 0")
    decay_epochs: int = Field(ge=0, description="last epochs over which the rates fall to 0; 0 keeps them constant")
    # What older runs have not noted has a default here.
    steps: int = free(0, ge=0, description="where training ends, whatever the number of photos; 0: after `epochs`")
    decay_every: int = Field(0, ge=0, description="steps after which the rates are multiplied by decay_factor; 0 never")
    decay_factor: float = Field(1.0, gt=0, le=1)
    decay_least: float = Field(0.0, ge=0, le=1, description="the factors together fall no lower")

    @property
    def images_per_step(self) -> int:
        """Real images that a step uses."""
        return self.n_repeat * self.batch

    @model_validator(mode="after")
    def _decay_within(self) -> Self:
        if self.decay_epochs > self.epochs:
            raise ValueError(f"decay_epochs = {self.decay_epochs} must not exceed epochs = {self.epochs}")
        if self.steps and self.decay_epochs:
            raise ValueError(
                f"steps = {self.steps} is an end for constant rates, and with decay_epochs = {self.decay_epochs} they "
                "reach 0 after the epochs; set one of the two to 0"
            )
        return self


class LogSettings(Section):
    """What a run leaves behind, and how often."""

    checkpoint_every: int = free(gt=0, description="steps")
    sample_every: int = free(gt=0, description="steps")
    sample_columns: int = free(gt=0, le=64, description="rows of the data in a sample grid")
    sample_rows: int = free(gt=0, le=64, description="latents in a sample grid")
    keep_checkpoints: int = free(gt=0, le=10_000, description="newest ones; the best is kept besides")
    evaluate_every: int = free(ge=0, description="steps; 0 never evaluates and keeps no best checkpoint")
    # Not free: scores on other rows would contend for being the best.
    evaluate_rows: int = Field(gt=1, le=100_000, description="of val, or of train where val is empty")
