"""Which of the measured rows a run, or its judges, have learned from: by their ids."""

import logging
from collections.abc import Iterable
from typing import Any

from gan.data.rows import RowsAtSize, rows_identity
from gan.runs.learned_rows import ids_of, learned_rows
from gan.runs.loading import LoadedGenerator

log = logging.getLogger(__name__)


def count_learned(
    generator: LoadedGenerator, train: RowsAtSize, measured: list[RowsAtSize], count: int | None
) -> int | None:
    """Count the measured rows that the run has learned from, and warn of them; None, with a warning, if unknown."""
    learned = learned_rows(generator, train)
    if learned is None:
        log.warning(
            "whether the run has learned from the measured rows cannot be told: its train rows are not those of %s, "
            "as far as it has noted them, and not found where it was trained; figures on rows that it knows flatter it",
            train.reader.folder,
        )
        return None
    return _count(
        measured, count, learned, "the run has learned from", "figures on them flatter it. Measure on other rows"
    )


def describe_taught(
    generator: LoadedGenerator, train: RowsAtSize, taught: RowsAtSize, measured: list[RowsAtSize], count: int | None
) -> dict[str, Any]:
    """Say which rows the judges learn from, how many of the measured ones are among them, and warn of those.

    Also how many of them the run has learned from as well; None if unknown.
    """
    learned = learned_rows(generator, train)
    return {
        "shards": str(taught.reader.folder),
        "count": len(taught),
        "sha256": rows_identity(taught),
        "measured": _count(
            measured, count, taught, "the judges learn from",
            "what judges know by heart they see too well. Give them rows of other photos (--judge-shards)",
        ),
        "seen_in_training": None if learned is None else len(_known(ids_of(taught), learned)),
    }  # fmt: skip


def _count(measured: list[RowsAtSize], count: int | None, by: RowsAtSize, whose: str, so: str) -> int:
    """Count the first `count` rows whose ids are among those `by`, and warn of them."""
    ids = [name for split in measured for name in ids_of(split)][:count]
    known = _known(ids, by)
    if known:
        log.warning(
            "%d of the %d measured rows have ids of rows that %s, %s the first; %s",
            len(known), len(ids), whose, known[0].decode(errors="replace"), so,
        )  # fmt: skip
    return len(known)


def _known(ids: Iterable[bytes], by: RowsAtSize) -> list[bytes]:
    known = set(ids_of(by))
    return [name for name in ids if name in known]
