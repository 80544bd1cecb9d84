"""Training an SCGAN on shards, and pictures and sequences from it.

The names below are loaded when first used, so that `import gan` costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import maskkit

if TYPE_CHECKING:
    from gan.config import Settings, load_preset, load_settings
    from gan.errors import GanError
    from gan.evaluation.measures import evaluate_run
    from gan.export import export_generator
    from gan.loading import load_generator
    from gan.rehearsal import dry_run
    from gan.release_weights import load_release
    from gan.rendering import render
    from gan.sampling import sample
    from gan.training import fit

__all__ = [
    "GanError",
    "Settings",
    "dry_run",
    "evaluate_run",
    "export_generator",
    "fit",
    "load_generator",
    "load_preset",
    "load_release",
    "load_settings",
    "render",
    "sample",
]

_HOMES = {
    "GanError": "errors",
    "Settings": "config",
    "dry_run": "rehearsal",
    "evaluate_run": "evaluation.measures",
    "export_generator": "export",
    "fit": "training",
    "load_generator": "loading",
    "load_preset": "config",
    "load_release": "release_weights",
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
        if error.name in ("torch", "pydantic", "safetensors", "tomli_w"):
            raise maskkit.errors.MissingExtraError(error.name, "gan", f"gan.{name}") from error
        raise
