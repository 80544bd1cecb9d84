"""Points of a video made steady without lag: what trembles is averaged away, what moves is kept.

A face is taken apart into its place (shift, turn and scale of the points that neither lids nor lips move) and its shape
(the points once that is taken away). Both are divided into bands by local parabolas over ever longer stretches, which
weigh frames alike to both sides, so that nothing comes late. In each band the points of a group, such as the lids, are
kept in the frames in which together they move by more than their tremble, and averaged away in the others. So a blink
stands out, which moves both lids at once, where one point's would not.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskkit.points.landmarks import GROUPS, Points, check_points
from maskkit.points.similarity import fit_similarity
from maskkit.video.tracking import Track

STRETCHES = (2, 4, 8)  # frames to each side that a parabola is laid through
STILL_POINTS = [*GROUPS["nose_bridge"], *GROUPS["nose_base"], 36, 39, 42, 45]
MOVED_TOGETHER = tuple(
    [index for name in names for index in GROUPS[name]]
    for names in (("jaw",), ("right_brow", "left_brow"), ("nose_bridge", "nose_base"), ("right_eye", "left_eye"),
                  ("outer_lip", "inner_lip"))
)  # fmt: skip
# A band is kept whole from so many times the energy that tremble has there, and left out below so many. With 2 and 3 a
# film's error against known points falls to 0.60 instead of 0.51 of what it was; from 4 and 6 on little is won.
LEAST_ENERGY, FULL_ENERGY = 3.0, 5.0
MEDIAN = 0.6745  # the median of the size of a normal number of variance 1
SHORTEST = 4  # frames; fewer are left as they are


def smooth(track: Track) -> Track:
    """Make each unbroken run of a track's frames steady."""
    points = track.points.copy()
    for run in track.runs():
        points[run] = smooth_points(points[run], track.times[run])
    return replace(track, points=points)


def smooth_points(points: ArrayLike, times: ArrayLike | None = None) -> Points:
    """Make the points of one unbroken run of frames steady: (F, 68, 2) -> float32 (F, 68, 2), without lag.

    `times` (F,) are those of the frames in any unit; without them, and where they do not rise, frames lie at even
    distances. Raises PointsError.
    """
    faces = check_points(points)
    if faces.ndim != 3 or len(faces) < SHORTEST:
        return faces
    bands = _Bands(_in_frames(len(faces), times))
    z = faces[..., 0].astype(np.complex128) + 1j * faces[..., 1]
    mean = z.mean(axis=0)
    middle = mean[STILL_POINTS].mean()
    radius = float(np.sqrt((np.abs(mean - middle) ** 2).mean()))
    target = np.stack([mean.real, mean.imag], axis=-1)[STILL_POINTS]
    matrices = fit_similarity(faces[:, STILL_POINTS], target, "the points of the eyes and nose")
    turn, shift = (matrices[:, 0, column] + 1j * matrices[:, 1, column] for column in (0, 2))
    shape = z * turn[:, None] + shift[:, None] - middle
    for group in MOVED_TOGETHER:
        shape[:, group] = bands.smooth(shape[:, group])
    pose = bands.smooth(np.stack([(middle - shift) / turn, radius / turn], axis=-1))
    z = pose[:, :1] + pose[:, 1:] / radius * shape
    return np.stack([z.real, z.imag], axis=-1).astype(np.float32)


class _Bands:
    """Divides signals (F, n) of frames at rising times (F,) into bands by parabolas over ever longer stretches."""

    def __init__(self, times: NDArray[np.float64]) -> None:
        widest = max(STRETCHES)
        whole = np.zeros((len(times), 2 * widest + 1))
        whole[:, widest] = 1  # each frame by itself
        levels = [whole, *(_parabolas(times, stretch, widest) for stretch in STRETCHES)]
        self.weights = [finer - coarser for finer, coarser in pairwise(levels)]
        self.rest = levels[-1]

    def smooth(self, signals: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Leave out of each band what is no more than tremble, in every frame for all the signals together."""
        smoothed = _weighted(signals, self.rest)
        tremble = None
        for weights in self.weights:
            band = _weighted(signals, weights)
            passed = (weights**2).sum(axis=1)[:, None]  # the share of white noise's variance that is in the band
            # Most frames hold nothing that is as fast as the first band; the median does not see the few that do.
            sizes = np.abs(np.stack([band.real, band.imag])) / np.sqrt(np.maximum(passed, 1e-12))
            tremble = np.median(sizes) / MEDIAN if tremble is None else tremble
            energy = (sizes**2).mean(axis=(0, 2)) / max(tremble**2, 1e-12)
            kept = np.clip((energy - LEAST_ENERGY) / (FULL_ENERGY - LEAST_ENERGY), 0, 1)
            smoothed = smoothed + kept[:, None] * band
        return smoothed


def _parabolas(times: NDArray[np.float64], stretch: int, widest: int) -> NDArray[np.float64]:
    """The weights (F, 2 * widest + 1) by which the neighbours of each frame make the value of their parabola there.

    Least squares with tricube weights (Cleveland 1979); at the ends of a run the neighbours lie to one side.
    """
    offsets = np.arange(-widest, widest + 1)
    neighbours = np.arange(len(times))[:, None] + offsets
    inside = (neighbours >= 0) & (neighbours < len(times))
    tricube = np.clip(1 - np.abs(offsets / (stretch + 1)) ** 3, 0, 1) ** 3
    weights = inside * tricube
    t = np.where(inside, times[np.clip(neighbours, 0, len(times) - 1)] - times[:, None], 0)
    powers = np.stack([np.ones_like(t), t, t**2], axis=-1)
    moments = np.einsum("fk,fki,fkj->fij", weights, powers, powers)
    at_zero = np.linalg.solve(moments, np.broadcast_to(np.eye(3)[:, :1], (len(times), 3, 1)))[..., 0]
    return np.asarray(weights * np.einsum("fki,fi->fk", powers, at_zero))


def _weighted(signals: NDArray[np.complex128], weights: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Sums of each frame's neighbours: (F, n) and weights (F, K), the middle one of which is the frame's own."""
    reach = weights.shape[1] // 2
    padded = np.pad(signals, ((reach, reach), (0, 0)))
    summed = np.zeros_like(signals)
    for place in range(weights.shape[1]):
        summed += weights[:, place, None] * padded[place : place + len(signals)]
    return summed


def _in_frames(count: int, times: ArrayLike | None) -> NDArray[np.float64]:
    """The times in units of the usual step, so that their squares stay small."""
    seconds = np.arange(count) if times is None else np.asarray(times, dtype=np.float64)
    steps = np.diff(seconds)
    if not (steps > 0).all():
        return np.arange(count, dtype=np.float64)
    return np.asarray((seconds - seconds[0]) / np.median(steps))
