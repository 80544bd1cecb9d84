"""The losses that a run has noted, for curves and shares."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan.errors import RunError
from gan.runs.checked_json import decode_line
from maskkit.files.regular import read_regular

log = logging.getLogger(__name__)

Values = NDArray[np.float64]
LARGEST_METRICS = 1 << 32  # bytes; ten million steps
SMOOTHING = 50  # parts of a run over which its curve is averaged


@dataclass(frozen=True)
class LossHistory:
    """A run's weighted losses by name, each (T,) at the steps `steps` (T,); `steps_per_epoch`, None in the first."""

    steps: Values
    losses: dict[str, Values]
    steps_per_epoch: float | None

    def totals(self) -> dict[str, Values]:
        """Give the totals by the names of their sums, such as loss_d."""
        return {name.removesuffix("/total"): values for name, values in self.losses.items() if name.endswith("/total")}

    def last_epoch(self, total: str) -> dict[str, float]:
        """Give the mean of each component of a total, such as loss_d, over as many steps as an epoch has, the last."""
        count = len(self.steps) if self.steps_per_epoch is None else max(1, round(self.steps_per_epoch))
        return {
            name.removeprefix(f"{total}/"): float(values[-count:].mean())
            for name, values in self.losses.items()
            if name.startswith(f"{total}/") and not name.endswith("/total")
        }


def read_losses(run: str | Path) -> LossHistory:
    """Read the losses in a run's metrics.jsonl. Raises RunError naming what is missing or damaged."""
    path = Path(run) / "metrics.jsonl"
    try:
        text = read_regular(path, LARGEST_METRICS).decode()  # a power cut may leave zeros after the last line
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise RunError(f"{path} cannot be read ({reason}); a figure of losses needs the folder of a run") from error
    # What follows the last line break is a line that a run in progress has not finished.
    lines = [_line(path, i, line) for i, line in enumerate(text.split("\n")[:-1], 1)]
    steps = [line for line in lines if any(key.endswith("/total") for key in line)]
    if not steps:
        raise RunError(f"{path} holds no losses yet")
    try:
        names = [key for key in steps[0] if key.startswith("loss_")]
        numbers = np.array([[line["step"], line["epoch"], *(line[name] for name in names)] for line in steps], float)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged: not every step has a step, an epoch and all losses ({error!r})") from error
    step, epoch, *losses = numbers.T
    _warn_of_lost(path, int(step[-1]))
    # Steps are counted from 1 and epochs from 0: a step of epoch E comes after at least E whole epochs, and the least
    # of these bounds is reached by the first step of an epoch, so that lost lines do no harm.
    later = epoch > 0
    per_epoch = float(((step[later] - 1) / epoch[later]).min()) if later.any() else None
    return LossHistory(step, dict(zip(names, losses, strict=True)), per_epoch)


def loss_shares(components: Mapping[str, float]) -> dict[str, float]:
    """Give each weighted component over the sum of absolute components, with its sign: term_k / sum |terms|.

    The absolute shares add up to 1 (SCGAN paper, Figure 10, which prints a negative term's share as negative); all are
    0 where every component is.
    """
    whole = sum(map(abs, components.values()))
    return {name: value / whole if whole else 0.0 for name, value in components.items()}


def smoothed(values: Values) -> Values:
    """Average each value with its neighbours, (T,) -> (T,): over a window of T / 50, cut short at the ends."""
    half = len(values) // SMOOTHING // 2
    sums = np.concatenate([[0.0], np.cumsum(values)])
    start = np.maximum(np.arange(len(values)) - half, 0)
    end = np.minimum(np.arange(len(values)) + half + 1, len(values))
    mean: Values = (sums[end] - sums[start]) / (end - start)
    return mean


def _warn_of_lost(path: Path, last: int) -> None:
    """Say so where a checkpoint tells of later steps: what leads up to one was on the disk before it."""
    names = (re.fullmatch(r"step-(\d+)\.pt", file.name) for file in (path.parent / "checkpoints").glob("step-*.pt"))
    saved = max((int(name[1]) for name in names if name), default=0)
    if saved > last:
        log.warning("%s ends at step %d, and there is a checkpoint of step %d; the rest is lost", path, last, saved)


def _line(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        return decode_line(line)
    except ValueError as error:
        raise RunError(f"{path}, line {number}: {error}") from error
