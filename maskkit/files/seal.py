"""A seal: the SHA-256 of a file in its own last line, so that whoever reads it can tell whether it is as written.

For files whose format has no checksum that its reader looks at, and passes over what follows its end: torch's archives
and HDF5. SHA-256 reads 1.3 GB a second, twice as fast as BLAKE2 and two thirds as fast as CRC-32.
"""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from maskkit.errors import DamageError
from maskkit.files.atomic import write_atomically

_SEAL = re.compile(rb"\nsha256 ([0-9a-f]{64})\n")
_LENGTH = 73
_PART = 1 << 20


def write_sealed(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file atomically, as `write_atomically` does, and its seal behind what `write` puts into it."""

    def seal(file: BinaryIO) -> None:
        hashing = _Hashing(file)
        write(hashing)  # type: ignore[arg-type]  # it writes and flushes, which is all that is allowed here
        file.write(f"\nsha256 {hashing.hash.hexdigest()}\n".encode())

    write_atomically(path, seal)


def sealed(content: bytes | memoryview) -> bytes:
    """Give what `write_sealed` would write of this content."""
    return bytes(content) + f"\nsha256 {hashlib.sha256(content).hexdigest()}\n".encode()


def check_seal(file: BinaryIO, path: Path) -> bool:
    """Compare an open file with its seal and go back to its start; False where it has none.

    Raises DamageError where the two differ.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LENGTH))
    seal = _SEAL.fullmatch(file.read(_LENGTH))
    file.seek(0)
    if seal is None:
        return False
    found, left = hashlib.sha256(), size - _LENGTH
    while left and (part := file.read(min(left, _PART))):
        found.update(part)
        left -= len(part)
    file.seek(0)
    if found.hexdigest() != seal[1].decode():
        raise DamageError(f"{path} is damaged: it is not what was written, by the SHA-256 at its end")
    return True


class _Hashing:
    """A file being written, and the SHA-256 of what has been."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.hash = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()
