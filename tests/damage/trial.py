"""One damage, and what came of it."""

import logging
from pathlib import Path
from random import Random

from maskkit.errors import MaskkitError
from tests.damage.kind import Kind

DAMAGES = ("bit", "block", "tail")
BLOCK = 4096
OUTCOMES = ("refused", "mended", "no effect", "own", "SILENT")


def damaged(data: bytes, damage: str, rng: Random) -> bytes:
    """A bit flipped, a block zeroed or the tail cut off, somewhere."""
    if damage == "tail":
        return data[: rng.randrange(len(data))]
    content = bytearray(data)
    if damage == "bit":
        content[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    else:  # as a disk loses it; in small files, a part of it
        length = min(BLOCK, max(1, len(data) // 8))
        start = rng.randrange(-(-len(data) // length)) * length
        content[start : start + length] = bytes(len(content[start : start + length]))
    return bytes(content)


def try_damage(kind: Kind, folder: Path, damage: str, rng: Random, places: int) -> list[str]:
    """Damage the file at so many places, use it each time, and put it right again; give what came of each, of OUTCOMES.

    A file that an older one stood in for is mended only where the damaged one is named.
    """
    path = folder / kind.file
    whole, before = path.read_bytes(), kind.use(folder)
    outcomes = []
    try:
        for _ in range(places):
            path.write_bytes(damaged(whole, damage, rng))
            outcomes.append(_outcome(kind, folder, before))
    finally:
        path.write_bytes(whole)
    return outcomes


def _outcome(kind: Kind, folder: Path, before: object) -> str:
    name, said = Path(kind.file).name, list[str]()
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        found = kind.use(folder)
    except MaskkitError as error:
        return "refused" if name in str(error) else "SILENT"
    finally:
        logging.getLogger().removeHandler(handler)
    if any(name in line for line in said):
        return "mended"
    if found == before:
        return "no effect"
    return "own" if kind.own else "SILENT"
