"""MediaPipe's mesh against its own outlines, as its objects and as the files that people write of it."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import maskkit
from cli.maskkit_command import group
from maskkit.errors import PointsError

HEIGHT, WIDTH = 300, 200

# x and y (up) of MediaPipe's canonical face model (Apache-2.0), rounded; the other side has -x.
CANONICAL = {
    0: (0, -3.406), 1: (0, -1.127), 2: (0, -2.089), 5: (0, 0.366), 13: (0, -3.994), 14: (0, -4.542), 17: (0, -5.365),
    33: (-4.446, 2.664), 37: (-0.711, -3.329), 39: (-1.432, -3.501), 40: (-1.915, -3.803), 58: (-6.720, -4.789),
    61: (-2.456, -4.343), 63: (-4.986, 4.802), 66: (-2.760, 5.101), 70: (-5.721, 4.255), 78: (-2.153, -4.276),
    81: (-1.024, -3.990), 84: (-0.700, -5.292), 91: (-1.839, -4.829), 93: (-7.542, -1.049), 97: (-0.597, -2.014),
    98: (-1.406, -1.714), 105: (-3.987, 5.109), 107: (-1.396, 5.012), 127: (-7.743, 2.365), 132: (-7.271, -2.891),
    133: (-1.856, 2.585), 136: (-5.085, -7.179), 144: (-3.670, 2.360), 148: (-1.293, -9.296), 149: (-3.211, -8.533),
    150: (-4.069, -7.993), 152: (0, -9.403), 153: (-2.724, 2.316), 158: (-2.724, 2.962), 160: (-3.670, 2.928),
    168: (0, 3.271), 172: (-5.941, -6.224), 176: (-2.309, -8.974), 178: (-1.099, -4.459), 181: (-1.325, -5.107),
    197: (0, 1.728), 234: (-7.664, 0.673),
}  # fmt: skip
# MediaPipe's outlines, each from the subject's right to the left: equal places from both ends mirror each other.
OUTLINES = [
    [127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356],
    [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291], [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291],
    [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308], [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308],
    [33, 246, 161, 160, 159, 158, 157, 173, 133, 362, 398, 384, 385, 386, 387, 388, 466, 263],
    [33, 7, 163, 144, 145, 153, 154, 155, 133, 362, 382, 381, 380, 374, 373, 390, 249, 263],
    [70, 63, 105, 66, 107, 336, 296, 334, 293, 300], [98, 97, 2, 326, 327],
]  # fmt: skip


def canonical_mesh(scale: float = 10, middle: float = 128) -> np.ndarray:
    """MediaPipe's canonical face in pixels, y down; points that nothing needs lie in a corner."""
    mesh = np.full((478, 3), 250.0)
    for index, (x, y) in CANONICAL.items():
        mesh[index, :2] = middle + scale * x, middle - scale * y
    for outline in OUTLINES:
        for right, left in zip(outline, outline[::-1], strict=True):
            if right in CANONICAL and right != left:
                x, y = CANONICAL[right]
                mesh[left, :2] = middle - scale * x, middle - scale * y
    return mesh


def test_the_canonical_face_gives_an_even_symmetric_face() -> None:
    points = maskkit.points_from_mesh(canonical_mesh())
    assert np.abs(maskkit.mirror_points(points, 257) - points).max() < 1e-3  # nothing missed, sides not mixed up
    steps = np.linalg.norm(np.diff(points[:17], axis=0), axis=1)
    assert steps.max() / steps.min() < 1.08  # a corner cut is shorter than the way round it
    for first, row in ((17, [70, 63, 105, 66, 107]), (36, [33, 160, 158, 133, 153, 144]), (60, [78, 81, 13])):
        for offset, index in enumerate(row):
            x, y = CANONICAL[index]
            assert points[first + offset] == pytest.approx((128 + 10 * x, 128 - 10 * y), abs=0.01)
    assert points[48:60, 1].argmin() in (2, 3, 4) and points[48:60, 1].argmax() == 9
    areas = np.bincount(maskkit.rasterize(points, 256).ravel(), minlength=7)
    assert (areas > 0).all() and areas[2] == pytest.approx(areas[3], abs=8)


def test_shares_of_the_picture_become_pixels() -> None:
    mesh = canonical_mesh()
    shares = (mesh[:468, :2] + 0.5) / (200, 300)
    both = maskkit.points_from_mesh(np.stack([shares, shares]), (300, 200))
    assert both.shape == (2, 68, 2)
    assert np.abs(both - maskkit.points_from_mesh(mesh)).max() < 1e-3
    for wrong, message in ((np.zeros((68, 2)), "468 or 478 points"), (np.full((478, 2), np.nan), "NaN"), ("x", "got")):
        with pytest.raises(PointsError, match=message):
            maskkit.points_from_mesh(wrong)


@dataclass
class Landmark:  # as mediapipe.tasks' NormalizedLandmark
    x: float
    y: float
    z: float
    visibility: float | None = None


