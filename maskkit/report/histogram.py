"""Distributions of any number of values in constant memory."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

PERCENTILES = (1, 25, 50, 75, 99)
# Tukey's fences, in quartile distances beyond a quartile: what lies beyond the first is outside, the second far out.
OUTSIDE, FAR = 1.5, 3.0


class Histogram:
    """Counts of values between fixed edges, fine enough that quantiles are as exact as a bin is narrow.

    Values beyond the edges count in the outermost bins; NaN counts as missing. Mean, least and largest are exact.
    """

    def __init__(self, edges: NDArray[np.float64]) -> None:
        self.edges = edges
        self.counts = np.zeros(len(edges) - 1, dtype=np.int64)
        self.missing, self._sum = 0, 0.0
        self.least, self.largest = float("inf"), float("-inf")

    def add(self, values: ArrayLike) -> None:
        """Count values of any shape."""
        array = np.asarray(values, dtype=np.float64).ravel()
        known = array[~np.isnan(array)]
        self.missing += len(array) - len(known)
        if not len(known):
            return
        bins = np.clip(np.searchsorted(self.edges, known, side="right") - 1, 0, len(self.counts) - 1)
        self.counts += np.bincount(bins, minlength=len(self.counts))
        self._sum += float(known.sum())
        self.least, self.largest = min(self.least, float(known.min())), max(self.largest, float(known.max()))

    @property
    def total(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """The mean; NaN of nothing."""
        return self._sum / self.total if self.total else float("nan")

    def quantile(self, share: float) -> float:
        """The value that `share` of the values lie below, interpolated inside its bin; NaN of nothing."""
        if not self.total:
            return float("nan")
        wanted = share * self.total
        ends = np.cumsum(self.counts)
        number = int(np.searchsorted(ends, wanted, side="left"))
        number = max(number, int(np.flatnonzero(self.counts)[0]))
        inside = (wanted - (ends[number] - self.counts[number])) / self.counts[number]
        value = self.edges[number] + inside * (self.edges[number + 1] - self.edges[number])
        return float(np.clip(value, self.least, self.largest))

    def fences(self, reach: float) -> tuple[float, float]:
        """The values `reach` quartile distances beyond the quartiles, below and above.

        Infinite if the quartiles are one value or nothing was counted.
        """
        low, high = self.quantile(0.25), self.quantile(0.75)
        if not high > low:
            return float("-inf"), float("inf")
        return low - reach * (high - low), high + reach * (high - low)

    def severity(self, value: float) -> float:
        """How far a value lies beyond the nearer quartile, in quartile distances; 0 between them."""
        low, high = self.quantile(0.25), self.quantile(0.75)
        return max(low - value, value - high, 0.0) / (high - low) if high > low else 0.0

    def coarse(self, low: float, high: float, bins: int) -> list[float]:
        """Shares of the values in `bins` equal stretches from `low` to `high`; those outside count at the ends."""
        middles = (self.edges[:-1] + self.edges[1:]) / 2
        number = np.clip(((middles - low) / (high - low) * bins).astype(int), 0, bins - 1)
        shares = np.bincount(number, weights=self.counts, minlength=bins) / max(1, self.total)
        return [float(share) for share in shares]

    def to_dict(self) -> dict[str, float]:
        """Mean, least, largest and percentiles, and how many values were missing."""
        known = {f"p{percent}": self.quantile(percent / 100) for percent in PERCENTILES}
        ends = {"min": self.least, "max": self.largest} if self.total else {}
        return {"mean": self.mean, **ends, **known, "missing": self.missing}
