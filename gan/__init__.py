"""Training SCGAN and the systems beside it on shards, and pictures, sequences and figures from them.

The names below are loaded when first used, so that `import gan` costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import maskkit

if TYPE_CHECKING:
    from gan.errors import GanError
    from gan.evaluation.measures import evaluate_run
    from gan.experiments.compare import compare_runs
    from gan.experiments.rehearsal import rehearse
    from gan.experiments.reproduce import reproduce
    from gan.experiments.request import plan_reproduction
    from gan.pictures.driving import drive
    from gan.pictures.rendering import render
    from gan.pictures.sampling import sample
    from gan.pictures.translating import make_layouts
    from gan.runs.export import export_generator
    from gan.runs.loading import load_generator
    from gan.runs.presets import load_preset, load_settings
    from gan.runs.release_weights import load_release
    from gan.runs.systems_list import list_systems
    from gan.settings.run_settings import Settings
    from gan.training.dry_run import dry_run
    from gan.training.fit import fit

__version__ = maskkit.__version__

__all__ = [
    "GanError",
    "Settings",
    "compare_runs",
    "drive",
    "dry_run",
    "evaluate_run",
    "export_generator",
    "fit",
    "list_systems",
    "load_generator",
    "load_preset",
    "load_release",
    "load_settings",
    "make_layouts",
    "plan_reproduction",
    "rehearse",
    "render",
    "reproduce",
    "sample",
]

_HOMES = {
    "GanError": "errors",
    "Settings": "settings.run_settings",
    "compare_runs": "experiments.compare",
    "drive": "pictures.driving",
    "dry_run": "training.dry_run",
    "evaluate_run": "evaluation.measures",
    "export_generator": "runs.export",
    "fit": "training.fit",
    "list_systems": "runs.systems_list",
    "load_generator": "runs.loading",
    "load_preset": "runs.presets",
    "load_release": "runs.release_weights",
    "load_settings": "runs.presets",
    "make_layouts": "pictures.translating",
    "plan_reproduction": "experiments.request",
    "rehearse": "experiments.rehearsal",
    "render": "pictures.rendering",
    "reproduce": "experiments.reproduce",
    "sample": "pictures.sampling",
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
