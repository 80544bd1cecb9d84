"""In-between faces: points move, and masks are drawn anew from them, so that regions travel instead of fading."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskkit.errors import PointsError
from maskkit.points.landmarks import Points, check_points

Play = Literal["once", "loop", "ping-pong"]
PLAYS: tuple[Play, ...] = get_args(Play)
Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]

# How far a frame is on its way from one key to the next at the time t, both from 0 to 1.
EASINGS: dict[str, Curve] = {
    "linear": lambda t: t,
    "smooth": lambda t: t * t * (3 - 2 * t),
    "sine": lambda t: (1 - np.cos(np.pi * t)) / 2,
    "ease-in": lambda t: t * t,
    "ease-out": lambda t: t * (2 - t),
}
FARTHEST = 1.0  # beyond an end, in ways from one key to the next


def interpolate(a: ArrayLike, b: ArrayLike, steps: int) -> Points:
    """Straight paths from the points `a` to `b`, both (68, 2): float32 (steps, 68, 2), both ends included exactly.

    `steps` is at least 2. SCGAN paper, spatial interpolation: landmarks are interpolated, never one-hot maps.
    """
    start, end = check_points(a, "the first points"), check_points(b, "the last points")
    if start.shape != end.shape or start.ndim != 2:
        raise PointsError(f"one face is needed at each end, got shapes {start.shape} and {end.shape}")
    return morph_points(np.stack([start, end]), steps)


def morph_points(
    keys: ArrayLike, frames: int, easing: str = "linear", play: Play = "once", beyond: float = 0.0
) -> Points:
    """Lead a face through key faces (K, 68, 2), K at least 2: float32 (F, 68, 2).

    `frames` is the length of one way through, at least 2. `once` shows the first and the last key exactly; `loop` goes
    on from the last key to the first and ends one frame before it, so that it can be repeated; `ping-pong` plays the
    way forth and back, 2 * frames - 2 frames. `easing` names the speed between two keys (EASINGS). `beyond`
    overshoots both ends by this share of the way between two keys, up to 1; a loop has no ends. Raises PointsError.
    """
    faces = check_keys(keys)
    return along(close(faces, play), timeline(len(faces), frames, easing, play, beyond))


def timeline(
    keys: int, frames: int, easing: str = "linear", play: Play = "once", beyond: float = 0.0
) -> NDArray[np.float64]:
    """Where each frame of a morph lies on the path through `keys` faces, as `morph_points` describes it: float64 (F,).

    0 is the first key, 1 the second, 0.5 half-way between them, -0.5 half a way before the first; in a loop `keys` is
    the first key again.
    """
    if keys < 2 or frames < 2:
        raise PointsError(f"a morph has at least 2 keys and 2 steps, its two ends; got {keys} and {frames}")
    if easing not in EASINGS:
        raise PointsError(f"there is no easing {easing!r}: take one of {', '.join(EASINGS)}")
    if play not in PLAYS:
        raise PointsError(f"a morph is played {', '.join(PLAYS)}, not {play!r}")
    if not 0 <= beyond <= FARTHEST:
        raise PointsError(
            f"a morph goes 0 to {FARTHEST:g} ways beyond its ends, not {beyond:g}; what lies farther is no face"
        )
    if play == "loop" and beyond:
        raise PointsError(f"a loop has no ends to go {beyond:g} beyond; play it once or ping-pong")
    stops = np.arange(keys + (play == "loop"), dtype=np.float64)
    stops[0] -= beyond
    stops[-1] += beyond
    time = np.linspace(stops[0], stops[-1], frames, endpoint=play != "loop")
    way = np.clip(np.searchsorted(stops, time, side="right") - 1, 0, len(stops) - 2)
    start, end = stops[way], stops[way + 1]
    share = EASINGS[easing]((time - start) / (end - start))
    positions = (1 - share) * start + share * end  # exact at both ends
    return np.concatenate([positions, positions[-2:0:-1]]) if play == "ping-pong" else positions


def along(keys: ArrayLike, positions: ArrayLike) -> Points:
    """The faces at `positions` (F,) of the path through `keys` (K, 68, 2), numbered from 0: float32 (F, 68, 2).

    Straight from key to key, and straight on beyond both ends.
    """
    faces = check_keys(keys).astype(np.float64)
    first, share = neighbours(len(faces), positions)
    share = share[:, None, None]
    return ((1 - share) * faces[first] + share * faces[first + 1]).astype(np.float32)


def neighbours(keys: int, positions: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The key before each position, and the next one's share, which leaves 0 to 1 beyond an end: both (F,)."""
    where = np.asarray(positions, dtype=np.float64)
    first = np.clip(np.floor(where).astype(np.int64), 0, keys - 2)
    return first, where - first


def close(keys: Points, play: Play) -> Points:
    """The keys of a path: those of a loop end with the first one again."""
    return np.concatenate([keys, keys[:1]]) if play == "loop" else keys


def check_keys(keys: ArrayLike) -> Points:
    """Give key faces as float32 (K, 68, 2), K at least 2, or raise PointsError."""
    faces = check_points(keys, "the key faces")
    if faces.ndim != 3 or len(faces) < 2:
        raise PointsError(f"a morph has at least 2 keys, its two ends; got shape {faces.shape}")
    return faces
