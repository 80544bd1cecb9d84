"""Point files: iBUG `.pts` (counted from 1), JSON and CSV (counted from 0)."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskkit.errors import PointsError
from maskkit.files.atomic import write_atomically
from maskkit.files.json_text import parse_json
from maskkit.files.regular import read_regular_text
from maskkit.points.landmarks import POINT_COUNT, Points, check_points
from maskkit.points.mesh import MESH_COUNTS, in_shares, mesh_array, points_from_mesh
from maskkit.points.mesh_tables import mesh_of_table

SUFFIXES = (".pts", ".json", ".csv")
COLUMNS = tuple(f"{axis}{number}" for number in range(POINT_COUNT) for axis in "xy")  # of a table, after the id
VIDEO_COLUMNS = ("time", "bridged")  # after those, in a table of a video's frames
LARGEST_FILE_BYTES = 1 << 20  # one face; tables of many are read row by row


def read_points(path: str | Path, size: tuple[int, int] | None = None) -> Points:
    """Read one face from a `.pts`, `.json` or `.csv` file: float32 (68, 2), counted from 0 whatever the file does.

    `.pts` with or without the `version`, `n_points` and brace lines; JSON a list of 68 pairs or an object with such a
    list under `points`; CSV one row of 136 numbers x0, y0, x1, ..., a name before them if there are 137 cells, and a
    header line or none. JSON and CSV of MediaPipe's 468 or 478 mesh points become the 68; where these are shares of
    the picture's sides, its `size` (H, W) is needed. Raises PointsError with the file and what is wrong.
    """
    path = Path(path)
    suffix = _known_suffix(path)
    text = _read_text(path)
    if suffix == ".pts":
        return check_points(np.array(_parse_pts(text, path)) - 1, str(path))
    if suffix == ".json":
        content = _parse_json(text, path)
        if (mesh := _mesh_of_json(content, path)) is not None:
            return _points_of_mesh(mesh, path, size)
        if isinstance(content, dict):
            raise PointsError(f"{path}: a JSON object with the key 'points' is expected, or a face mesh as JSON")
        return _one_face(content, path)
    rows = _csv_rows(text, path)
    if rows and (mesh := mesh_of_table(rows)) is not None:
        return _points_of_mesh(mesh, path, size)
    table = _parse_csv(rows, path)
    if len(table) != 1:
        raise PointsError(f"{path}: {len(table)} faces, and one is needed; keep the row that you want")
    return next(iter(table.values()))


def write_points(path: str | Path, points: ArrayLike) -> None:
    """Write one face to `.pts` (adding 1), `.json` or `.csv`, by the file's ending; reading gives the same float32."""
    path = Path(path)
    content = encode_points(path, points)
    write_atomically(path, lambda file: file.write(content))


def encode_points(path: Path, points: ArrayLike) -> bytes:
    """The content of a point file of that name."""
    array = _one_face(points, path)
    suffix = _known_suffix(path)
    if suffix == ".pts":
        pairs = "\n".join(f"{x + 1!r} {y + 1!r}" for x, y in array.astype(float).tolist())
        text = f"version: 1\nn_points: {POINT_COUNT}\n{{\n{pairs}\n}}\n"
    elif suffix == ".json":
        text = json.dumps({"points": array.astype(float).tolist()}) + "\n"
    else:
        text = points_table({path.stem: array})
    return text.encode()


