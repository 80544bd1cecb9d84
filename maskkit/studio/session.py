"""What is decided while the page is open: one state for all tabs, on the disk before it is answered."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

import cv2
import numpy as np

from maskkit.corrections.correction_files import check_size, read_corrections, write_corrections
from maskkit.corrections.decisions import CORRECT, VERDICTS, Correction, Corrections, picture_digest
from maskkit.errors import CorrectionsError, StudioError
from maskkit.points.landmarks import Points
from maskkit.studio.proposals import Propose
from maskkit.studio.review import ReviewedRows

MOST_STEPS = 10_000  # that can be undone


class ChangedError(StudioError):
    """A row that somebody else, such as another tab, has decided on since the page saw it."""


@dataclass
class _Step:
    """A change of one row's decision. Changes of one row with one `gesture` are undone together."""

    id: str
    before: Correction | None
    after: Correction | None
    gesture: str


class Session:
    """The rows, what is decided about them, and the steps that led there.

    Every change is written to `file` before it counts; where that fails nothing has changed. Its methods may be called
    from several threads. Raises CorrectionsError where `file` is there and does not fit the data set.
    """

    def __init__(self, rows: ReviewedRows, file: Path) -> None:
        self.rows, self.file = rows, file
        self._lock = RLock()
        self._decided: dict[str, Correction] = {}
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self._versions: Counter[str] = Counter()
        if file.exists():
            found = read_corrections(file)
            check_size(found, rows.size, [file])
            if unknown := sorted(found.rows.keys() - rows.position.keys()):
                raise CorrectionsError(
                    f"{file} decides on {unknown[0]}, and {rows.folder} has no such row; name another --corrections"
                )
            self._decided = dict(found.rows)

    def counts(self) -> dict[str, int]:
        """How many rows there are, are doubtful, and have each verdict."""
        with self._lock:
            verdicts = Counter(one.verdict for one in self._decided.values())
        return {
            "rows": len(self.rows.rows), "doubtful": self.rows.doubtful, **{name: verdicts[name] for name in VERDICTS}
        }  # fmt: skip

    def state(self, number: int) -> dict[str, Any]:
        """A row as the page shows it; StudioError where there is none at this position."""
        self._check(number)
        one = self.rows.rows[number]
        with self._lock:
            sample = self.rows.read(number)
            decided = self._decided.get(one.id)
            points: Points = sample["landmarks"] if decided is None else decided.wanted
            return {
                "position": number,
                "id": one.id,
                "split": one.split,
                "detector": sample["detector"],
                "reasons": list(one.reasons),
                "verdict": None if decided is None else decided.verdict,
                "points": points.tolist(),
                "version": self._versions[one.id],
                "counts": self.counts(),
                "undo": len(self._done),
                "redo": len(self._undone),
            }

    def picture(self, number: int) -> bytes:
        """The photo of a row as PNG."""
        self._check(number)
        with self._lock:
            image = self.rows.read(number)["image"]
        done, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
        if not done:
            raise StudioError(f"the picture of {self.rows.rows[number].id} could not be packed")
        return data.tobytes()

    def propose(self, number: int, propose: Propose) -> Points:
        """Points to begin with, by one of PROPOSALS; a MaskkitError where it has none."""
        self._check(number)
        with self._lock:
            return propose(self.rows, number)

    def decide(self, number: int, verdict: str | None, points: Points | None, seen: int, gesture: str) -> None:
        """Accept, correct or reject a row, or with None take back what was decided.

        `seen` is the version of the row that the page shows; ChangedError where there is a newer one.
        """
        self._check(number)
        if verdict not in (*VERDICTS, None) or (verdict == CORRECT) != (points is not None):
            raise StudioError(f"{str(verdict)[:40]!r} with{'out' if points is None else ''} points is no decision")
        with self._lock:
            name = self.rows.rows[number].id
            if self._versions[name] != seen:
                raise ChangedError(f"{name} was changed in another tab, and is shown as it is now")
            before = self._decided.get(name)
            after = None if verdict is None else self._correction(number, verdict, points, before)
            self._change(name, after)
            last = self._done[-1] if self._done else None
            if last is not None and last.id == name and last.gesture == gesture and not self._undone:
                last.after = after
            else:
                self._done.append(_Step(name, before, after, gesture))
                del self._done[:-MOST_STEPS]
            self._undone.clear()

    def undo(self) -> int:
        """Take back the last step, in whichever tab it was made; gives the position of its row."""
        with self._lock:
            if not self._done:
                raise StudioError("there is nothing to undo")
            step = self._done[-1]
            self._change(step.id, step.before)
            self._undone.append(self._done.pop())
            return self.rows.position[step.id]

    def redo(self) -> int:
        """Make the last step that was taken back again; gives the position of its row."""
        with self._lock:
            if not self._undone:
                raise StudioError("there is nothing to redo")
            step = self._undone[-1]
            self._change(step.id, step.after)
            self._done.append(self._undone.pop())
            return self.rows.position[step.id]

    def next_undecided(self, number: int) -> int:
        """The next position after one, and round from the end, whose row nobody has decided on; itself if all are."""
        count = len(self.rows.rows)
        with self._lock:
            ahead = ((number + step) % count for step in range(1, count + 1))
            return next((place for place in ahead if self.rows.rows[place].id not in self._decided), number)

    def find(self, text: str) -> int:
        """The position of the row of an id, or of the first whose id holds the text; StudioError without one."""
        if text in self.rows.position:
            return self.rows.position[text]
        for number, one in enumerate(self.rows.rows):
            if text and text in one.id:
                return number
        raise StudioError(f"no row's id holds {text[:80]!r}")

    def _check(self, number: int) -> None:
        if not 0 <= number < len(self.rows.rows):
            raise StudioError(f"there is no row at {number}; there are {len(self.rows.rows):,}")

    def _correction(self, number: int, verdict: str, points: Points | None, before: Correction | None) -> Correction:
        if before is not None:  # what was there before the first decision stays what was there before
            return Correction(verdict, before.photo, before.before, points)
        sample = self.rows.read(number)
        return Correction(verdict, picture_digest(sample["image"]), sample["landmarks"], points)

    def _change(self, name: str, decided: Correction | None) -> None:
        """Write the file with another decision about a row, and only then call it decided."""
        changed: Mapping[str, Correction] = {key: one for key, one in self._decided.items() if key != name}
        changed = changed if decided is None else {**changed, name: decided}
        if changed or self.file.exists():
            write_corrections(self.file, Corrections(self.rows.size, changed))
        self._decided = dict(changed)
        self._versions[name] += 1
