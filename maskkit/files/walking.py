"""What lies below a folder, however deep."""

import os
from collections.abc import Iterator
from pathlib import Path


def walk(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """Every file below a folder and every link, whatever it leads to; links to folders are not followed.

    Raises OSError. `Path.rglob` recurses, and ends a thousand folders deep.
    """
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    yield entry


def files_below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files and links below a folder whose names end, in small letters, in one of `suffixes`, sorted."""
    found = (Path(entry.path) for entry in walk(folder))
    return sorted(path for path in found if path.suffix.lower() in suffixes)
