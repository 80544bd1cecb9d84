"""Morphs: paths, easing, alignment, mirrored targets, bent photos and flicker, each against an independent truth."""

import csv
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from PIL import Image
from skimage.transform import SimilarityTransform, ThinPlateSplineTransform

import maskkit
from maskkit.errors import DetectionError, OutputError, PointsError, SchemeError
from maskkit.morphs.paths import EASINGS, along, timeline
from maskkit.morphs.placed_faces import _moved
from maskkit.morphs.warps import bend_photos
from maskkit.points.similarity import EYES_AND_NOSE
from tests.drawn import draw_face, face_points

QUARTER = {"linear": 0.25, "smooth": 0.15625, "sine": 0.5 - 0.5**0.5 / 2, "ease-in": 0.0625, "ease-out": 0.4375}


@pytest.fixture
def keys() -> np.ndarray:
    """Four different faces on a grid of 64."""
    faces = [(0.0, 0.0, 0.9), (0.08, 0.03, 0.9), (0.02, -0.05, 0.85), (0.05, 0.0, 0.95)]
    return np.stack([face_points(64, *face) for face in faces])


@pytest.fixture
def photo() -> np.ndarray:
    return draw_face(face_points(64), 64, 2, np.random.default_rng(0))


@pytest.mark.parametrize("easing", EASINGS)
def test_easings_have_their_closed_form_between_any_two_keys(easing: str) -> None:
    positions = timeline(3, 9, easing)
    assert positions[[0, 4, 8]].tolist() == [0, 1, 2]
    assert positions[[1, 5]] == pytest.approx([QUARTER[easing], 1 + QUARTER[easing]], abs=1e-12)
    assert (np.diff(positions) > 0).all()
    ends = timeline(2, 7, easing, beyond=0.5)
    assert (ends[0], ends[-1]) == (-0.5, 1.5)


def test_a_path_meets_its_keys_and_is_straight_between_them(keys: np.ndarray) -> None:
    path = maskkit.morph_points(keys, 10)
    assert (path[::3] == keys).all()
    columns = keys.reshape(4, -1).T
    truth = np.stack([np.interp(np.linspace(0, 3, 10), range(4), column) for column in columns], axis=1)
    assert path.reshape(10, -1) == pytest.approx(truth, abs=1e-4)
    assert (maskkit.interpolate(keys[0], keys[1], 5) == maskkit.morph_points(keys[:2], 5)).all()
    overshot = maskkit.morph_points(keys[:2], 3, beyond=0.25)
    assert overshot[0] == pytest.approx(keys[0] - 0.25 * (keys[1] - keys[0]), abs=1e-4)
    assert overshot[2] == pytest.approx(keys[1] + 0.25 * (keys[1] - keys[0]), abs=1e-4)


def test_ping_pong_is_symmetric_and_a_loop_closes(keys: np.ndarray) -> None:
    there_and_back = maskkit.morph_points(keys, 10, "smooth", "ping-pong")
    assert len(there_and_back) == 18
    assert (there_and_back[1:] == there_and_back[:0:-1]).all()
    assert (there_and_back[9] == keys[-1]).all()
    loop = maskkit.morph_points(keys, 12, "sine", "loop")
    closed = maskkit.morph_points([*keys, keys[0]], 13, "sine")
    assert (loop == closed[:-1]).all()


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"beyond": 1.01}, "ways beyond its ends, not 1.01"),
        ({"beyond": float("nan")}, "not nan"),
        ({"beyond": 0.5, "play": "loop"}, "a loop has no ends"),
        ({"easing": "bouncy"}, "no easing 'bouncy': take one of linear"),
        ({"play": "twice"}, "not 'twice'"),
        ({"frames": 1}, "got 2 and 1"),
    ],
)
def test_what_no_morph_can_be_is_a_sentence(keys: np.ndarray, wish: dict, message: str) -> None:
    with pytest.raises(PointsError, match=message):
        maskkit.morph_points(keys[:2], **{"frames": 5, **wish})


