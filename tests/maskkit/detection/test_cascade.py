"""The cascade: MTCNN, the box about five points, faces elsewhere, own detectors, choosing, the quality score."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import maskkit
from maskkit.detection import dlib_models, mtcnn
from maskkit.detection.cascade import box_about, choose, steps_of
from maskkit.errors import DetectionError, PointsError
from maskkit.photos.celeba_geometry import USUAL_BOX
from maskkit.points.landmarks import eye_centres, eye_distance

needs_mtcnn = pytest.mark.skipif(not mtcnn.available(), reason="needs facenet-pytorch, which is optional")


def five_of(points: np.ndarray) -> np.ndarray:
    """Eyes, nose and mouth corners of 68 points."""
    return np.concatenate([eye_centres(points), points[[30, 48, 54]]])


class Middle:
    """A detector of one's own: a face in the middle of every picture."""

    name = "middle"

    def find(self, image: np.ndarray) -> list[maskkit.Face]:
        height, width = image.shape[:2]
        box = (width / 4, height / 4, width * 3 / 4, height * 3 / 4)
        return [maskkit.Face(maskkit.predict_points(image, box), box, 0.5, "middle")]


@needs_mtcnn
def test_mtcnn_sees_what_hog_sees(faces_fixture: Path, celeba_fixture: Path) -> None:
    paths = [*faces_fixture.glob("*.jpg"), *sorted((celeba_fixture / "img_align_celeba").glob("*.jpg"))[::18]]
    for path in paths:
        image = maskkit.read_image(path)
        (hog,) = maskkit.detect(image, "hog")
        face = maskkit.detect(image, "mtcnn")[0]
        assert (face.detector, 0.9 < face.score <= 1) == ("mtcnn", True)
        assert np.linalg.norm(face.points - hog.points, axis=1).mean() < 0.05 * eye_distance(hog.points)
        (five, _), *_ = mtcnn.find_five_points(image)
        assert np.linalg.norm(five - five_of(hog.points), axis=1).max() < 0.25 * eye_distance(hog.points)
    assert mtcnn.find_five_points(np.zeros((200, 200, 3), dtype=np.uint8)) == []
    assert mtcnn.find_five_points(np.zeros((5, 300, 3), dtype=np.uint8)) == []
    assert not [name for name in sys.modules if name.startswith(("torchvision", "facenet_pytorch"))]


@needs_mtcnn
def test_weights_that_are_code_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    folder = mtcnn._folder()
    assert folder is not None
    shutil.copytree(folder, tmp_path / "facenet_pytorch")
    torch.save(Evil(), tmp_path / "facenet_pytorch" / "data" / "pnet.pt")
    monkeypatch.setattr(mtcnn, "_folder", lambda: tmp_path / "facenet_pytorch")
    mtcnn._load.cache_clear()
    with pytest.raises(DetectionError, match="cannot be used"):
        mtcnn.find_five_points(np.zeros((100, 100, 3), dtype=np.uint8))
    assert not (tmp_path / "ran").exists()


@needs_mtcnn
def test_weights_that_are_not_those_that_were_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    folder = mtcnn._folder()
    assert folder is not None
    shutil.copytree(folder, tmp_path / "facenet_pytorch")
    shutil.copytree(next(folder.parent.glob("facenet_pytorch-*")), tmp_path / "facenet_pytorch-0.dist-info")
    monkeypatch.syspath_prepend(tmp_path)
    assert len(mtcnn._load.__wrapped__()[0]) == 3
    damaged = tmp_path / "facenet_pytorch" / "data" / "pnet.pt"
    weights = torch.load(damaged, weights_only=True)
    weights["conv1.bias"][0] += 1
    torch.save(weights, damaged)
    with pytest.raises(DetectionError, match=rf"{damaged} is damaged: it is not what was installed, by its SHA-256"):
        mtcnn._load.__wrapped__()


def test_the_stand_in_keeps_the_boxes_that_greedy_suppression_keeps() -> None:
    import torch

    from maskkit.detection.torchvision_shim import batched_nms

    rng = np.random.default_rng(0)
    corner = rng.integers(0, 40, (60, 2))
    boxes = np.concatenate([corner, corner + rng.integers(5, 30, (60, 2))], axis=1).astype(np.float32)
    scores, groups = rng.permutation(60).astype(np.float32), rng.integers(0, 2, 60)
    kept: list[int] = []
    for i in np.argsort(-scores):  # the definition, on a grid of pixels
        pixels = {}
        for j in [i, *kept]:
            grid = np.zeros((80, 80), dtype=bool)
            left, top, right, bottom = boxes[j].astype(int)
            grid[top:bottom, left:right] = True
            pixels[j] = grid
        rivals = [pixels[j] for j in kept if groups[i] == groups[j]]
        overlaps = [(pixels[i] & other).sum() / (pixels[i] | other).sum() for other in rivals]
        if all(overlap <= 0.5 for overlap in overlaps):
            kept.append(int(i))
    found = batched_nms(*(torch.from_numpy(array) for array in (boxes, scores, groups)), 0.5)
    assert found.tolist() == kept
    assert 20 < len(kept) < 58


def test_the_box_about_five_points_is_where_hog_looks(celeba_fixture: Path) -> None:
    for path in sorted((celeba_fixture / "img_align_celeba").glob("*.jpg"))[::9]:
        image = maskkit.read_image(path)
        (face,) = maskkit.detect(image, "hog")
        left, top, right, bottom = box_about(five_of(face.points))
        assert abs((right - left) / (face.box[2] - face.box[0]) - 1) < 0.25
        assert np.hypot(left + right - face.box[0] - face.box[2], top + bottom - face.box[1] - face.box[3]) < 2 * 12


