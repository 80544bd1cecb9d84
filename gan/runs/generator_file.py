"""Exported generators: the weights of G alone in a safetensors file, described by one JSON text in its metadata."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from gan.data.description import DataDescription
from gan.errors import CheckpointError
from gan.runs.presets import settings_from
from gan.runs.weights_file import encode_weights, read_weights
from gan.settings.run_settings import RunSettings

FORMAT_VERSION = 1
METADATA_KEY = "gan_generator"
_KEYS = {"format_version", "step", "settings", "data", "versions", "note"}
_PATHS = {"data": {"shards"}, "loss": {"vgg_weights"}}


@dataclass(frozen=True)
class About:
    """What one must know of a trained generator beside its weights; `note` says what the rest cannot."""

    settings: RunSettings
    data: DataDescription
    step: int
    versions: dict[str, str] = field(default_factory=dict)
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Give the metadata of an exported file, without the paths of the run's machine, which are a private matter."""
        return {
            "format_version": FORMAT_VERSION,
            "step": self.step,
            "settings": self.settings.model_dump(exclude=_PATHS),
            "data": self.data.to_dict(),
            "versions": self.versions,
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, content: Any, source: str) -> Self:
        """Undo `to_dict`. Raises CheckpointError, SettingsError or maskkit's SchemeError with `source`."""
        content = _checked(content, source)
        settings = settings_from(content["settings"], source=source)
        try:
            data = DataDescription.from_dict(content["data"], source)
        except OverflowError as error:  # JSON knows 1e999
            raise CheckpointError(f"{source}: its description of the data is damaged ({error})") from error
        # The size of some generators shows in none of their weights, so nothing else would contradict it.
        if data.size != settings.data.size:
            raise CheckpointError(
                f"{source}: its images have {data.size} pixels, and its settings say {settings.data.size}"
            )
        return cls(settings, data, content["step"], content["versions"], content["note"])


def encode_generator(weights: dict[str, Tensor], about: About) -> bytes:
    """Give the bytes of an exported file, the same for the same weights; they are stored as float32."""
    tensors = {name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in weights.items()}
    return encode_weights(tensors, METADATA_KEY, about.to_dict())


def read_generator(path: Path) -> tuple[dict[str, Tensor], About]:
    """Read an exported file: weights as float32 on the CPU, not yet compared with a network, and what they are.

    Raises CheckpointError, SettingsError or maskkit's SchemeError naming the file.
    """
    weights, content = read_weights(path, METADATA_KEY)
    if content is None:
        raise CheckpointError(f"{path} holds no exported generator: its metadata lack the key {METADATA_KEY}")
    about = About.from_dict(content, str(path))
    return {key: _as_float(path, key, tensor) for key, tensor in weights.items()}, about


def _as_float(path: Path, key: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        raise CheckpointError(f"{path}: the key {key} holds {str(tensor.dtype).removeprefix('torch.')}, not floats")
    return tensor.float()


def _checked(content: Any, source: str) -> dict[str, Any]:
    if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
        version = content.get("format_version") if isinstance(content, dict) else None
        raise CheckpointError(f"{source} has the format version {version!r}, and this program reads {FORMAT_VERSION}")
    if foreign := set(content) ^ _KEYS:
        key = min(foreign)
        raise CheckpointError(f"{source}: the metadata's {key} is {'foreign' if key in content else 'missing'}")
    for key, kind in {"step": int, "settings": dict, "data": dict, "versions": dict, "note": str}.items():
        if not isinstance(content[key], kind):
            found = type(content[key]).__name__
            raise CheckpointError(f"{source}: the metadata's {key} is a {found}, not a {kind.__name__}")
    return content
