"""Tables about photos, as CelebA and its mirrors ship them: text in columns, or CSV with a header."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskkit.errors import BuildError
from maskkit.files.regular import open_regular_text
from maskkit.points.landmarks import LARGEST_COORDINATE, POINT_COUNT, Points, check_points
from maskkit.points.point_files import COLUMNS, VIDEO_COLUMNS

LARGEST_TABLE = 4 << 30  # bytes; the points of a million photos
LARGEST_LINE = 1 << 20
NUMBER = re.compile(r"[0-9]{1,9}")
YES_NO = {"1": 1, "-1": -1, "0": 0}

Lines = Iterator[tuple[int, list[str]]]


def read_attribute_table(path: Path, only: tuple[str, ...] | None = None) -> tuple[list[str], dict[str, list[int]]]:
    """The attribute names and each photo's values, -1 or 1 (in a CSV also 0 or 1, not both kinds).

    `only` these columns are read, in their order; others may hold anything then. Raises BuildError with the file, the
    line and the value for a table that is cut, uneven, without such a column or holds anything else.
    """
    names, rows = _read_named(path)
    places = range(len(names)) if only is None else columns_of(path, names, only)
    table: dict[str, list[int]] = {}
    kinds: set[str] = set()
    for number, name, cells in rows:
        if len(cells) != len(names):
            raise BuildError(f"{path}, line {number}: {len(cells)} values for {len(names)} attributes")
        cells = [cells[place] for place in places]
        kinds.update(cells)
        allowed = ("1", "-1") if not _is_csv(path) or "-1" in kinds else ("1", "0")
        strange = [cell for cell in cells if cell not in allowed]
        if strange:
            raise BuildError(f"{path}, line {number}: {strange[0]!r} is neither {allowed[0]} nor {allowed[1]}")
        if name in table:
            raise BuildError(f"{path}, line {number}: {name} has a row already")
        table[name] = [YES_NO[cell] for cell in cells]
    if {"0", "-1"} <= kinds:
        raise BuildError(f"{path}: both 0 and -1 stand for no; let one of them")
    return [names[place] for place in places], table


def columns_of(path: Path, names: list[str], attributes: tuple[str, ...]) -> list[int]:
    """Where a table has the attributes wanted; BuildError names those it has not."""
    missing = [name for name in attributes if name not in names]
    if missing:
        raise BuildError(f"{path} has no attribute {', '.join(missing)}; it has {', '.join(names)}")
    return [names.index(name) for name in attributes]


def read_header(path: Path) -> list[str]:
    """The names of a table's columns beside the photos'."""
    return _read_named(path)[0]


def read_column(path: Path, column: str) -> dict[str, str]:
    """One named column of a CSV by photo."""
    names, rows = _read_named(path)
    if column not in names:
        raise BuildError(f"{path} has no column {column}; it has {', '.join(names)}")
    place = names.index(column)
    values: dict[str, str] = {}
    for number, name, cells in rows:
        if len(cells) != len(names):
            raise BuildError(f"{path}, line {number}: {len(cells)} values for {len(names)} columns")
        if name in values:
            raise BuildError(f"{path}, line {number}: {name} has a row already")
        values[name] = cells[place]
    return values


def read_pairs(path: Path) -> dict[str, int]:
    """A number for each photo, from lines of a name and a number; a CSV has a header before them."""
    pairs: dict[str, int] = {}
    lines = _read_lines(path)
    if _is_csv(path):
        next(lines, None)
    for number, cells in lines:
        if len(cells) != 2 or not NUMBER.fullmatch(cells[1]):
            raise BuildError(
                f"{path}, line {number}: a photo's name and a number are expected, not {' '.join(cells)[:60]!r}"
            )
        if cells[0] in pairs:
            raise BuildError(f"{path}, line {number}: {cells[0]} has a row already")
        pairs[cells[0]] = int(cells[1])
    return pairs


def read_five_points(path: Path) -> dict[str, NDArray[np.float64]]:
    """The eyes, nose and mouth corners of each photo, float64 (5, 2), from CelebA's table of aligned landmarks."""
    names, rows = _read_named(path)
    if len(names) != 10:
        raise BuildError(f"{path}: the header names {len(names)} coordinates, and five points have 10")
    found: dict[str, NDArray[np.float64]] = {}
    for number, name, cells in rows:
        if name in found:
            raise BuildError(f"{path}, line {number}: {name} has a row already")
        found[name] = _floats(path, number, cells, 10).reshape(5, 2)
    return found