def test_steps_by_name_and_by_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mtcnn, "available", lambda: True)
    assert steps_of("auto") == ("hog", "hog-upsampled", "mtcnn")
    assert steps_of("auto", aligned=True) == ("hog", "hog-upsampled", "mtcnn", "usual-box")
    assert steps_of("auto", aligned=True, five_points=True)[-1] == "five-points"
    monkeypatch.setattr(mtcnn, "available", lambda: False)
    assert steps_of("auto", aligned=True) == ("hog", "hog-upsampled", "usual-box")
    with pytest.raises(DetectionError, match="--no-deps facenet-pytorch"):
        maskkit.detect(np.zeros((60, 60, 3), dtype=np.uint8), "mtcnn")
    with pytest.raises(DetectionError, match="list_landmarks_align_celeba"):
        steps_of("five-points", aligned=True)


def test_an_aligned_photos_face_is_where_the_data_set_puts_it(
    celeba_fixture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = maskkit.read_image(celeba_fixture / "img_align_celeba" / "000069.jpg")
    monkeypatch.setattr(mtcnn, "available", lambda: False)
    monkeypatch.setattr(dlib_models, "find_boxes", lambda image, upsample: [((0, 0, 60, 60), 2.0)])
    (face,) = maskkit.detect_aligned(image)
    assert (face.detector, face.box) == ("usual-box", USUAL_BOX)
    near = ((40, 90, 130, 180), 0.1)
    monkeypatch.setattr(dlib_models, "find_boxes", lambda image, upsample: [((0, 0, 60, 60), 2.0), near])
    assert [face.box for face in maskkit.detect_aligned(image)] == [near[0]]
    five = np.array([[69, 111], [108, 111], [88, 135], [73, 155], [104, 155]], dtype=np.float64)
    monkeypatch.setattr(dlib_models, "find_boxes", lambda image, upsample: [])
    (face,) = maskkit.detect_aligned(image, five_points=five)
    assert (face.detector, face.box) == ("five-points", box_about(five))
    assert np.linalg.norm(eye_centres(face.points) - five[:2], axis=1).max() < 6


def test_looking_near_the_usual_place_first_loses_no_face(celeba_fixture: Path) -> None:
    for path in sorted((celeba_fixture / "img_align_celeba").glob("*.jpg"))[::9]:
        image = maskkit.read_image(path)
        near, everywhere = maskkit.detect_aligned(image, "hog")[0], maskkit.detect(image, "hog")[0]
        distance = np.linalg.norm(near.points - everywhere.points, axis=1).mean()
        assert 0 < distance < 0.03 * eye_distance(everywhere.points)  # another box, and so other points, hardly
    up = np.roll(image, -60, axis=0)  # the face lies where the first look does not reach
    (face,) = maskkit.detect_aligned(up, "hog")
    assert np.linalg.norm(face.points - everywhere.points + np.array([0, 60]), axis=1).mean() < 3


def test_a_detector_of_ones_own(faces_fixture: Path) -> None:
    image = maskkit.read_image(faces_fixture / "collins.jpg")
    (face,) = maskkit.detect(image, Middle())
    assert (face.detector, face.score) == ("middle", 0.5)

    class Broken(Middle):
        def find(self, image: np.ndarray) -> list[maskkit.Face]:
            return [maskkit.Face(np.full((68, 2), np.nan, dtype=np.float32), (0, 0, 1, 1), 1.0, "broken")]

    with pytest.raises(PointsError, match="the detector middle: a coordinate is NaN"):
        maskkit.detect(image, Broken())


def test_choosing_among_faces() -> None:
    faces = [maskkit.Face(np.zeros((68, 2), np.float32), (0, 0, side, side), 1.0, "hog") for side in (9, 5)]
    assert choose(faces, 1, "a") == faces[:1]
    assert choose(faces, 2, "a") == faces[1:]
    assert choose(faces, "all", "a") == faces
    for choice, message in ((3, r"a\.jpg: face 3 was asked for, and 2 were found"), (0, "0 chooses no face")):
        with pytest.raises(DetectionError, match=message):
            choose(faces, choice, "a.jpg")
    with pytest.raises(DetectionError, match="no face found"):
        choose([], 1, "a.jpg")


def test_the_quality_score_is_the_mean_way_of_the_points(celeba_fixture: Path) -> None:
    image = maskkit.read_image(celeba_fixture / "img_align_celeba" / "000069.jpg")
    (face,) = maskkit.detect(image)
    left, top, right, bottom = face.box
    step = (right - left) / 20
    total = 0.0
    for box in ((left - step, top, right - step, bottom), (left + step, top, right + step, bottom),
                (left, top - step, right, bottom - step), (left, top + step, right, bottom + step)):  # fmt: skip
        for (x, y), (u, v) in zip(maskkit.predict_points(image, box).tolist(), face.points.tolist(), strict=True):
            total += float(np.hypot(x - u, y - v))
    unit = float(np.hypot(*(face.points[36] - face.points[45])))
    assert maskkit.quality(image, face) == pytest.approx(total / 4 / 68 / unit, rel=1e-5)
    noise = np.random.default_rng(0).integers(0, 255, image.shape, dtype=np.uint8)
    assert maskkit.quality(noise, maskkit.Face(face.points, face.box, 0.0, "hog")) > 0.06 > maskkit.quality(image, face)


def test_a_box_beside_the_picture_is_refused() -> None:
    picture = np.zeros((50, 80, 3), dtype=np.uint8)
    for box in ((90, 0, 100, 10), (10, 10, 5, 20), (-20, 0, -5, 10)):
        with pytest.raises(PointsError, match="no place in a picture of 80 x 50"):
            maskkit.predict_points(picture, box)
