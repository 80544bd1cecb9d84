"""A data set looked at as a whole."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskkit.errors import ShardError
from maskkit.report.doubtful import RULES, DoubtfulRow, DoubtfulRows, Judge
from maskkit.report.statistics import MeanShape, SplitStatistics, areas_of, points_of
from maskkit.shards.description import BY_HAND, SPLITS, Dataset, read_finished
from maskkit.shards.reader import Shard

OnProgress = Callable[[int, int], None]


@dataclass
class Inspection:
    """What was seen: statistics of each split that has rows, and the rows that somebody should look at.

    `doubtful` holds the worst first, 2,000 at most; `doubtful_total` and `doubtful_rules` count all.
    """

    folder: Path
    dataset: Dataset
    splits: dict[str, SplitStatistics]
    doubtful: list[DoubtfulRow]
    doubtful_total: int
    doubtful_rules: dict[str, int]

    @property
    def corrected(self) -> int:
        """Rows whose points a person has set."""
        return sum(one.detectors[BY_HAND] for one in self.splits.values())

    @property
    def rejected(self) -> int:
        """Rows that a person has rejected, which are not among those looked at."""
        return self.dataset.rejected()

    def __repr__(self) -> str:
        data = self.dataset
        rows = f"{sum(data.counts().values()):,} rows of {data.size} x {data.size}"
        return f"Inspection({self.folder}: {rows}, scheme {data.scheme.name}, {self.doubtful_total:,} doubtful)"

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain types, as `maskkit inspect --json` prints it."""
        dataset = self.dataset
        return {
            "rows": sum(dataset.counts().values()),
            "skipped": dataset.skipped() - self.rejected,
            "corrected": self.corrected,
            "rejected": self.rejected,
            "size": dataset.size,
            "scheme": dataset.scheme.name,
            "attribute_names": list(dataset.attribute_names),
            "splits": {name: statistics.to_dict() for name, statistics in self.splits.items()},
            "doubtful": {
                "total": self.doubtful_total,
                "rules": {rule: {"rows": self.doubtful_rules.get(rule, 0), "rule": RULES[rule]} for rule in RULES},
                "rows": [asdict(row) for row in self.doubtful],
            },
        }


def inspect_shards(folder: str | Path, on_progress: OnProgress | None = None) -> Inspection:
    """Look at every row of a data set: counts, distributions, mean masks and doubtful rows.

    The masks are read twice, first for the statistics, then to hold every row to them; the photos not at all. Memory
    holds one shard's points and no more, whatever the number of shards. `on_progress(done, total)` counts rows twice
    over. Raises ShardError for what cannot be read.
    """
    root = Path(folder)
    dataset = read_finished(root)
    total = 2 * sum(dataset.counts().values())
    if not total:
        raise ShardError(f"{root} holds no rows to look at")
    done = 0
    splits: dict[str, SplitStatistics] = {}
    found = DoubtfulRows()
    for split in SPLITS:
        entries = [entry for entry in dataset.of_split(split) if entry.rows]
        if not entries:
            continue
        statistics = SplitStatistics(dataset.scheme, dataset.attribute_names, dataset.size)
        statistics.mean_shape = _mean_shape(root, dataset, split)
        for entry in entries:
            with Shard(root / entry.file, dataset, entry) as shard:
                statistics.add(shard, areas_of(shard, dataset, statistics.colors))
            done = _told(on_progress, done + entry.rows, total)
        judge = Judge(statistics)
        for entry in entries:
            with Shard(root / entry.file, dataset, entry) as shard:
                judge.hold(shard, split, dataset, found)
            done = _told(on_progress, done + entry.rows, total)
        splits[split] = statistics
    return Inspection(root, dataset, splits, found.worst_first(), found.total, dict(found.counts))


def _mean_shape(root: Path, dataset: Dataset, split: str) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    shape = MeanShape()
    for entry in dataset.of_split(split):
        with Shard(root / entry.file, dataset, entry) as shard:
            if shard.has_landmarks:
                shape.add(points_of(shard))
    return shape.result()


def _told(on_progress: OnProgress | None, done: int, total: int) -> int:
    if on_progress is not None:
        on_progress(done, total)
    return done
