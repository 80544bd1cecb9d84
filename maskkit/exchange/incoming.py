"""What an importer gives to the common part: pairs of photo and label map, and the tables that lie beside them."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from maskkit.errors import ExchangeError, PointsError
from maskkit.exchange.folders import check_export
from maskkit.exchange.outgoing import FOUND
from maskkit.files.regular import open_regular_text
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import RegionScheme
from maskkit.photos.images import Picture
from maskkit.points.landmarks import POINT_COUNT, Points, check_points
from maskkit.shards.description import SPLITS

LARGEST_TABLE = 1 << 30  # bytes; the points of all of CelebA are half of that
LONGEST_ID = 1000

Key = tuple[str, str]  # the split and the name of a row
Value = TypeVar("Value")


@dataclass(frozen=True)
class Pair:
    """One row that an import is asked for; `files` is the importer's own, `problem` why it cannot be tried."""

    id: str
    split: str
    attributes: tuple[int, ...] = ()
    problem: str = ""
    files: Any = None


@dataclass(frozen=True)
class Known:
    """What `samples.csv` and `landmarks.csv` of an export say of one row."""

    id: str
    split: str
    attributes: tuple[int, ...]
    points: Points | None = None
    detector: str = ""
    score: float = float("nan")
    box: tuple[float, float, float, float] = (0, 0, 0, 0)


def _nothing() -> None:
    pass


@dataclass
class Incoming:
    """A data set of another project, its tables read and checked, its pictures not yet."""

    kind: str
    scheme: RegionScheme
    attribute_names: tuple[str, ...]
    pairs: list[Pair]
    load: Callable[[Pair], tuple[Picture, LabelMap]]  # raises a MaskkitError for a pair that is to be left out
    known: dict[str, Known] = field(default_factory=dict)  # by id, where the source is an export with points
    close: Callable[[], object] = _nothing  # lets go of what `load` holds open


@dataclass(frozen=True)
class Tables:
    """The tables of an export: rows by split and file name."""

    attribute_names: tuple[str, ...]
    rows: dict[Key, Known]

    def with_points(self) -> dict[str, Known]:
        """The rows by id, if all have points: a shard holds one kind."""
        pointed = all(known.points is not None for known in self.rows.values())
        return {known.id: known for known in self.rows.values()} if pointed else {}


def read_tables(folder: Path) -> Tables | None:
    """Read `samples.csv` and `landmarks.csv` of an export; None where there is no `samples.csv`.

    Raises ExchangeError with the file, the line and the value.
    """
    path = folder / "samples.csv"
    if not path.exists():
        return None
    check_export(folder)
    lines = table_lines(path)
    _, header = next(lines, (1, []))
    pointed = tuple(header[-len(FOUND) :]) == FOUND
    names = tuple(header[3 : len(header) - (len(FOUND) if pointed else 0)])
    if header[:3] != ["split", "name", "id"] or len(set(names)) < len(names):
        raise ExchangeError(f"{path}: the columns split, name, id and the attributes are expected, each once")
    rows: dict[Key, Known] = {}
    lines_of: dict[str, int] = {}
    for number, cells in lines:
        if len(cells) != len(header):
            raise ExchangeError(f"{path}, line {number}: {len(cells)} cells for {len(header)} columns")
        known = _known(cells, len(names), pointed, f"{path}, line {number}")
        if (cells[0], cells[1]) in rows:
            raise ExchangeError(f"{path}, line {number}: {cells[0]}, {cells[1]} has a row already")
        if known.id in lines_of:
            raise ExchangeError(f"{path}, line {number}: the id {known.id} stands in line {lines_of[known.id]} already")
        rows[cells[0], cells[1]], lines_of[known.id] = known, number
    return Tables(names, _with_points(rows, lines_of, path) if pointed else rows)


