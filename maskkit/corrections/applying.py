"""A decision applied to the row that it is about."""

from dataclasses import replace

from maskkit.corrections.decisions import CORRECT, REJECT, Correction, picture_digest
from maskkit.errors import CorrectionsError
from maskkit.shards.description import BY_HAND
from maskkit.shards.writer import Rejection, Row

NAN = float("nan")


def apply_correction(row: Row, correction: Correction) -> Row | Rejection:
    """The row as it was decided: as it is, with other points and a mask still to be drawn from them, or rejected.

    Raises CorrectionsError where its picture is not the one that was looked at.
    """
    if picture_digest(row.image) != correction.photo:
        raise CorrectionsError(
            f"{row.id}: its picture is not the one that the corrections are about, by its SHA-256; look at it again, "
            "or remove its line from the file of corrections"
        )
    if correction.verdict == REJECT:
        return Rejection(row.id)
    points = correction.wanted
    if row.landmarks is None:
        raise CorrectionsError(f"{row.id}: it has no points that could be corrected; its mask came without them")
    if correction.verdict != CORRECT and (row.landmarks == points).all():
        return row
    # Score and quality are those of the detector's points.
    quality = None if row.quality is None else NAN
    return replace(row, landmarks=points, detector=BY_HAND, score=NAN, quality=quality)
