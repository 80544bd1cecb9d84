"""Settings that several systems have, and what those have in common that learn from pairs."""

from typing import Self

from pydantic import Field, model_validator

from gan.settings.run_settings import RunSettings
from gan.settings.sections import Section


class OptimiserSettings(Section):
    lr_g: float = Field(gt=0, le=1)
    lr_d: float = Field(gt=0, le=1)
    beta1: float = Field(ge=0, lt=1)
    beta2: float = Field(ge=0, lt=1)


class PairedSettings(RunSettings):
    """Of a system whose generator is held to the photo of a layout."""

    @model_validator(mode="after")
    def _layouts_have_photos(self) -> Self:
        if self.augmentation.layouts:
            raise ValueError(
                f"augmentation.layouts = {self.augmentation.layouts} draws layouts that no photo belongs to, and "
                f"{self.system} learns from pairs; set augmentation.layouts=0"
            )
        return self
