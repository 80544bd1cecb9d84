"""Names from data sets that may become file names, and what an export is known by."""

from pathlib import PurePosixPath

from maskkit.errors import OutputError
from maskkit.files.records import DigestList

MANIFEST = "export.json"
EXPORT = DigestList("export", "an export")
LONGEST_NAME = 200  # bytes of one part of a path; file systems end at 255, and endings are added


def file_names(ids: list[str], source: str) -> list[str]:
    """A name without ending for the files of each row: its id's, or all the whole ids where two share a name.

    Raises OutputError for an id that would lead out of the folder or that no file system takes.
    """
    for one in ids:
        path = PurePosixPath(one)
        fits = all(part != ".." and len(part.encode()) <= LONGEST_NAME for part in path.parts)
        if not path.parts or path.is_absolute() or not fits or "\\" in one or not one.isprintable():
            raise OutputError(f"{source}: the id {one[:80]!r} cannot be a file's name, so this row cannot be exported")
    stems = [str(PurePosixPath(one).with_suffix("")) for one in ids]
    names = stems if len(set(stems)) == len(stems) else [str(PurePosixPath(one)) for one in ids]
    if len(set(names)) < len(names):
        raise OutputError(f"{source}: two rows have the same id; `maskkit verify` tells which")
    return names
