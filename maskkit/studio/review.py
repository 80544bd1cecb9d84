"""The rows of a data set in the order in which a person looks at them: the doubtful ones first."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskkit.errors import StudioError
from maskkit.points.landmarks import Points
from maskkit.report.inspection import Inspection, OnProgress, inspect_shards
from maskkit.report.statistics import points_of
from maskkit.shards.description import Dataset
from maskkit.shards.reader import Shard


@dataclass(frozen=True)
class ReviewRow:
    """Where a row lies, and why it is doubtful, in words; no reasons where it is not."""

    split: str
    file: str
    row: int
    id: str
    reasons: tuple[str, ...] = ()


class ReviewedRows:
    """All rows of a data set, the worst doubtful ones first. Raises StudioError where they have no points to touch."""

    def __init__(self, folder: Path, on_progress: OnProgress | None = None) -> None:
        inspection = inspect_shards(folder, on_progress)
        self.folder, self.dataset = folder, inspection.dataset
        self._open: dict[str, Shard] = {}
        if not self.dataset.scheme.drawable:
            raise StudioError(
                f"{folder}: its scheme {self.dataset.scheme.name} has no polygons, so points draw no masks"
            )
        self.rows = self._in_order(inspection)
        self.doubtful = sum(bool(one.reasons) for one in self.rows)
        self.position = {one.id: number for number, one in enumerate(self.rows)}

    @property
    def size(self) -> int:
        """The side of the pictures in pixels."""
        return self.dataset.size

    def read(self, number: int) -> dict[str, Any]:
        """The sample at a position, as ShardReader gives it."""
        return self.shard(number).read(self.rows[number].row)

    def neighbours(self, number: int) -> Points:
        """The points of all the rows that lie in one shard with this one, float32 (N, 68, 2)."""
        return points_of(self.shard(number))

    def shard(self, number: int) -> Shard:
        """The open shard of a row."""
        return self._shard(self.rows[number].file)

    def _shard(self, file: str) -> Shard:
        if file not in self._open:
            entry = next(entry for entry in self.dataset.shards if entry.file == file)
            self._open[file] = Shard(self.folder / file, self.dataset, entry)
        return self._open[file]

    def _in_order(self, inspection: Inspection) -> list[ReviewRow]:
        found = [ReviewRow(one.split, one.file, one.row, one.id, one.reasons) for one in inspection.doubtful]
        doubtful = {one.id for one in found}
        dataset: Dataset = inspection.dataset
        for entry in dataset.shards:
            shard = self._shard(entry.file)
            if entry.rows and not shard.has_landmarks:
                raise StudioError(
                    f"{shard.path}: its rows have no points, which came without them; nothing can be moved"
                )
            named = enumerate(shard.found())
            found += [
                ReviewRow(entry.split, entry.file, row, name) for row, (name, _, _) in named if name not in doubtful
            ]
        return found