def _with_points(rows: dict[Key, Known], lines_of: dict[str, int], path: Path) -> dict[Key, Known]:
    """The rows of `samples.csv` with the points that stand beside it, for each row and for no other."""
    file = path.with_name("landmarks.csv")
    points = _read_points(file)
    if missing := [name for name in lines_of if name not in points]:
        raise ExchangeError(f"{path}, line {lines_of[missing[0]]}: {file.name} has no row for {missing[0]}")
    if foreign := [name for name in points if name not in lines_of]:
        raise ExchangeError(f"{file}: {foreign[0]} has no row in {path.name}")
    return {key: replace(known, points=points[known.id]) for key, known in rows.items()}


def table_lines(path: Path, largest: int = LARGEST_TABLE) -> Iterator[tuple[int, list[str]]]:
    """The lines of a CSV file with their numbers; ExchangeError where it is too large or no text."""
    try:
        with open_regular_text(path, largest, newline="") as file:
            for cells in (reader := csv.reader(file)):
                if cells:
                    yield reader.line_num, cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise ExchangeError(f"{path}: not a CSV table ({error})") from error
    except OSError as error:
        raise ExchangeError(f"{path}: {error.strerror}") from error


def read_splits(path: Path) -> dict[str, str]:
    """The split of each id from a CSV file with the columns id, split; ExchangeError names the line."""
    lines = table_lines(path)
    if next(lines, (1, []))[1] != ["id", "split"]:
        raise ExchangeError(f"{path}: the first line must be id,split")
    splits: dict[str, str] = {}
    for number, cells in lines:
        if len(cells) != 2 or cells[1] not in SPLITS:
            raise ExchangeError(f"{path}, line {number}: an id and one of {', '.join(SPLITS)} are expected")
        if cells[0] in splits:
            raise ExchangeError(f"{path}, line {number}: {cells[0]} has a row already")
        splits[cells[0]] = cells[1]
    return splits


def _known(cells: list[str], names: int, pointed: bool, where: str) -> Known:
    split, _, name, *rest = cells
    if split not in SPLITS:
        raise ExchangeError(f"{where}: there is no split {split[:40]!r}: take one of {', '.join(SPLITS)}")
    if not name or not name.isprintable() or len(name) > LONGEST_ID:
        raise ExchangeError(f"{where}: {name[:40]!r} cannot be an id")
    strange = [cell for cell in rest[:names] if cell not in ("0", "1")]
    if strange:
        raise ExchangeError(f"{where}: an attribute is {strange[0][:40]!r}, and 0 and 1 are allowed")
    known = Known(name, split, tuple(int(cell) for cell in rest[:names]))
    if not pointed:
        return known
    detector, *numbers = rest[names:]
    try:
        score, left, top, right, bottom = map(float, numbers)
    except ValueError as error:
        raise ExchangeError(f"{where}: the score and box are not numbers ({error})") from error
    return replace(known, detector=detector, score=score, box=(left, top, right, bottom))


def _read_points(path: Path) -> dict[str, Points]:
    points: dict[str, Points] = {}
    lines = table_lines(path)
    next(lines, None)  # the header
    for number, cells in lines:
        if len(cells) != 1 + 2 * POINT_COUNT:
            raise ExchangeError(f"{path}, line {number}: an id and {2 * POINT_COUNT} numbers are expected")
        if cells[0] in points:
            raise ExchangeError(f"{path}, line {number}: {cells[0]} has a row already")
        try:
            values = np.array([float(cell) for cell in cells[1:]]).reshape(POINT_COUNT, 2)
            points[cells[0]] = check_points(values, f"{path}, line {number}")
        except (ValueError, PointsError) as error:
            raise ExchangeError(f"{path}, line {number}: {error}") from error
    return points


def choose(values: tuple[Value, ...], names: tuple[str, ...], chosen: tuple[str, ...]) -> tuple[Value, ...]:
    """The values of the chosen names, in their order."""
    return tuple(values[names.index(name)] for name in chosen)
