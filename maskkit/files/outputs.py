"""Where a result goes: nowhere that a user's own things would be lost, and to one command at a time."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from maskkit.errors import OutputError
from maskkit.files.atomic import check_name, make_folder, refuse_special, write_atomically
from maskkit.files.hidden import LOCK_INSIDE, clear_files, lock_path
from maskkit.files.locks import locked


def refuse_existing(path: Path, overwrite: bool, inputs: Iterable[str | Path] = ()) -> None:
    """Raise OutputError if `path` is or holds one of `inputs`, or is there and may not be replaced.

    An empty folder may be. To be asked before any work; the last step looks again.
    """
    check_name(path)
    refuse_inputs(path, inputs)
    refuse_special(path)
    occupied = path.exists() and not (path.is_dir() and not any(path.iterdir()))
    if occupied and not overwrite:
        raise OutputError(f"{path} exists; give another name, or --overwrite to replace it")


def refuse_inputs(out: Path, inputs: Iterable[str | Path]) -> None:
    """Raise OutputError where `out` is one of the inputs or a folder that holds one, whatever they are called.

    Files and folders are compared by what they are on the disk, so symbolic and hard links do not matter.
    """
    try:
        found = out.stat()
    except OSError:
        return  # what is not there can neither be an input nor hold one
    for one in inputs:
        real = Path(os.path.realpath(one))
        for place in (real, *real.parents):
            with suppress(OSError):
                if os.path.samestat(found, place.stat()):
                    how = "is one of the inputs" if place == real else f"holds the input {one}"
                    raise OutputError(f"{out} {how} and is not written to; give another name")


def lies_in(path: Path, folder: Path) -> bool:
    """Whether `path`, which need not be there, lies in `folder` or is it, links resolved."""
    real = Path(os.path.realpath(path))
    try:
        wanted = folder.stat()
        return any(place.exists() and os.path.samestat(place.stat(), wanted) for place in (real, *real.parents))
    except OSError:
        return False


@contextmanager
def owned(path: Path) -> Iterator[bool]:
    """Have the result `path` alone while it is made; what killed processes left of it is cleared.

    Gives whether that is certain: a file system without locks is said in a warning. Raises OutputError that names
    the process that has it. Folders made on the way are gone at the end if nothing came into them.
    """
    check_name(path)
    path = Path(os.path.realpath(path))  # a link stays, and what it leads to is written
    with _made(path.parent), locked(lock_path(path), path) as alone:
        clear_files(path.parent, path.name)
        yield alone


def write_result(path: Path, content: bytes, overwrite: bool) -> None:
    """Write a file that is a result of its own, and make its folder. Raises OutputError as `owned` and where it exists.

    For results that take seconds, which are owned only while they are written.
    """
    with owned(path):
        write_atomically(path, lambda file: file.write(content), overwrite=overwrite)


@contextmanager
def owned_folder(folder: Path) -> Iterator[bool]:
    """Have a folder alone that is written in its place, as `owned`; it is made if it is missing."""
    with _made(folder), locked(folder / LOCK_INSIDE, folder) as alone:
        clear_files(folder)
        yield alone


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    made = make_folder(folder)
    try:
        yield
    finally:
        for place in made:
            with suppress(OSError):  # there is something in it now
                place.rmdir()
