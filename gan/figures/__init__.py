"""The pictures of the SCGAN paper from trained runs: label panels, smile, turn, comparisons, loss curves.

The names below are loaded when first used, so that `import gan.figures` costs no torch and no matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import maskkit

if TYPE_CHECKING:
    from gan.figures.comparison import compare
    from gan.figures.label_panels import panels
    from gan.figures.loss_curves import losses
    from gan.figures.sequence_grids import smile, turn

__all__ = ["compare", "losses", "panels", "smile", "turn"]

_HOMES = {
    "compare": "comparison",
    "losses": "loss_curves",
    "panels": "label_panels",
    "smile": "sequence_grids",
    "turn": "sequence_grids",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gan.figures' has no attribute {name!r}")
    try:
        return getattr(import_module(f"gan.figures.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("torch", "pydantic", "safetensors", "tomli_w", "matplotlib"):
            raise maskkit.errors.MissingExtraError(package, "gan", f"gan.figures.{name}") from error
        raise
