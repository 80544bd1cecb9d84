"""Files that are either whole or not there: partial name, fsync, last step, fsync of the folder."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from maskkit.errors import OutputError
from maskkit.files import renames
from maskkit.files.hidden import is_same_file, partial_path


def write_atomically(path: Path, write: Callable[[BinaryIO], object], *, overwrite: bool = True) -> None:
    """Make `path` from what `write` puts into a binary file, or leave everything as it was.

    A reader never sees half a file, and after a power cut there is the old one or the new one. A symbolic link stays
    and what it leads to is written. Raises OutputError with the file and the reason (no room, no permission, no such
    folder); without `overwrite` also where something has the name, even if it came while the content was made.
    """
    check_name(path)
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    try:
        with _partial_file(path) as (file, partial):
            write(file)
            file.flush()
            os.fsync(file.fileno())
            if overwrite:
                refuse_special(path)
                partial.replace(path)
            else:
                renames.place(partial, path)
        sync_folder(path.parent)
    except FileExistsError as error:
        raise OutputError(f"{path} appeared while it was being made and is not replaced; give another name") from error
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror or error}") from error


@contextmanager
def _partial_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file beside `path`, locked as long as it is open: what a killed process leaves is known by its lock."""
    while True:
        partial = partial_path(path)
        with partial.open("xb") as file:
            try:
                if _locked_if_possible(file.fileno()) and is_same_file(file.fileno(), partial):
                    yield file, partial
                    return
            finally:
                with suppress(OSError):  # it has its name by now
                    partial.unlink()


def _locked_if_possible(descriptor: int) -> bool:
    """False where somebody who clears up was faster; files that cannot be locked are not cleared up."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> list[Path]:
    """Create `folder` and its parents so that they survive a power cut; give those that were missing, inner first.

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
    return missing


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


def refuse_special(path: Path) -> None:
    """Raise OutputError for a pipe, socket or device, which a file of this name would replace."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OutputError(f"{path} is a pipe, socket or device and is not replaced; give another name")
