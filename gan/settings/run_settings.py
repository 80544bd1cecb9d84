"""Settings of a run: the sections that all systems share, to which each adds its own, and what follows from them."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import Field, model_validator

from gan.settings.sections import (
    AugmentationSettings,
    AveragingSettings,
    ComputeSettings,
    DataSettings,
    LogSettings,
    ScheduleSettings,
    Section,
)
from maskkit.files.atomic import write_atomically

# The first line of written settings: a file that was cut would else be filled up from a preset. With an empty line
# after it, so that a damaged line break hides none of the settings.
_SEAL = re.compile(r"# sha256 ([0-9a-f]{64}) of all that follows; remove this line after a change by hand\n")

AttributeKind = Literal["binary", "softmax"]  # attributes independent of each other (CelebA), or one of n (DeepFashion)


class RunSettings(Section):
    """Everything that decides what a run computes. A system extends it with sections of its own."""

    system: str
    seed: int = Field(ge=0, lt=2**63)
    data: DataSettings
    compute: ComputeSettings
    augmentation: AugmentationSettings
    averaging: AveragingSettings
    schedule: ScheduleSettings
    log: LogSettings

    @property
    def takes(self) -> tuple[str, ...]:
        """What the generator is fed: some of z (latent), c (attributes), s (layout), x (picture), in this order."""
        raise NotImplementedError

    @property
    def n_z(self) -> int:
        """Length of the latent vector; 0 where the generator takes none."""
        return 0

    @property
    def attribute_kind(self) -> AttributeKind:
        """How attributes are meant."""
        return "binary"

    @property
    def segmentor_name(self) -> str | None:
        """The network, by name, that tells the layout of a picture and can score the generator; None without one."""
        return None

    @model_validator(mode="after")
    def _evaluation_has_a_segmentor(self) -> Self:
        if self.log.evaluate_every and self.segmentor_name is None:
            raise ValueError(
                f"log.evaluate_every = {self.log.evaluate_every}, and the run has no segmentor to evaluate with; "
                "set log.evaluate_every=0"
            )
        return self

    def with_shards(self, shards: Path) -> Self:
        """Give the same settings with the shards' folder noted."""
        return self.model_copy(update={"data": self.data.model_copy(update={"shards": str(shards)})})


Settings = RunSettings  # as `gan.Settings`


def settings_text(settings: RunSettings) -> str:
    """Give settings as TOML."""
    return tomli_w.dumps(settings.model_dump())


def write_settings(path: Path, settings: RunSettings) -> None:
    """Write settings as TOML that `load_settings` gives back unchanged, with their SHA-256 in the first line."""
    text = f"\n{settings_text(settings)}"
    sealed = f"# sha256 {_sha256(text)} of all that follows; remove this line after a change by hand\n{text}"
    write_atomically(path, lambda file: file.write(sealed.encode()))


def is_as_written(text: str) -> bool:
    """Say whether a file of settings is what its first line promises; True where it promises nothing."""
    seal = _SEAL.match(text)
    return seal is None or seal[1] == _sha256(text[seal.end() :])


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def first_difference(a: RunSettings, b: RunSettings) -> tuple[str, object, object] | None:
    """Give the first key (dotted) whose values differ and that a resume may not change, with both values, or None."""
    theirs, free = dict(flat(b.model_dump())), a.free_keys()
    for key, value in flat(a.model_dump()):
        if key not in free and theirs.get(key) != value:
            return key, value, theirs.get(key)
    return None


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give nested values by dotted keys."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
