"""What a build is asked to make rows of: photos by name, with what tables say of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from maskkit.corrections.decisions import Correction
from maskkit.points.landmarks import Points


@dataclass(frozen=True, eq=False)
class Input:
    """One photo that a build is asked for: its path below the folder of photos, its attributes {0, 1} and its split.

    `problem` says why it cannot even be tried; `unasked`, that this is because a table of the user's does not name it,
    which is no failure. `five_points` (5, 2) and `points` (68, 2), in pixels of the photo, are what a table knows of
    its face. `corrections` are what people decided about its rows, by the rows' ids.
    """

    id: str
    attributes: tuple[int, ...]
    split: str
    problem: str = ""
    unasked: bool = False
    five_points: NDArray[np.float64] | None = None
    points: Points | None = None
    corrections: Mapping[str, Correction] = field(default_factory=dict)


def printable(one: Input) -> Input:
    """Escape a name that no table can hold, such as one with a line break or not in UTF-8, and leave its photo out."""
    if one.id.isprintable():
        return one
    escaped = one.id.encode("unicode_escape").decode("ascii")
    return replace(one, id=escaped, problem="the name holds characters that cannot be printed")


def names_outside(name: str) -> bool:
    """Whether a name from a table would lead out of the folder of photos, whatever lies there."""
    return PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts
