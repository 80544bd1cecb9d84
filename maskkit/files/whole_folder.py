"""A folder of results that is whole or not there, and takes the place of an earlier one in a single step."""

import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from maskkit.errors import OutputError
from maskkit.files import renames
from maskkit.files.atomic import sync_folder
from maskkit.files.hidden import LOCK_INSIDE, leftovers, partial_path
from maskkit.files.locks import locked
from maskkit.files.outputs import owned, refuse_existing
from maskkit.files.records import Record, remove_listed, strangers

log = logging.getLogger(__name__)


@contextmanager
def whole_folder(out: Path, record: Record, *, inputs: Iterable[str | Path] = (), overwrite: bool) -> Iterator[Path]:
    """A partial folder to fill, which takes the name `out` when all went well and is removed when not.

    A kill or a power cut leaves no folder that looks whole: what is in it is on the disk before it takes its name.
    Raises OutputError where `out` is or holds an input, where another process is making it, and where something is
    there, even if it came meanwhile. With `overwrite` an earlier folder of the same kind is replaced, if everything
    in it is as its record says; at each moment one of the two has the name.
    """
    check_folder(out, record, overwrite, inputs)
    real = Path(os.path.realpath(out))  # a link stays, and what it leads to is replaced
    with owned(real) as alone, ExitStack() as stack:
        if alone:
            _recover(real, record)
        check_folder(out, record, overwrite)  # what was restored, or was there before we had it alone
        replacing = real.is_dir() and any(real.iterdir())
        partial = partial_path(real)
        try:
            if replacing:  # nor may a command that writes into its place be at it
                stack.enter_context(locked(real / LOCK_INSIDE, real))
            partial.mkdir()
            yield partial
            record.write(partial)
            os.sync()  # one call for the thousands of pictures of an export; an fsync for each would take longer
            if replacing:
                check_folder(out, record, overwrite)  # somebody may have put a file of their own into it
                _exchange(partial, real, record)
            else:
                _place(partial, real)
            sync_folder(real.parent)
        except OSError as error:
            raise OutputError(f"{out} could not be written: {error.strerror or error}") from error
        finally:
            _clear(partial, record)


def check_folder(out: Path, record: Record, overwrite: bool, inputs: Iterable[str | Path] = ()) -> None:
    """Raise OutputError where `whole_folder` would not make `out`."""
    refuse_existing(out, overwrite, inputs)
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError(f"{out} is a file, and a folder is to be made; give another name")
    if not any(out.iterdir()):
        return
    listed = record.read(out)
    if not listed:
        raise OutputError(f"{out} is not {record.what} made by maskkit and is not replaced; give another name")
    if foreign := strangers(out, listed):
        more = f" and {len(foreign) - 1:,} more" if len(foreign) > 1 else ""
        raise OutputError(
            f"{out} holds {foreign[0]}{more}, which maskkit did not write so, and is not replaced; "
            "move that away, or give another name"
        )


def _place(partial: Path, out: Path) -> None:
    try:
        partial.rename(out)  # refused by the system where there is anything but an empty folder
    except OSError as error:
        if not out.exists():
            raise
        raise OutputError(f"{out} appeared while it was being made and is not replaced; give another name") from error


def _exchange(partial: Path, out: Path, record: Record) -> None:
    """Put the new folder in the place of the old one, which keeps the partial name until it is removed."""
    if renames.exchange(partial, out):
        return
    # On a file system that cannot exchange, the next start puts the old one back if this ends between the two.
    replaced = partial_path(out, "replaced")
    out.rename(replaced)
    partial.rename(out)
    sync_folder(out.parent)
    _clear(replaced, record)


def _recover(out: Path, record: Record) -> None:
    """Put back what a killed process had moved away, and remove what it left. To be called by the owner of `out`."""
    found = sorted(leftovers(out.parent, out.name), key=lambda path: path.suffix == ".partial")
    for path in found:
        if path.suffix == ".replaced" and not out.exists():
            path.rename(out)
            sync_folder(out.parent)
        else:
            _clear(path, record)


def _clear(folder: Path, record: Record) -> None:
    """Remove a partial folder, or an earlier one that has been replaced: of that what its record lists."""
    if not folder.is_dir() or folder.is_symlink():
        return
    listed = record.read(folder)
    if not listed:
        shutil.rmtree(folder, ignore_errors=True)
    elif not remove_listed(folder, listed):
        log.warning("%s is what was replaced; it holds files that maskkit did not write, and is kept", folder)
