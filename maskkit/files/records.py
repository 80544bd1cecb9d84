"""Records of what was written into a folder: the proof that it may be replaced, and the list of what may go."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from maskkit.files.atomic import sync_folder
from maskkit.files.hidden import is_hidden
from maskkit.files.regular import read_regular

LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>.+)")

# Each file by its path below the folder, with what proves it to be unchanged: its SHA-256, its size in bytes, or
# nothing but the name, where the format says what a file of that name is.
Listed = Mapping[str, str | int | None]


class Record(Protocol):
    """How a kind of folder tells what was written into it."""

    what: str  # the kind, in words

    def write(self, folder: Path) -> None:
        """Note what a finished folder holds."""
        ...

    def read(self, folder: Path) -> Listed:
        """What the folder's record lists, itself included; nothing where there is none that is ours."""
        ...


class DigestList:
    """A hidden file of SHA-256 digests, as `sha256sum` writes them: `sha256sum -c` checks it."""

    def __init__(self, kind: str, what: str) -> None:
        self.name, self.what = f".maskkit-{kind}.sha256", what

    def write(self, folder: Path) -> None:
        """List every file below the folder."""
        lines = [_line(name, digest(folder / name)) for name in sorted(files_below(folder)) if name != self.name]
        (folder / self.name).write_bytes(b"".join(lines))

    def read(self, folder: Path) -> Listed:
        """The files with their digests."""
        lines = self.lines(folder)
        return {**dict(lines), self.name: None} if lines else {}

    def lines(self, folder: Path) -> list[tuple[str, str]]:
        """Every name with its digest, in the order they were written; none where there is no such file."""
        path = folder / self.name
        try:
            if path.is_symlink():
                return []
            text = read_regular(path).decode("utf-8", errors="surrogateescape")
        except OSError:
            return []
        found = [LINE.fullmatch(line) for line in text.split("\n")]
        return [(match["name"], match["digest"]) for match in found if match]

    def append(self, folder: Path, name: str, digest: str) -> None:
        """Add a line to the list."""
        descriptor = os.open(folder / self.name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            os.write(descriptor, _line(name, digest))  # in one call, so that two processes do not mix their lines
        finally:
            os.close(descriptor)


def _line(name: str, digest: str) -> bytes:
    return f"{digest}  {name}\n".encode(errors="surrogateescape")


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path) -> Iterator[str]:
    """Every file, link and empty folder below a folder, by its path from there."""
    for place, folders, files in os.walk(folder, onerror=_raise):
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*files, *links):
            yield (here / name).relative_to(folder).as_posix()
        if not folders and not files and here != folder:
            yield here.relative_to(folder).as_posix()


def strangers(folder: Path, listed: Listed) -> list[str]:
    """What lies in the folder and is not as the record lists it; locks and leftovers of ours are no content."""
    found = (name for name in files_below(folder) if not is_hidden(name))
    return sorted(name for name in found if not _proven(folder / name, name, listed))


def remove_listed(folder: Path, listed: Listed) -> bool:
    """Remove the files of a record, and the folders that are empty then; whether nothing was left."""
    for name in (*listed, *(path.name for path in folder.iterdir() if is_hidden(path.name))):
        with suppress(OSError):
            (folder / name).unlink()
    emptied = {folder / parent for name in listed for parent in Path(name).parents}
    for place in sorted(emptied, key=lambda one: len(one.parts), reverse=True):
        with suppress(OSError):
            place.rmdir()
    with suppress(OSError):
        sync_folder(folder.parent)
    return not folder.exists()


def _proven(path: Path, name: str, listed: Listed) -> bool:
    if name not in listed or path.is_symlink() or not path.is_file():
        return False
    proof = listed[name]
    if isinstance(proof, int):
        return path.stat().st_size == proof
    return proof is None or digest(path) == proof


def _raise(error: OSError) -> None:
    raise error
