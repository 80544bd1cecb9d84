"""Face meshes in CSV files as people write them: a line for each point, or one line for the face."""

import re

import numpy as np
from numpy.typing import NDArray

from maskkit.points.mesh import MESH_COUNTS

NUMBERED = re.compile(r"(?P<axis>[xyz])_?(?P<point>[0-9]{1,3})")


def mesh_of_table(rows: list[list[str]]) -> NDArray[np.float64] | None:
    """The mesh (468 or 478, 2) that a table's cells hold, a header perhaps among them; None where they hold none.

    Known are a line for each point (x, y, z; x, y; the point's number before them; columns named x and y anywhere)
    and one line for all (x0, y0, z0, x1, ...; x0, y0, x1, ...; columns named x_0 or x0 in any order).
    """
    header = [] if _numbers(rows[0]) is not None else [cell.strip().lower() for cell in rows[0]]
    body = rows[1:] if header else rows
    if len(body) == 1:
        return _of_one_line(header, body[0])
    if len(body) not in MESH_COUNTS:
        return None
    if {"x", "y"} <= set(header):
        body = [[row[header.index(axis)] for axis in "xy"] for row in body if len(row) == len(header)]
    cells = [_numbers(row) for row in body]
    if len(body) not in MESH_COUNTS or any(row is None or len(row) != len(cells[0] or ()) for row in cells):
        return None
    table = np.array(cells, dtype=np.float64)
    counted = table[:, 0] - table[0, 0]
    if table.shape[1] > 2 and (counted == np.arange(len(table))).all():
        table = table[:, 1:]
    return table[:, :2] if table.shape[1] in (2, 3) else None


def _of_one_line(header: list[str], row: list[str]) -> NDArray[np.float64] | None:
    columns = {
        (named["axis"], int(named["point"])): column
        for column, name in enumerate(header) if (named := NUMBERED.fullmatch(name))
    }  # fmt: skip
    for count in sorted(MESH_COUNTS, reverse=True):
        places = [columns.get((axis, point)) for point in range(count) for axis in "xy"]
        chosen = [row[place] for place in places if place is not None and place < len(row)]
        if len(chosen) < 2 * count and not columns and len(row) in (2 * count, 3 * count):
            axes = len(row) // count
            chosen = [row[axes * point + axis] for point in range(count) for axis in (0, 1)]
        numbers = _numbers(chosen)
        if len(chosen) == 2 * count and numbers is not None:
            return np.array(numbers).reshape(count, 2)
    return None


def _numbers(cells: list[str]) -> list[float] | None:
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        return None
