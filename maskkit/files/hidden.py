"""Hidden files beside a result, while it is made and after a crash: how they are called, and when they may go."""

import fcntl
import hashlib
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

LONGEST_NAME = 200  # bytes of a result's name that are kept; file systems end at 255, and the endings take up to 32
LEFTOVER = re.compile(r"\.(?P<name>.+)\.[0-9]+-[0-9a-f]{8}\.(?P<state>partial|replaced)", re.DOTALL)
LOCK_INSIDE = ".maskkit.lock"  # of a folder that is written in its place


def partial_path(path: Path, state: str = "partial") -> Path:
    """A name beside `path` that no other process has and that no process before had."""
    return path.with_name(f".{_shortened(path.name)}.{os.getpid()}-{secrets.token_hex(4)}.{state}")


def lock_path(path: Path) -> Path:
    """The lock file of a result that takes its name as a whole."""
    return path.with_name(f".{_shortened(path.name)}.lock")


def is_hidden(name: str) -> bool:
    """Whether a name in a folder that is written in its place is a lock or what a crash left, and no content."""
    return name == LOCK_INSIDE or LEFTOVER.fullmatch(name) is not None


def leftovers(folder: Path, name: str | None = None) -> list[Path]:
    """What crashes and running processes have in `folder` under partial names: of the result `name`, or of all."""
    wanted = None if name is None else _shortened(name)
    with suppress(OSError):
        found = [(LEFTOVER.fullmatch(path.name), path) for path in folder.iterdir()]
        return [path for match, path in found if match and wanted in (None, match["name"])]
    return []


def clear_files(folder: Path, name: str | None = None) -> None:
    """Remove partial files whose process has ended; of the result `name`, or of all in the folder.

    A process holds a lock on its partial file. Where the file system knows no locks, nothing is removed.
    """
    for path in leftovers(folder, name):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)  # no folder, link, or waiting pipe
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)


def is_same_file(descriptor: int, path: Path) -> bool:
    """Whether an open file still has the name `path`; whoever removed it did so before it could be locked."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except OSError:
        return False


def _shortened(name: str) -> str:
    data = os.fsencode(name)
    if len(data) <= LONGEST_NAME:
        return name
    return f"{data[: LONGEST_NAME - 20].decode(errors='ignore')}~{hashlib.sha256(data).hexdigest()[:16]}"
