"""Settings of a run: sections with checked values, presets as TOML files, overrides, and errors as sentences."""

import tomllib
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gan.errors import SettingsError
from gan.names import PRESETS, Precision, Switch, SystemName
from maskkit.files.atomic import write_atomically
from maskkit.files.regular import read_regular_text

LARGEST_FILE = 1 << 20  # bytes
TailNorm = Literal["last", "every"]
Joining = Literal["step-by-step", "all-at-once", "reversed-order"]
SegmentorArchitecture = Literal["paper", "release"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DataSettings(_Section):
    shards: str = Field("", description="folder of the shards, filled in by `fit`")
    size: int = Field(description="height and width of the images; a power of two from 32 to 1024")
    workers: int = Field(ge=0, le=256, description="processes that read batches ahead; 0 reads in the training process")
    resident: Literal["auto", "yes", "no"] = Field(
        "auto", description="hold all rows on the device; auto: on CUDA, where they take at most half of what is free"
    )

    @field_validator("size")
    @classmethod
    def _power_of_two(cls, size: int) -> int:
        if not 32 <= size <= 1024 or size & (size - 1):
            raise ValueError("it must be a power of two from 32 to 1024, such as 64 or 128")
        return size


class ComputeSettings(_Section):
    """How to compute. All but `precision` decide speed and memory, and nothing of the result beyond rounding."""

    precision: Precision = Field(description="bf16: networks in bfloat16, weights and losses in 32")
    # What older runs have not noted has a default here.
    channels_last: Switch = Field("auto", description="tensors with the channels of a pixel side by side")
    fused: Switch = Field("auto", description="Adam as one kernel for all weights")
    fakes_at_once: Switch = Field("auto", description="the fake batches that G does not learn from in one forward")
    compile: Switch = Field("auto", description="networks compiled by torch.compile")
    graphs: Switch = Field("auto", description="a round as one CUDA graph")

    @field_validator("precision", mode="before")
    @classmethod
    def _number_is_text(cls, precision: object) -> object:
        return str(precision) if isinstance(precision, int) else precision  # --set compute.precision=32

    @field_validator("channels_last", "fused", "fakes_at_once", "compile", "graphs", mode="before")
    @classmethod
    def _truth_is_a_switch(cls, value: object) -> object:
        return ("on" if value else "off") if isinstance(value, bool) else value  # --set compute.graphs=true


class AugmentationSettings(_Section):
    mirror: bool = Field(description="mirror half of the real images, their layouts' sides swapped")
    layouts: float = Field(ge=0, le=1, description="share of the generator's layouts drawn afresh from altered points")
    shift: float = Field(ge=0, le=0.5, description="of such points, at most, as a part of the image's size")
    scale: float = Field(ge=0, lt=1, description="of such points, at most, up or down")


class GeneratorSettings(_Section):
    joining: Joining = Field(description="of s, z and c: s, z, c in steps; at one place; z first, then s and c")
    width: int = Field(gt=0, le=512, multiple_of=2, description="channels of the first encoder row")
    n_z: int = Field(gt=0, le=8192, description="length of the latent vector")
    tail_norm: TailNorm = Field(description="IN, ReLU after the last block only, or after every block")

    @model_validator(mode="after")
    def _tail_norm_fits(self) -> Self:
        if self.tail_norm == "every" and self.joining != "step-by-step":
            raise ValueError(f"tail_norm every belongs to joining step-by-step; {self.joining} has last alone")
        return self


class AveragingSettings(_Section):
    decay: float = Field(ge=0, lt=1, description="of the averaged generator; 0 keeps no average")


class CriticSettings(_Section):
    width: int = Field(gt=0, le=512)
    leaky_slope: float = Field(ge=0, lt=1)
    updates: Literal["joint", "separate"] = Field(
        description="for a batch: one on the whole loss, or one on scores and attributes and then one on the penalty"
    )


class SegmentorSettings(_Section):
    architecture: SegmentorArchitecture
    width: int = Field(gt=0, le=512, multiple_of=2)
    blocks: int = Field(ge=0, le=64)
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


class LossSettings(_Section):
    cls: Literal["binary", "softmax"] = Field(description="attributes independent (CelebA) or one of n_c (DeepFashion)")
    lambda_cls: float = Field(ge=0)
    lambda_seg: float = Field(ge=0)
    lambda_gp: float = Field(ge=0)
    gp_reduction: Literal["sum", "mean"] = Field(description="of the score map inside the penalty")


class OptimiserSettings(_Section):
    lr_g: float = Field(gt=0, le=1)
    lr_d: float = Field(gt=0, le=1)
    lr_s: float = Field(gt=0, le=1)
    beta1: float = Field(ge=0, lt=1)
    beta2: float = Field(ge=0, lt=1)


class ScheduleSettings(_Section):
    batch: int = Field(gt=0, le=4096)
    n_repeat: int = Field(gt=0, le=1000, description="critic and segmentor updates for one generator update")
    epochs: int = Field(gt=0, description="horizon of the learning rates; where training ends if nothing else is said")
    decay_epochs: int = Field(ge=0, description="last epochs over which the rates fall to 0; 0 keeps them constant")

    @model_validator(mode="after")
    def _decay_within(self) -> Self:
        if self.decay_epochs > self.epochs:
            raise ValueError(f"decay_epochs = {self.decay_epochs} must not exceed epochs = {self.epochs}")
        return self


class LogSettings(_Section):
    checkpoint_every: int = Field(gt=0, description="steps")
    sample_every: int = Field(gt=0, description="steps")
    sample_columns: int = Field(gt=0, le=64, description="layouts in a sample grid")
    sample_rows: int = Field(gt=0, le=64, description="latents in a sample grid")
    keep_checkpoints: int = Field(gt=0, le=10_000, description="newest ones; the best is kept besides")
    evaluate_every: int = Field(ge=0, description="steps; 0 never evaluates and keeps no best checkpoint")
    evaluate_rows: int = Field(gt=1, le=100_000, description="of val, or of train where val is empty")


class Settings(_Section):
    """Everything that decides what a run computes."""

    system: SystemName
    seed: int = Field(ge=0, lt=2**63)
    data: DataSettings
    compute: ComputeSettings
    augmentation: AugmentationSettings
    generator: GeneratorSettings
    averaging: AveragingSettings
    critic: CriticSettings
    segmentor: SegmentorSettings
    loss: LossSettings
    optimiser: OptimiserSettings
    schedule: ScheduleSettings
    log: LogSettings

    @model_validator(mode="after")
    def _evaluation_has_a_segmentor(self) -> Self:
        if self.log.evaluate_every and self.segmentor.training == "none":
            raise ValueError(
                f"log.evaluate_every = {self.log.evaluate_every}, and with segmentor.training = none there is no "
                "segmentor to evaluate with; set log.evaluate_every=0"
            )
        return self

    def with_shards(self, shards: Path) -> "Settings":
        """Give the same settings with the shards' folder noted."""
        return self.model_copy(update={"data": self.data.model_copy(update={"shards": str(shards)})})


def load_preset(name: str = "paper", overrides: Iterable[str] = ()) -> Settings:
    """Load a preset that comes with the package; `overrides` are "section.key=value". Raises SettingsError."""
    return settings_from(_preset_values(name), overrides, source=f"preset {name}")


def load_settings(path: Path, preset: str = "paper", overrides: Iterable[str] = ()) -> Settings:
    """Load a TOML file; what it leaves out comes from `preset`. Raises SettingsError naming file and key."""
    values = _preset_values(preset)
    try:
        given = tomllib.loads(read_regular_text(path, LARGEST_FILE))
    except OSError as error:
        raise SettingsError(f"the settings {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError, and an integer of thousands of digits
        raise SettingsError(f"the settings {path} are not TOML: {error}") from error
    except RecursionError as error:
        raise SettingsError(f"the settings {path} are nested too deeply") from error
    for key, value in given.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            values[key].update(value)
        else:
            values[key] = value
    return settings_from(values, overrides, source=str(path))


def write_settings(path: Path, settings: Settings) -> None:
    """Write settings as TOML that `load_settings` gives back unchanged."""
    text = settings_text(settings).encode()
    write_atomically(path, lambda file: file.write(text))


def settings_text(settings: Settings) -> str:
    """Give settings as TOML."""
    return tomli_w.dumps(settings.model_dump())


def settings_from(values: dict[str, Any], overrides: Iterable[str] = (), *, source: str) -> Settings:
    """Check nested values; raises SettingsError, a sentence with `source`, the key, its value and what is allowed."""
    try:
        for number, override in enumerate(overrides):
            source = source if number else f"{source} with --set"
            _apply(values, override)
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"{source}: {_sentence(error)}") from error
    except RecursionError as error:
        raise SettingsError(f"{source}: a value is nested too deeply") from error


def first_difference(a: Settings, b: Settings, ignore: Iterable[str] = ()) -> tuple[str, object, object] | None:
    """Give the first key (dotted) whose values differ, with both values; None where the settings agree."""
    theirs = dict(_flat(b.model_dump()))
    for key, value in _flat(a.model_dump()):
        if key not in ignore and theirs[key] != value:
            return key, value, theirs[key]
    return None


def _preset_values(name: str) -> dict[str, Any]:
    if name not in PRESETS:
        raise SettingsError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}")
    return tomllib.loads(files("gan").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8"))


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    known = [name for name, _ in _flat(values) if name != "data.shards"]
    if not equals:
        raise SettingsError(f"--set {override}: write it as key=value, such as loss.lambda_seg=10")
    if key == "data.shards":
        raise SettingsError(f"--set {override}: the shards are no setting to choose but the command's argument")
    if key not in known:
        raise SettingsError(f"--set {override}: {_unknown(key, known)}")
    *sections, last = key.split(".")
    target = values
    for section in sections:
        target = target[section]
    try:
        target[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        target[last] = text  # a bare word, such as loss.gp_reduction=mean
    except ValueError as error:  # an integer of thousands of digits
        raise SettingsError(f"--set {key}: the value cannot be read ({error})") from error


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return _unknown(key, [name for name, _ in _flat(_preset_values("paper"))])
    if first["type"] == "missing":
        return f"{key} is missing"
    if isinstance(first["input"], dict):
        return f"{key}: {reason}" if key else reason
    return f"{key} = {_shown(first['input'])}: {reason[0].lower()}{reason[1:]}"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a list in a list in a list
        return f"({type(value).__name__})"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _unknown(key: str, known: list[str]) -> str:
    section = f"{key.rpartition('.')[0]}."
    allowed = [name for name in known if name.startswith(section)] or known
    return f"there is no setting {key}; there are {', '.join(allowed)}"


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
