"""Masks against slow exact arithmetic, sub-pixel truth and scikit-image."""

import pickle
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import polygon2mask

import maskkit
from benchmarks import exactness
from maskkit.errors import MaskkitError, MissingExtraError, PointsError, SchemeError
from maskkit.masks import raster
from tests.drawn import face_points

SIZE = 24
# Whole, half and odd 256ths of pixels inside and outside of the picture: ties and degenerate shapes are common.
coordinate = st.one_of(st.integers(-4, SIZE + 4), st.integers(-8, 2 * SIZE).map(lambda v: v / 2),
                       st.integers(-2000, 9000).map(lambda v: v / 256))  # fmt: skip
corners = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8)
faces = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).uniform(-6, SIZE + 6, (68, 2)))


def exact_inside(polygon: list[tuple[Fraction, Fraction]], x: int, y: int) -> bool:
    """The even-odd rule with the top-left rule, in fractions, one pixel at a time."""
    inside = False
    for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if (y0 <= y) != (y1 <= y):
            crossing = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
            inside ^= crossing <= x
    return inside


def on_edge(polygon: np.ndarray, x: int, y: int) -> bool:
    """Whether a pixel centre lies exactly on an edge (corners in whole 256ths)."""
    a, b = polygon, np.roll(polygon, -1, axis=0)
    p = np.array([x * 256, y * 256])
    cross = (b[:, 0] - a[:, 0]) * (p[1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (p[0] - a[:, 0])
    between = ((np.minimum(a, b) <= p) & (p <= np.maximum(a, b))).all(axis=1)
    return bool(((cross == 0) & between).any())


@given(corners)
@settings(max_examples=150, deadline=None)
def test_fill_equals_exact_arithmetic(polygon: list[tuple[float, float]]) -> None:
    drawn = maskkit.fill_polygon(polygon, SIZE)
    exact = [(Fraction(x), Fraction(y)) for x, y in polygon]
    assert drawn.tolist() == [[exact_inside(exact, x, y) for x in range(SIZE)] for y in range(SIZE)]


@given(corners)
@settings(max_examples=100, deadline=None)
def test_fill_agrees_with_scikit_image_off_the_edges(polygon: list[tuple[float, float]]) -> None:
    drawn = maskkit.fill_polygon(polygon, SIZE)
    witness = polygon2mask((SIZE, SIZE), np.array(polygon)[:, ::-1])
    whole = np.array(polygon) * 256
    for y, x in np.argwhere(drawn != witness):
        assert on_edge(whole.astype(np.int64), x, y)


@given(faces)
@settings(max_examples=50, deadline=None)
def test_one_class_per_pixel_and_back(points: np.ndarray) -> None:
    label_map = maskkit.rasterize(points, SIZE)
    channels = maskkit.one_hot(label_map, 7)
    assert channels.shape == (7, SIZE, SIZE)
    assert (channels.sum(axis=0) == 1).all()
    assert (maskkit.from_one_hot(channels) == label_map).all()


@given(faces)
@settings(max_examples=50, deadline=None)
def test_mirrored_points_give_the_mirrored_map_except_at_ties(points: np.ndarray) -> None:
    points = (np.rint(points * 512) / 512).astype(np.float32)  # half of them between two steps of the snapping
    mirrored = maskkit.rasterize(maskkit.mirror_points(points, SIZE), SIZE)
    reflected = maskkit.mirror_label_map(maskkit.rasterize(points, SIZE))
    mirror = maskkit.mirror_points(points, SIZE)
    whole = np.rint(mirror.astype(np.float64) * 256).astype(np.int64)
    polygons = [list(region.polygon) for region in maskkit.load_scheme("scgan").regions[1:]]
    # Where random eyes overlap, the left one lies over the right one on both sides of the mirror.
    both_eyes = maskkit.fill_polygon(mirror[36:42], SIZE) & maskkit.fill_polygon(mirror[42:48], SIZE)
    for y, x in np.argwhere((mirrored != reflected) & ~both_eyes):
        assert any(on_edge(whole[polygon], x, y) for polygon in polygons)


@given(faces, st.integers(-9, 9), st.integers(-9, 9))
@settings(max_examples=50, deadline=None)
def test_whole_pixel_shift_moves_the_map(points: np.ndarray, dx: int, dy: int) -> None:
    points = (np.rint(points * 1024) / 1024).astype(np.float32)  # so that float32 adds without rounding
    large = SIZE + 40
    still = maskkit.rasterize(points + np.float32(20), large)
    moved = maskkit.rasterize(points + np.array([20 + dx, 20 + dy], dtype=np.float32), large)
    assert (moved == np.roll(still, (dy, dx), axis=(0, 1))).all()


def test_batch_equals_one_by_one() -> None:
    points = np.stack([face_points(40, opening=o) for o in np.linspace(0, 0.1, 70)])
    together = maskkit.rasterize(points, (40, 50))
    assert together.shape == (70, 40, 50)
    assert all((together[i] == maskkit.rasterize(points[i], (40, 50))).all() for i in range(70))
    assert maskkit.rasterize(points[:0], 40).shape == (0, 40, 40)


wild = st.one_of(coordinate, st.sampled_from([-1e6, 1e6]), st.floats(-1e6, 1e6, width=32))
anywhere = st.one_of(faces, st.lists(st.tuples(wild, wild), min_size=68, max_size=68).map(np.array))


def scheme_of_triangles(count: int) -> maskkit.RegionScheme:
    """A scheme of more polygons than a byte has bits, which lie over each other."""
    regions = [maskkit.Region("background", (0, 0, 0), (), "background")]
    for k in range(count):
        regions.append(maskkit.Region(f"r{k}", (0, 0, k), (k, (7 * k + 3) % 68, (11 * k + 5) % 68, -1), f"r{k}"))
    return maskkit.RegionScheme("triangles", tuple(regions))


@given(anywhere, st.sampled_from(["scgan", scheme_of_triangles(19)]), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_both_backends_paint_region_over_region(
    points: np.ndarray, scheme: str | maskkit.RegionScheme, height: int, width: int
) -> None:
    whole = points.astype(np.float32).astype(np.float64)
    expected = np.zeros((height, width), dtype=np.uint8)
    chosen = maskkit.load_scheme(scheme) if isinstance(scheme, str) else scheme
    for index, region in enumerate(chosen.regions):
        if region.polygon:
            expected[maskkit.fill_polygon(whole[list(region.polygon)], (height, width))] = index
    assert (maskkit.rasterize(points, (height, width), scheme, "numpy") == expected).all()
    pytest.importorskip("numba", reason="needs the extra fast")
    assert (maskkit.rasterize(points, (height, width), scheme, "numba") == expected).all()


def test_compiled_code_steps_from_row_to_row_without_rounding() -> None:
    # Short edges in 256ths: among a million of them each remainder that the steps can leave comes up.
    pytest.importorskip("numba", reason="needs the extra fast")
    points = np.random.default_rng(0).integers(-300, 1300, (20_000, 68, 2)) / 256
    scheme = scheme_of_triangles(19)
    assert (maskkit.rasterize(points, 4, scheme, "numba") == maskkit.rasterize(points, 4, scheme, "numpy")).all()


def test_every_kind_of_array_is_taken() -> None:
    points = np.stack([face_points(40, opening=o) for o in (0, 0.1)])
    expected = maskkit.rasterize(points, 40, backend="numpy")
    read_only, strided = points.copy(), np.repeat(points, 2, axis=2)[..., ::2]
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"\0" + points.tobytes(), np.uint8)[1:].view(np.float32).reshape(points.shape)
    for kind in (read_only, strided, unaligned, points.astype(">f4"), points.tolist(), np.asfortranarray(points)):
        assert (maskkit.rasterize(kind, 40) == expected).all()


def test_without_numba_auto_is_numpy_and_numba_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "maskkit.masks.scanlines", None)
    raster._compiled.cache_clear()
    points = face_points(40)
    assert (maskkit.rasterize(points, 40) == maskkit.rasterize(points, 40, backend="numpy")).all()
    with pytest.raises(MissingExtraError, match=r"\[fast\]") as caught:
        maskkit.rasterize(points, 40, backend="numba")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # as it comes from a worker
    with pytest.raises(MaskkitError, match="no backend 'cuda': take auto, numpy or numba"):
        maskkit.rasterize(points, 40, backend="cuda")  # type: ignore[arg-type]
    raster._compiled.cache_clear()


def test_where_no_cache_can_be_written_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba", reason="needs the extra fast")
    from numba.core import caching

    from maskkit.masks import scanlines

    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    labels = np.zeros((1, 40, 40), dtype=np.uint8)
    scanlines._compiled()(face_points(40)[None], *maskkit.load_scheme("scgan").polygons, labels)
    assert (labels[0] == maskkit.rasterize(face_points(40), 40, backend="numpy")).all()


def test_painting_order_and_sides() -> None:
    label_map = maskkit.rasterize(face_points(128), 128)
    names = maskkit.load_scheme("scgan").names
    rows, columns = np.nonzero(label_map == names.index("right_eye"))
    assert columns.mean() < 64 < np.nonzero(label_map == names.index("left_eye"))[1].mean()
    mouth = np.nonzero(label_map == names.index("inner_mouth"))[0].mean()
    assert mouth > np.nonzero(label_map == names.index("nose"))[0].mean() > rows.mean()
    assert (label_map > 0).sum() > 5 * (label_map > 1).sum() > 0


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((67, 2)), r"\(67, 2\)"),
        (np.full((68, 2), np.nan), "NaN"),
        (np.full((68, 2), 2e6), "farther out than 1e\\+06"),
        ("face", "expected numbers"),
    ],
)
def test_bad_points_are_refused(points: object, message: str) -> None:
    with pytest.raises(PointsError, match=message):
        maskkit.rasterize(points, SIZE)  # type: ignore[arg-type]


def test_more_classes_than_the_type_holds() -> None:
    assert maskkit.one_hot(np.array([[1, 2]], dtype=np.uint8), 300).sum() == 2


def test_labels_outside_the_classes_are_refused() -> None:
    with pytest.raises(SchemeError, match="holds the value 7, and the classes are 0 to 6"):
        maskkit.one_hot(np.full((2, 2), 7, dtype=np.uint8), 7)
    with pytest.raises(SchemeError, match="exactly one 1"):
        maskkit.from_one_hot(np.ones((2, 3, 3), dtype=np.uint8))


def test_exactness_on_hand_made_landmarks(real_data: Path) -> None:
    faces = exactness.read_faces(real_data / "w300_crops")
    assert len(faces) == 430
    table = exactness.measure(faces, every=6)  # the benchmark takes all, in a minute and a half
    for name in ("right_eye", "left_eye", "inner_mouth"):
        assert table[name]["iou_40"] >= 0.985
    assert table["skin"]["iou_40"] >= 0.999
    assert all(abs(row["area_ratio"] - 1) <= 0.005 for row in table.values())
