"""What a person decided about rows, and the readable file of it (docs/studio.md)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from maskkit.errors import CorrectionsError, PointsError
from maskkit.photos.images import Picture
from maskkit.points.landmarks import Points, check_points
from maskkit.shards.description import LARGEST_SIZE

FORMAT, VERSION = "maskkit-corrections", 1
ACCEPT, CORRECT, REJECT = VERDICTS = ("accept", "correct", "reject")
DIGEST = "corrections_sha256"  # what a data set's source says of the decisions that went into it
DIGITS = 64  # of a SHA-256 in hexadecimal


def picture_digest(image: Picture) -> str:
    """The SHA-256 of a row's picture, uint8 RGB (H, W, 3), by which a decision knows the photo that it is about."""
    return hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()


@dataclass(frozen=True, eq=False)
class Correction:
    """The decision about one row: `accept` its points, `correct` them to `points`, or `reject` the row.

    `photo` is the digest of its picture and `before` are its points when it was looked at, float32 (68, 2) on the
    data set's grid, as `points` are.
    """

    verdict: str
    photo: str
    before: Points
    points: Points | None = None

    @property
    def wanted(self) -> Points:
        """The points that a row has which is not rejected."""
        return self.before if self.points is None else self.points

    @cached_property
    def text(self) -> str:
        """The decision without its row's id, as the file holds it; the same for equal decisions."""
        entry = {"verdict": self.verdict, "photo": self.photo, "before": _numbers(self.before)}
        if self.points is not None:
            entry["points"] = _numbers(self.points)
        return json.dumps(entry)


@dataclass(frozen=True)
class Corrections:
    """The decisions about rows of `image_size` x `image_size` pixels, by the rows' ids."""

    image_size: int
    rows: Mapping[str, Correction]

    def encode(self) -> bytes:
        """The file: JSON, a line for each row, sorted by id; the same for equal decisions."""
        head = f'"format": "{FORMAT}",\n "version": {VERSION},\n "image_size": {self.image_size}'
        lines = [
            f'  {{"id": {json.dumps(name, ensure_ascii=False)}, {self.rows[name].text[1:]}'
            for name in sorted(self.rows)
        ]
        rows = ",\n".join(lines)
        return f'{{\n {head},\n "rows": [\n{rows}\n ]\n}}\n'.encode()

    def sha256(self) -> str:
        """The digest of the file, the same whatever files the decisions came from."""
        return hashlib.sha256(self.encode()).hexdigest()

    @classmethod
    def from_content(cls, content: Any, source: str) -> "Corrections":
        """Check what JSON gave of a file; CorrectionsError names `source` and what is wrong."""
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise CorrectionsError(f"{source}: not a file of corrections; `maskkit studio` writes them")
        if content.get("version") != VERSION:
            raise CorrectionsError(
                f"{source}: format version {content.get('version')}, and this maskkit reads {VERSION}"
            )
        size, entries = content.get("image_size"), content.get("rows")
        if type(size) is not int or not 1 <= size <= LARGEST_SIZE:  # True would be one too
            raise CorrectionsError(
                f"{source}: image_size is {str(size)[:40]!r}, and a whole number of pixels is needed"
            )
        if not isinstance(entries, list):
            raise CorrectionsError(f"{source}: rows is not a list of decisions")
        rows: dict[str, Correction] = {}
        for number, entry in enumerate(entries):
            name = entry.get("id") if isinstance(entry, dict) else None
            if not isinstance(name, str) or not name:
                raise CorrectionsError(f"{source}, row {number}: it has no id")
            if name in rows:
                raise CorrectionsError(f"{source}: {name} is decided on twice; remove one of the two")
            rows[name] = _correction(entry, f"{source}, {name}")
        return cls(size, rows)


def _correction(entry: dict[str, Any], where: str) -> Correction:
    verdict, photo = entry.get("verdict"), entry.get("photo")
    if verdict not in VERDICTS:
        raise CorrectionsError(f"{where}: the verdict is {str(verdict)[:40]!r}; it is one of {', '.join(VERDICTS)}")
    if not isinstance(photo, str) or len(photo) != DIGITS:
        raise CorrectionsError(f"{where}: photo is not the SHA-256 of a picture")
    if (verdict == CORRECT) != ("points" in entry):
        raise CorrectionsError(f"{where}: points belong to the verdict {CORRECT} and to no other")
    points = _points(entry["points"], f"{where}: points") if verdict == CORRECT else None
    return Correction(verdict, photo, _points(entry.get("before"), f"{where}: before"), points)


def _points(value: Any, where: str) -> Points:
    try:
        points = check_points(value, where)
    except PointsError as error:
        raise CorrectionsError(str(error)) from error
    if points.ndim != 2:
        raise CorrectionsError(f"{where}: expected shape (68, 2), got {points.shape}")
    return points


def _numbers(points: Points) -> list[list[float]]:
    """The points by the fewest digits that give the same float32 again."""
    return [[float(str(x)), float(str(y))] for x, y in points]