def read_point_table(path: Path) -> dict[str, Points]:
    """The 68 points of each photo, float32 (68, 2) in its pixels counted from 0: CSV, header `id,x0,y0,...,x67,y67`.

    The further columns of a video's table are passed over. Raises BuildError with the file and the line for a
    missing header, a wrong number of cells, a photo named twice and coordinates that are not finite; PointsError for
    those far out.
    """
    names, rows = _read_named(path)
    known = COLUMNS, (*COLUMNS, *VIDEO_COLUMNS)
    if not _is_csv(path) or tuple(name.lower() for name in names) not in known:
        raise BuildError(f"{path}: a .csv with the header id,x0,y0,x1,y1,...,x67,y67 is needed")
    found: dict[str, Points] = {}
    for number, name, cells in rows:
        if name in found:
            raise BuildError(f"{path}, line {number}: {name} has a row already")
        coordinates = cells[: len(COLUMNS)] + cells[len(names) :]  # with what has no column, and is too much
        points = _floats(path, number, coordinates, 2 * POINT_COUNT).reshape(POINT_COUNT, 2)
        found[name] = check_points(points, f"{path}, line {number}")
    return found


def _floats(path: Path, number: int, cells: list[str], count: int) -> NDArray[np.float64]:
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError as error:
        raise BuildError(f"{path}, line {number}: {error}") from error
    if values.shape != (count,) or not np.isfinite(values).all():
        raise BuildError(f"{path}, line {number}: {count} finite numbers are expected after the name")
    if np.abs(values).max() > LARGEST_COORDINATE:
        raise BuildError(f"{path}, line {number}: a point lies farther out than {LARGEST_COORDINATE:g} pixels")
    return values


def _read_named(path: Path) -> tuple[list[str], Iterator[tuple[int, str, list[str]]]]:
    """The names of the columns, and each row's line number, photo and cells."""
    lines = _read_lines(path)
    if _is_csv(path):
        _, header = next(lines, (1, []))
        if len(header) < 1:
            raise BuildError(f"{path}: the first line is a header, a name for the photos and one for each column")
        _check_columns(path, 1, header)
        return header[1:], ((number, cells[0], cells[1:]) for number, cells in lines)
    _, first = next(lines, (1, []))
    _, names = next(lines, (2, []))
    if len(first) != 1 or not NUMBER.fullmatch(first[0]) or not names:
        raise BuildError(f"{path}: the first line is the number of photos and the second names the attributes")
    _check_columns(path, 2, names)
    return names, _counted(path, lines, int(first[0]))


def _check_columns(path: Path, number: int, names: list[str]) -> None:
    """Two columns of one name may contradict each other, and nothing says which of them is meant."""
    if twice := [name for name, count in Counter(names).items() if count > 1 and name]:
        raise BuildError(f"{path}, line {number}: there are two columns of the name {twice[0]}; rename or remove one")


def _counted(path: Path, lines: Lines, promised: int) -> Iterator[tuple[int, str, list[str]]]:
    count = 0
    for number, cells in lines:
        yield number, cells[0], cells[1:]
        count += 1
    if count != promised:
        raise BuildError(f"{path}: line 1 promises {promised} rows and there are {count}; the table is cut")


def _read_lines(path: Path) -> Lines:
    """The number and the cells of every line that has any."""
    try:
        with open_regular_text(path, LARGEST_TABLE, newline="" if _is_csv(path) else None) as file:
            rows = csv.reader(file) if _is_csv(path) else map(str.split, iter(lambda: file.readline(LARGEST_LINE), ""))
            for number, cells in enumerate(rows, 1):
                if cells:
                    yield number, [cell.strip() for cell in cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BuildError(f"{path}: not a text file that can be read ({error})") from error
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}") from error


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"