def points_table(faces: dict[str, Points]) -> str:
    """CSV text of many faces, header `id,x0,y0,...,x67,y67`, counted from 0."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["id", *COLUMNS])
    writer.writerows(table_row(name, points) for name, points in faces.items())
    return buffer.getvalue()


def table_row(name: str, points: Points) -> list[str]:
    """The cells of one face in a table of points; reading them gives the same float32."""
    return [name, *map(repr, points.astype(float).ravel().tolist())]


def _known_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise PointsError(f"{path}: point files end in {', '.join(SUFFIXES)}")
    return suffix


def _read_text(path: Path) -> str:
    try:
        return read_regular_text(path, LARGEST_FILE_BYTES)
    except UnicodeDecodeError as error:
        raise PointsError(f"{path}: not a text file") from error
    except OSError as error:
        raise PointsError(f"{path}: {error.strerror}") from error


def _one_face(points: ArrayLike, path: Path) -> Points:
    array = check_points(points, str(path))
    if array.ndim != 2:
        raise PointsError(f"{path}: expected one face of shape (68, 2), got {array.shape}")
    return array


def _parse_pts(text: str, path: Path) -> list[list[float]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split()
        if not cells or cells[0] in "{}" or cells[0].lower().rstrip(":") in ("version", "n_points"):
            continue
        try:
            x, y = map(float, cells)
        except ValueError as error:
            raise PointsError(f"{path}, line {number}: expected two numbers, got {line.strip()[:40]!r}") from error
        rows.append([x, y])
    if len(rows) != POINT_COUNT:
        raise PointsError(f"{path}: {len(rows)} points, and a face has {POINT_COUNT}")
    return rows


def _parse_json(text: str, path: Path) -> Any:
    try:
        content = parse_json(text)
    except ValueError as error:
        raise PointsError(f"{path}: not valid JSON ({error})") from error
    return content.get("points", content) if isinstance(content, dict) else content


def _mesh_of_json(content: Any, path: Path) -> NDArray[np.float64] | None:
    """The one mesh that JSON holds; None where it holds something else."""
    try:
        array = mesh_array(content)
    except PointsError:
        return None  # what is wrong is said where the 68 points are asked for
    if array.ndim < 2 or array.shape[-2] not in MESH_COUNTS:
        return None
    if array.ndim == 3 and len(array) != 1:
        raise PointsError(f"{path}: {len(array)} faces, and one is needed; keep the one that you want")
    return array.reshape(array.shape[-2:])


def _points_of_mesh(mesh: NDArray[np.float64], path: Path, size: tuple[int, int] | None) -> Points:
    shares = in_shares(mesh)
    if shares and size is None:
        raise PointsError(f"{path}: a face mesh in shares of its picture's sides; the picture's size is needed")
    try:
        return points_from_mesh(mesh, size if shares else None)
    except PointsError as error:
        raise PointsError(f"{path}: {error}") from error


def _csv_rows(text: str, path: Path) -> list[list[str]]:
    try:
        return [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise PointsError(f"{path}: not valid CSV ({error})") from error


def _parse_csv(rows: list[list[str]], path: Path) -> dict[str, Points]:
    if (rows and not _is_number(rows[0][-1])) or (rows and not rows[0][0] and rows[0][-1] == str(2 * POINT_COUNT - 1)):
        _check_header(rows.pop(0), path)
    faces: dict[str, Points] = {}
    for number, row in enumerate(rows, 1):
        name, cells = (row[0], row[1:]) if len(row) == 2 * POINT_COUNT + 1 else ("", row)
        if len(cells) != 2 * POINT_COUNT or not all(map(_is_number, cells)):
            raise PointsError(f"{path}, row {number}: expected 136 numbers and perhaps a name before them")
        if name in faces:
            raise PointsError(f"{path}, row {number}: {name} has a row already")
        face = np.array(cells, dtype=np.float64).reshape(POINT_COUNT, 2)
        faces[name or str(number)] = check_points(face, f"{path}, row {number}")
    return faces


def _check_header(header: list[str], path: Path) -> None:
    names = [cell.lower() for cell in header[-2 * POINT_COUNT :]]
    mixed_up = any("y" in name and "x" not in name for name in names[::2])
    if len(header) not in (2 * POINT_COUNT, 2 * POINT_COUNT + 1) or mixed_up:
        raise PointsError(f"{path}: the header does not read id,x0,y0,x1,y1,...,x67,y67")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
