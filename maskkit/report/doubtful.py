"""Rows that somebody should look at, by rules that are stated."""

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.report.histogram import FAR, OUTSIDE
from maskkit.report.statistics import SplitStatistics, areas_of, points_of
from maskkit.shards.description import Dataset
from maskkit.shards.reader import Shard

FEWEST = 20  # rows of a split from which quartiles say something
COMMON = 0.99  # a region that this share of the rows has is missed where it is absent
GUESSED = ("usual-box",)  # steps that found no face and took the place where faces usually are
SHAKY = 0.1  # the quality score from which points are doubtful
MOST_LISTED = 2000  # rows kept with their reasons, the worst first; all are counted

Flags = NDArray[Any]

RULES = {
    "shape": f"the points are farther from the split's mean face than the upper quartile plus {OUTSIDE:g} quartile "
    "distances (after the similarity that brings the face closest to it)",
    "area": f"a region's share of the picture is more than {FAR:g} quartile distances beyond a quartile of its split",
    "missing": f"a region that {COMMON:.0%} of the split's rows have takes no pixel",
    "guessed": f"no detector found the face: its points come from the step {', '.join(GUESSED)}",
    "quality": f"the points move by more than {SHAKY:g} of the eyes' distance when the face's box is shifted a little "
    "(data sets built with --quality)",
}


@dataclass(frozen=True)
class DoubtfulRow:
    """A row with the rules that it meets, in words, and how far out it is in quartile distances."""

    split: str
    file: str
    row: int
    id: str
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    severity: float


class DoubtfulRows:
    """The worst doubtful rows of a data set, and the number of all."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.total = 0
        self._worst: list[tuple[float, int, DoubtfulRow]] = []

    def add(self, row: DoubtfulRow) -> None:
        """Count a row, and keep it if it is among the worst."""
        self.total += 1
        self.counts.update(row.rules)
        entry = (row.severity, -self.total, row)  # of equals the first
        if len(self._worst) < MOST_LISTED:
            heapq.heappush(self._worst, entry)
        else:
            heapq.heappushpop(self._worst, entry)

    def worst_first(self) -> list[DoubtfulRow]:
        """The rows that are kept."""
        return [row for _, _, row in sorted(self._worst, key=lambda entry: entry[:2], reverse=True)]


@dataclass(frozen=True)
class _Doubt:
    """One rule that a row meets."""

    rule: str
    reason: str
    severity: float


class Judge:
    """The rules of one split, made from its statistics."""

    def __init__(self, statistics: SplitStatistics) -> None:
        self.statistics = statistics
        self.enough = statistics.rows >= FEWEST
        nowhere = (-np.inf, np.inf)
        histograms = statistics.areas.values()
        self.area_fences = np.array([one.fences(FAR) if self.enough else nowhere for one in histograms]).T
        self.farthest = statistics.distance.fences(OUTSIDE)[1] if self.enough else np.inf
        present = 1 - np.array([statistics.absent[name] for name in statistics.areas]) / max(1, statistics.rows)
        self.common = (present >= COMMON) & self.enough

    def hold(self, shard: Shard, split: str, dataset: Dataset, found: DoubtfulRows) -> None:
        """Hold every row of a shard to the rules, and add those that meet one to `found`."""
        areas = areas_of(shard, dataset)
        rows = shard.found()
        distances = np.zeros(len(shard))
        if shard.has_landmarks:
            distances = self.statistics.distances(points_of(shard))
        scores = shard.qualities()
        qualities = np.zeros(len(shard)) if scores is None else np.nan_to_num(scores, nan=0.0)
        low, high = self.area_fences
        missing = (areas == 0) & self.common
        outside = ((areas < low) | (areas > high)) & ~missing
        guessed = np.array([step in GUESSED for _, step, _ in rows], dtype=bool)
        flagged = missing.any(axis=1) | outside.any(axis=1) | (distances > self.farthest) | guessed
        flagged |= qualities > SHAKY
        for row in np.flatnonzero(flagged).tolist():
            doubts = list(self._shape(float(distances[row])))
            doubts += self._areas(areas[row], missing[row], outside[row])
            if guessed[row]:
                doubts.append(_Doubt("guessed", f"points from the step {rows[row][1]}", 0.0))
            doubts += self._quality(float(qualities[row]))
            found.add(_row(split, shard.path.name, row, rows[row][0], doubts))

    def _shape(self, distance: float) -> Iterator[_Doubt]:
        if distance > self.farthest:
            severity = self.statistics.distance.severity(distance)
            yield _Doubt("shape", f"shape {distance:.3f} of the eyes' distance from the mean face", severity)

    def _quality(self, value: float) -> Iterator[_Doubt]:
        if value > SHAKY:
            severity = self.statistics.quality.severity(value)
            yield _Doubt("quality", f"points move by {value:.3f} of the eyes' distance with the box", severity)

    def _areas(self, areas: Flags, missing: Flags, outside: Flags) -> Iterator[_Doubt]:
        for number, (name, histogram) in enumerate(self.statistics.areas.items()):
            share = float(areas[number])
            severity = histogram.severity(share)
            if missing[number]:
                yield _Doubt("missing", f"{name} is absent", severity)
            elif outside[number]:
                side = "small" if share < histogram.mean else "large"
                yield _Doubt("area", f"{name} {side}: {share:.2%} of the picture", severity)


def _row(split: str, file: str, row: int, name: str, doubts: list[_Doubt]) -> DoubtfulRow:
    rules = tuple(dict.fromkeys(doubt.rule for doubt in doubts))
    severity = max(doubt.severity for doubt in doubts)
    return DoubtfulRow(split, file, row, name, rules, tuple(doubt.reason for doubt in doubts), severity)
