"""Which rows a run has learned from, and whether others are among them."""

from pathlib import Path

from gan.data.rows import RowsAtSize, rows_identity
from gan.runs.loading import LoadedGenerator
from maskkit.errors import MaskkitError
from maskkit.shards.reader import Shard


def learned_rows(generator: LoadedGenerator, train: RowsAtSize) -> RowsAtSize | None:
    """Find the train rows that a generator has learned from: `train`, or those in the folder that its run has noted.

    None where neither has them, by their SHA-256, or the generator does not know what it has learned from.
    """
    sha256 = generator.about.data.rows_sha256
    if sha256 and rows_identity(train) == sha256:
        return train
    noted: str = generator.settings.data.shards
    if not (sha256 and noted):
        return None
    try:
        rows = RowsAtSize(Path(noted), "train", generator.size, generator.settings.attribute_kind)
    except MaskkitError:  # moved, or no longer what it was
        return None
    return rows if rows_identity(rows) == sha256 else None


def ids_of(rows: RowsAtSize) -> list[bytes]:
    """Give the ids of all rows in their order, without the pictures. Raises ShardError."""
    found: list[bytes] = []
    for entry in rows.reader.entries:
        with Shard(rows.reader.folder / entry.file, rows.reader.dataset, entry) as shard:
            found += shard.column("id").tolist()
    return found
