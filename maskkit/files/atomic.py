"""Files that are either whole or not there: partial name, fsync, rename, fsync of the folder."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from maskkit.errors import OutputError


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Make `path` from what `write` puts into a binary file, or leave everything as it was.

    A reader never sees half a file, and after a power cut there is the old one or the new one. Raises OutputError
    with the file and the reason (no room, no permission, no such folder); the partial file is removed.
    """
    check_name(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # also where its name is too long, which was said above
            partial.unlink()


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create `folder` and its parents so that they survive a power cut.

    Raises OutputError where that is not allowed or a file is in the way.
    """
    folder = folder.absolute()
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for place in missing:
            sync_folder(place.parent)
    except OSError as error:
        raise OutputError(f"the folder {folder} could not be made: {error.strerror or error}") from error


def check_name(path: Path) -> None:
    """Raise OutputError for `.`, `..` and `/`, which name no file or folder that could be made."""
    if path.name in ("", ".."):
        raise OutputError(f"{path} is no name for a result; give one")


def leads_out(path: Path, folder: Path) -> bool:
    """Whether a file below `folder` lies, by a symbolic link, somewhere else."""
    try:
        return not path.resolve().is_relative_to(folder.resolve())
    except RuntimeError:  # a link to itself, which nobody can open
        return False


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise OutputError if `path` is there and may not be replaced (an empty folder may)."""
    check_name(path)
    occupied = path.exists() and not (path.is_dir() and not any(path.iterdir()))
    if occupied and not overwrite:
        raise OutputError(f"{path} exists; give another name, or --overwrite to replace it")