def test_alignment_is_the_least_squares_similarity_of_eyes_and_nose(keys: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    faces = (keys + rng.normal(0, 2, keys.shape)).astype(np.float32)
    chosen = faces[:, EYES_AND_NOSE]
    fitted = maskkit.fit_similarity(chosen[1:], chosen[0])
    for face, matrix in zip(chosen[1:], fitted, strict=True):
        assert matrix == pytest.approx(SimilarityTransform.from_estimate(face, chosen[0]).params[:2], abs=1e-5)
    with pytest.raises(PointsError, match=r"a\.pts: all lie in one place"):
        maskkit.fit_similarity(np.ones((28, 2)), chosen[0], "a.pts")


def test_faces_of_any_size_and_turn_come_onto_the_first(tmp_path: Path) -> None:
    first = face_points(128, opening=0.02)
    turned = SimilarityTransform(scale=7.3, rotation=0.6, translation=(900, -40))(face_points(128, opening=0.1))
    maskkit.write_points(tmp_path / "a.pts", first)
    maskkit.write_points(tmp_path / "b.json", turned)
    onto = maskkit.read_face_points(tmp_path / "a.pts", 128)
    moved = maskkit.read_face(tmp_path / "b.json", 128, onto=onto).points
    unlike = np.abs(moved - onto).max(axis=1) > 0.01
    assert set(np.flatnonzero(unlike)) == set(np.flatnonzero(np.abs(first - face_points(128, opening=0.1)).max(axis=1)))
    with pytest.raises(DetectionError, match=r"c\.xyz: neither a shard row"):
        maskkit.read_face("mirror:c.xyz", 128)


@pytest.mark.parametrize("scale", [0.2, 0.7, 1.9])
def test_a_photo_moves_with_its_points(scale: float) -> None:
    points = face_points(300)
    photo = np.zeros((280, 300, 3), np.uint8)
    x, y = np.rint(points[30]).astype(int)
    cv2.circle(photo, (int(x), int(y)), 8, (255, 255, 255), cv2.FILLED)
    points[30] = x, y
    matrix = SimilarityTransform(scale=scale, rotation=0.3, translation=(40 * scale, 10)).params[:2]
    moved = _moved(maskkit.PlacedFace(points, photo), matrix, 512)
    light = moved.image[..., 0].astype(float)
    at = [(light.sum(axis=axis) * np.arange(512)).sum() / light.sum() for axis in (0, 1)]
    assert at == pytest.approx(moved.points[30].tolist(), abs=0.15)


def test_a_mirrored_target_turns_the_head_symmetrically(tmp_path: Path) -> None:
    maskkit.write_points(tmp_path / "a.pts", face_points(64, turn=0.06))
    a = str(tmp_path / "a.pts")
    path = maskkit.morph_points([maskkit.read_face_points(key, 64) for key in (a, f"mirror:{a}")], 9, "sine")
    assert maskkit.mirror_points(path, 64)[::-1] == pytest.approx(path, abs=1e-4)
    half_way = maskkit.rasterize(path[4], 64)
    assert (maskkit.mirror_label_map(half_way) != half_way).mean() < 1e-3
    assert maskkit.read_face_points(f"mirror:mirror:{a}", 64) == pytest.approx(path[0], abs=1e-4)


def test_warping_by_nothing_is_the_picture_and_by_points_scikit_images_spline(photo: np.ndarray) -> None:
    start, end = face_points(64), face_points(64, opening=0.09, turn=0.03)
    assert (maskkit.warp_picture(photo, start, start) == photo).all()
    ramp = np.zeros((64, 64, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(64) * 4, np.arange(64)[:, None] * 4
    edge = [(x, y) for x in (0, 31.5, 63) for y in (0, 31.5, 63) if (x, y) != (31.5, 31.5)]
    spline = ThinPlateSplineTransform.from_estimate(np.concatenate([end, edge]), np.concatenate([start, edge]))
    y, x = np.mgrid[:64, :64]
    truth = np.clip(spline(np.stack([x.ravel(), y.ravel()], axis=1).astype(float)), 0, 63).reshape(64, 64, 2)
    shown = maskkit.warp_picture(ramp, start, end)[..., :2] / 4
    assert np.abs(shown - truth).max() < 0.4
    assert np.abs(truth - np.stack([x, y], axis=-1)).max() > 1.5


def test_bent_photos_show_each_key_itself_and_borrow_where_there_is_none(photo: np.ndarray, keys: np.ndarray) -> None:
    other = photo[::-1].copy()
    path = [maskkit.PlacedFace(keys[0], photo), maskkit.PlacedFace(keys[1], None), maskkit.PlacedFace(keys[2], other)]
    positions = np.array([0, 0.5, 1, 2])
    shown = list(bend_photos(path, positions, along(keys[:3], positions)))
    assert (shown[0] == photo).all() and (shown[3] == other).all()
    assert (shown[2] == maskkit.warp_picture(photo, keys[0], keys[1])).all()
    with pytest.raises(PointsError, match="none of the faces comes with a photo"):
        next(bend_photos(path[1:2] * 2, positions, keys))


def test_flicker_counts_what_changes_and_changes_back() -> None:
    masks = np.zeros((5, 2, 5), np.uint8)
    masks[2, 0, 0] = 3  # there and back: two changes, the first taken back
    masks[1:, 1, 1] = 1  # once and for good
    figure = maskkit.measure_flicker(masks)
    assert (figure.changed, figure.reverted) == pytest.approx((3 / 40, 1 / 40))
    shares = np.array([0.1, 0.1, 0.1, 0.0])
    assert figure.uneven == pytest.approx(np.sqrt((np.diff(shares) ** 2).mean()) / shares.mean())
    assert maskkit.measure_flicker(masks[:1].repeat(3, axis=0)) == maskkit.Flicker(0, 0, 0)
    with pytest.raises(SchemeError, match=r"float64 \(5, 2, 5\)"):
        maskkit.measure_flicker(masks.astype(float))


def test_rounded_points_flicker_and_fractional_ones_do_not() -> None:
    path = maskkit.interpolate(face_points(128), face_points(128, opening=0.08, scale=0.95, shift=(0.01, 0.02)), 40)
    smooth, rounded = (maskkit.measure_flicker(maskkit.rasterize(p, 128)) for p in (path, np.rint(path)))
    assert rounded.reverted > 3 * smooth.reverted
    assert rounded.uneven > 1.5 * smooth.uneven


def test_a_morph_says_where_the_face_leaves_the_frame(tmp_path: Path) -> None:
    short, long = face_points(128), face_points(128)
    long[6:11, 1] += 60
    for name, points in (("short", short), ("long", long)):
        maskkit.write_points(tmp_path / f"{name}.pts", points)
    ends = [tmp_path / "short.pts", tmp_path / "long.pts"]
    found = maskkit.write_morph(ends, tmp_path / "m.csv", frames=7, size=64)
    chins = maskkit.interpolate(*(maskkit.read_face_points(end, 64) for end in ends), 7)[:, 6:11, 1].max(axis=1)
    below = chins - 63.5
    assert 0 < (below > 0).sum() < 7
    (note,) = found.notes
    assert note.startswith(
        f"the jaw leaves the frame in {(below > 0).sum()} of 7 frames, by up to {below.max():.1f} of"
    )
    assert maskkit.write_morph(ends[:1] * 2, tmp_path / "still.csv", frames=2, size=64).notes == ()


def test_every_ending_holds_the_same_morph(drawn_shards: Path, tmp_path: Path) -> None:
    ends = [f"{drawn_shards}/train-00000.h5#{row}" for row in (1, 2)]
    made = {
        name: maskkit.write_morph(ends, tmp_path / name, frames=4, size=64, **wish)
        for name, wish in {
            "m.npz": {"with_one_hot": True}, "m.csv": {}, "m.h5": {}, "m.gif": {"scale": 2}, "masks": {},
            "photos": {"show": "photo"}, "both": {"show": "overlay", "play": "ping-pong"},
        }.items()
    }  # fmt: skip
    assert {name: result.frames for name, result in made.items()}["both"] == 6
    truth = maskkit.interpolate(*(maskkit.read_face_points(end, 64) for end in ends), 4)
    masks = maskkit.rasterize(truth, 64)
    with np.load(tmp_path / "m.npz") as content:
        assert (content["points"] == truth).all() and (content["masks"] == masks).all()
        assert (maskkit.from_one_hot(content["one_hot"]) == masks).all()
    with (tmp_path / "m.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert (np.array([row[1:] for row in rows], dtype=np.float32).reshape(4, 68, 2) == truth).all()
    for number in range(4):
        assert (maskkit.read_face_points(f"{tmp_path}/m.h5#{number}", 64) == truth[number]).all()
        assert (np.asarray(Image.open(tmp_path / "masks" / f"frame-{number:04d}.png")) == masks[number]).all()
    with h5py.File(tmp_path / "m.h5") as shard, h5py.File(drawn_shards / "train-00000.h5") as source:
        assert (shard["mask"][:] == masks).all()
        assert (shard["image"][0] == source["image"][1]).all() and (shard["image"][3] == source["image"][2]).all()
        photo = np.asarray(Image.open(tmp_path / "photos" / "frame-0001.png"))
        assert (photo == shard["image"][1]).all()
    shown = np.asarray(Image.open(tmp_path / "both" / "frame-0001.png"))
    assert (shown == maskkit.overlay(photo, masks[1])).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(made)


@pytest.mark.parametrize(
    ("name", "wish", "message"),
    [
        ("m.gif", {"with_one_hot": True}, "written into an .npz"),
        ("m.gif", {"size": 1024, "scale": 5}, "frames of 5120 pixels are too large"),
        ("m.npz", {"size": 4096, "frames": 100}, "100 frames of 4096 pixels do not fit"),
        ("m.avi", {}, "written as .mp4, .gif, .npz, .csv, .h5"),
        ("m.gif", {"show": "film"}, "show is one of masks, photo, overlay"),
        ("m.gif", {"show": "photo"}, "none of the faces comes with a photo"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, name: str, wish: dict, message: str) -> None:
    maskkit.write_points(tmp_path / "a.pts", face_points(64))
    with pytest.raises((OutputError, PointsError), match=message):
        maskkit.write_morph([tmp_path / "a.pts"] * 2, tmp_path / name, **wish)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pts"]


def test_the_earlier_names_are_the_same_things() -> None:
    assert maskkit.Layout is maskkit.PlacedFace and maskkit.read_layout is maskkit.read_face_points