def shares(points: int = 478) -> np.ndarray:
    return (canonical_mesh()[:points] + np.array([0.5, 0.5, 0])) / (WIDTH, HEIGHT, WIDTH)


def test_the_results_of_mediapipe_as_they_are() -> None:
    expected = maskkit.points_from_mesh(canonical_mesh())
    landmarks = [Landmark(*point) for point in shares().tolist()]
    one = {"x": 0.1, "y": 0.2}
    for faces in (
        SimpleNamespace(face_landmarks=[landmarks], face_blendshapes=[]),
        SimpleNamespace(multi_face_landmarks=[SimpleNamespace(landmark=landmarks)]),
        {"faceLandmarks": [[{**one, "x": x, "y": y, "z": z} for x, y, z in shares().tolist()]]},
    ):
        assert np.abs(maskkit.points_from_mesh(faces, (HEIGHT, WIDTH)) - expected).max() < 1e-3
        assert maskkit.points_from_mesh(faces, (HEIGHT, WIDTH)).shape == (1, 68, 2)
    assert maskkit.points_from_mesh(landmarks, (HEIGHT, WIDTH)).shape == (68, 2)
    for wrong, size, message in (
        (SimpleNamespace(face_landmarks=[]), (HEIGHT, WIDTH), "there is no face"),
        (landmarks, None, r"shares of the picture's sides; give the picture's size"),
        (canonical_mesh(), (HEIGHT, WIDTH), "in pixels, not in shares"),
        ([Landmark(None, 0, 0)] * 478, (HEIGHT, WIDTH), "468 or 478|something else"),
    ):
        with pytest.raises(PointsError, match=message):
            maskkit.points_from_mesh(wrong, size)


def table(rows: list[list[Any]]) -> Any:
    return lambda file: csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)


def files(mesh: np.ndarray) -> dict[str, Any]:
    """Each form of file, by what writes it into an open file."""
    rows, count = mesh.tolist(), len(mesh)
    named = [{"x": x, "y": y, "z": z} for x, y, z in rows]
    by_axis = [f"{axis}_{i}" for axis in "xyz" for i in range(count)]
    return {
        "rows.csv": table(rows),
        "flat.csv": table([row[:2] for row in rows]),
        "counted.csv": table([[i, *row] for i, row in enumerate(rows)]),
        "named.csv": table([["face", "Z", "Y", "X"], *(["0", *row[::-1]] for row in rows)]),
        "line.csv": table([np.ravel(rows).tolist()]),
        "by_axis.csv": table([["frame", *by_axis], [7, *mesh.T.ravel().tolist()]]),  # py-feat
        "objects.json": lambda file: json.dump(named, file),
        "result.json": lambda file: json.dump({"faceLandmarks": [named], "faceBlendshapes": []}, file),
        "keypoints.json": lambda file: json.dump([{"box": {}, "keypoints": named}], file),  # TensorFlow.js
        "numbers.json": lambda file: json.dump(rows, file),
        "points.json": lambda file: json.dump({"points": rows}, file),
    }


@pytest.mark.parametrize("count", [468, 478])
def test_files_of_the_mesh(tmp_path: Path, count: int) -> None:
    expected = maskkit.points_from_mesh(canonical_mesh())
    for kind, mesh in (("shares", shares(count)), ("pixels", canonical_mesh()[:count])):
        for name, write in files(mesh).items():
            with (tmp_path / name).open("w", newline="") as file:
                write(file)
            points = maskkit.read_points(tmp_path / name, (HEIGHT, WIDTH))
            assert np.abs(points - expected).max() < 1e-3, (kind, name)
            if kind == "shares":
                with pytest.raises(PointsError, match=rf"{name}: .* the picture's size is needed"):
                    maskkit.read_points(tmp_path / name)


def test_a_file_of_two_faces_or_of_another_mesh_is_refused(tmp_path: Path) -> None:
    (tmp_path / "two.json").write_text(json.dumps([shares().tolist()] * 2))
    (tmp_path / "half.csv").write_text("\n".join("0.1,0.2,0.3" for _ in range(234)))
    (tmp_path / "nan.csv").write_text("\n".join("nan,0.2,0.3" for _ in range(478)))
    for name, message in (("two.json", "2 faces"), ("half.csv", "row 1: expected"), ("nan.csv", "NaN")):
        with pytest.raises(PointsError, match=f"{name}.*{message}"):
            maskkit.read_points(tmp_path / name, (HEIGHT, WIDTH))


def test_the_command_draws_a_mesh(tmp_path: Path) -> None:
    with (tmp_path / "face.csv").open("w", newline="") as file:
        files(shares())["rows.csv"](file)
    arguments = ["segment", str(tmp_path / "face.csv"), "-o", str(tmp_path / "out"), "--size", f"{WIDTH}x{HEIGHT}"]
    done = CliRunner().invoke(group, [*arguments, "--format", "npy"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    drawn = np.load(tmp_path / "out" / "face.npy")
    points = maskkit.points_from_mesh(canonical_mesh())
    assert (drawn != maskkit.rasterize(points, (HEIGHT, WIDTH))).mean() < 1e-3
