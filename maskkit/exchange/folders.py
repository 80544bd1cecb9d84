"""A folder of results that is whole or not there, and names from data sets that may become file names."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from maskkit.errors import ExchangeError, OutputError
from maskkit.files.atomic import make_folder, refuse_existing, sync_folder
from maskkit.files.json_text import parse_json
from maskkit.files.regular import file_sha256, read_regular_text
from maskkit.shards.description import FILE_NAME

MANIFEST = "export.json"
CHECKED = ("samples.csv", "landmarks.csv", "scheme.json")  # their SHA-256 stand in it
LARGEST_MANIFEST = 1 << 24  # bytes
LONGEST_NAME = 200  # bytes of one part of a path; file systems end at 255, and endings are added


@contextmanager
def whole_folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """A partial folder to fill, which takes the name `out` when all went well and is removed when not.

    A kill or a power cut leaves no folder that looks whole: what is in it is on the disk before it takes its name.
    Raises OutputError where `out` is occupied; with `overwrite` it is replaced if it is an export or a data set.
    """
    refuse_existing(out, overwrite)
    marked = any((out / name).is_file() for name in (MANIFEST, FILE_NAME))
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file, and a folder is to be made; give another name")
    if out.is_dir() and any(out.iterdir()) and not marked:
        raise OutputError(f"{out} is neither an export nor a data set and is not replaced; give another name")
    partial, replaced = (out.with_name(f".{out.name}.{state}") for state in ("partial", "replaced"))
    try:
        make_folder(out.parent)
        for left in (partial, replaced):
            shutil.rmtree(left, ignore_errors=True)
        partial.mkdir()
        yield partial
        os.sync()  # one call for the thousands of pictures of an export; an fsync for each would take longer
        if out.exists():
            out.rename(replaced)
        partial.rename(out)
        sync_folder(out.parent)
    except OSError as error:
        raise OutputError(f"{out} could not be written: {error.strerror or error}") from error
    finally:
        for left in (partial, replaced):
            shutil.rmtree(left, ignore_errors=True)


def check_export(folder: Path) -> None:
    """Raise ExchangeError where a table of an export is not the one that its `export.json` tells of.

    Where there is none, or one of another program, nothing is promised.
    """
    try:
        content = parse_json(read_regular_text(folder / MANIFEST, LARGEST_MANIFEST))
        promised = content["sha256"]
        digests = {name: promised[name] for name in CHECKED if name in promised}
    except FileNotFoundError:
        return
    except OSError as error:
        raise ExchangeError(f"{folder / MANIFEST}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        return
    for name, digest in digests.items():
        try:
            found = file_sha256(folder / name)
        except OSError as error:
            raise ExchangeError(f"{folder / name}: {error.strerror}; {MANIFEST} tells of it") from error
        if found != digest:
            raise ExchangeError(
                f"{folder / name} is not what was exported, by its SHA-256 in {MANIFEST}; take it from a copy, or "
                f"remove {MANIFEST} to have it read as it is"
            )


def file_names(ids: list[str], source: str) -> list[str]:
    """A name without ending for the files of each row: its id's, or all the whole ids where two share a name.

    A part that no file system takes is cut, and ends in a digest of the whole. Raises OutputError for an id that would
    lead out of the folder.
    """
    for one in ids:
        path = PurePosixPath(one)
        if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in one or not one.isprintable():
            raise OutputError(f"{source}: the id {one[:80]!r} cannot be a file's name, so this row cannot be exported")
    stems = [str(PurePosixPath(one).with_suffix("")) for one in ids]
    names = stems if len(set(stems)) == len(stems) else [str(PurePosixPath(one)) for one in ids]
    names = [str(PurePosixPath(*map(_fitting, PurePosixPath(name).parts))) for name in names]
    if len(set(names)) < len(names):
        raise OutputError(f"{source}: two rows have the same id; `maskkit verify` tells which")
    return names


def _fitting(part: str) -> str:
    content = part.encode()
    if len(content) <= LONGEST_NAME:
        return part
    digest = hashlib.sha256(content).hexdigest()[:16]
    return f"{content[: LONGEST_NAME - 17].decode(errors='ignore')}-{digest}"
