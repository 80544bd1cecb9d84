"""Training an SCGAN on shards, and pictures and sequences from it.

The names below are loaded when first used, so that `import gan` costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import maskkit

if TYPE_CHECKING:
    from gan.config import Settings, load_preset, load_settings
    from gan.errors import GanError
    from gan.loading import load_generator
    from gan.rendering import render
    from gan.sampling import sample
    from gan.training import fit

__all__ = ["GanError", "Settings", "fit", "load_generator", "load_preset", "load_settings", "render", "sample"]

_HOMES = {
    "GanError": "errors",
    "Settings": "config",
    "fit": "training",
    "load_generator": "loading",
    "load_preset": "config",
    "load_settings": "config",
    "render": "rendering",
    "sample": "sampling",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gan' has no attribute {name!r}")
    try:
        return getattr(import_module(f"gan.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name in ("torch", "pydantic", "tomli_w"):
            raise maskkit.errors.MissingExtraError(error.name, "gan", f"gan.{name}") from error
        raise
