"""Names from data sets that may become file names, and what an export is known by."""

import hashlib
import re
from pathlib import Path, PurePosixPath

from maskkit.errors import ExchangeError, OutputError
from maskkit.files.json_text import parse_json
from maskkit.files.records import DigestList
from maskkit.files.regular import file_sha256, read_regular_text

MANIFEST = "export.json"
EXPORT = DigestList("export", "an export")
# What an import reads beside pictures: its SHA-256 stands in the manifest. The pictures are PNGs, which have checksums.
CHECKED = re.compile(
    r"samples\.csv|landmarks\.csv|scheme\.json|labelmap\.txt|CelebAMask-HQ-attribute-anno\.txt"
    r"|annotations/instances_[a-z]+\.json|ImageSets/Segmentation/[a-z]+\.txt"
)
LARGEST_MANIFEST = 1 << 24  # bytes
LONGEST_NAME = 200  # bytes of one part of a path; file systems end at 255, and endings are added


def check_export(folder: Path) -> None:
    """Raise ExchangeError where a table or description of an export is not the one that its `export.json` tells of.

    Where there is none, or one of another program, nothing is promised.
    """
    try:
        content = parse_json(read_regular_text(folder / MANIFEST, LARGEST_MANIFEST))
        digests = {name: digest for name, digest in content["sha256"].items() if CHECKED.fullmatch(name)}
    except FileNotFoundError:
        return
    except OSError as error:
        raise ExchangeError(f"{folder / MANIFEST}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    for name, digest in digests.items():
        try:
            found = file_sha256(folder / name)
        except OSError as error:
            raise ExchangeError(
                f"{folder / name}: {error.strerror}; {MANIFEST} tells of it: take it from a copy, or remove {MANIFEST} "
                "to have the rest read as it is"
            ) from error
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
