"""How much the masks of a sequence flicker."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from maskkit.errors import SchemeError

WINDOW = 4  # frames after a change in which its taking back counts as flicker


@dataclass(frozen=True)
class Flicker:
    """What an eye sees of a sequence of masks beside the motion that is meant.

    `changed`: mean share of the pixels that take another class from one frame to the next.
    `reverted`: the same of those that soon have their old class again: a region that trembles.
    `uneven`: root mean square of the difference between one step's share and the next one's, over `changed`: 0 where
    every step changes as many pixels, and high where regions rest and jump, as whole-pixel coordinates make them.
    """

    changed: float
    reverted: float
    uneven: float


def measure_flicker(masks: ArrayLike, window: int = WINDOW) -> Flicker:
    """Measure a sequence of label maps (F, H, W), whole numbers, F at least 2.

    A pixel whose class differs between frames t - 1 and t is reverted if one of the frames t + 1 ... t + `window` shows
    the class of frame t - 1. Means are over all pixels and all F - 1 steps. A change of direction, as in a ping-pong
    morph, reverts what its last few frames changed. `uneven` is 0 where nothing changes. Raises SchemeError.
    """
    labels = np.asarray(masks)
    if labels.ndim != 3 or labels.dtype.kind not in "iu" or len(labels) < 2 or not labels[0].size:
        raise SchemeError(
            f"a sequence is label maps (F, H, W), whole numbers, 2 frames at least; not {labels.dtype} {labels.shape}"
        )
    changed, reverted = np.zeros(len(labels) - 1), 0
    for t in range(1, len(labels)):
        before = labels[t - 1]
        change = before != labels[t]
        changed[t - 1] = change.mean()
        reverted += int((change & (labels[t + 1 : t + 1 + window] == before).any(axis=0)).sum())
    mean = float(changed.mean())
    differences = np.diff(changed)
    uneven = float(np.sqrt((differences**2).mean())) / mean if mean and len(differences) else 0.0
    return Flicker(mean, reverted / (len(changed) * labels[0].size), uneven)
