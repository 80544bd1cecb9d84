"""dlib on real faces: found, fractional, and every failure a sentence."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import maskkit
from maskkit.detection import dlib_models, mtcnn
from maskkit.detection.cascade import predict_points
from maskkit.errors import DetectionError, ImageError
from maskkit.photos.celeba_geometry import USUAL_BOX
from maskkit.points.landmarks import eye_centres, eye_distance


def test_faces_in_free_photos(faces_fixture: Path) -> None:
    for path in sorted(faces_fixture.glob("*.jpg")):
        image = maskkit.read_image(path)
        (face,) = maskkit.detect(image)
        left, top, right, bottom = face.box
        assert face.detector == "hog"
        right_eye, left_eye = eye_centres(face.points)
        assert left < right_eye[0] < left_eye[0] < right  # the subject's right is at the left of the picture
        assert top < right_eye[1] < face.points[57, 1] < bottom + 10


def test_points_have_fractions_near_dlibs_whole_pixels(celeba_fixture: Path) -> None:
    image = maskkit.read_image(celeba_fixture / "img_align_celeba" / "000069.jpg")
    (face,) = maskkit.detect(image)
    whole = predict_points(image, face.box, enlargement=1)
    assert (whole == np.rint(whole)).all()
    assert (np.abs(face.points * 4 + 1.5 - np.rint(face.points * 4 + 1.5)) < 1e-3).all()  # the grid of quarter pixels
    # Both are the same face: no offset between the two grids, and no point far off.
    assert np.abs((face.points - whole).mean(axis=0)).max() < 0.35
    assert np.linalg.norm(face.points - whole, axis=1).max() < 0.12 * eye_distance(whole)


def test_small_faces_are_found_by_upsampling_and_smaller_ones_not(faces_fixture: Path) -> None:
    image = Image.open(faces_fixture / "collins.jpg")
    (face,) = maskkit.detect(np.asarray(image))
    width = face.box[2] - face.box[0]
    small = image.resize((round(image.width * 42 / width), round(image.height * 42 / width)))
    tiny = image.resize((round(image.width * 20 / width), round(image.height * 20 / width)))
    assert [found.detector for found in maskkit.detect(np.asarray(small))] == ["hog-upsampled"]
    assert maskkit.detect(np.asarray(small), "hog") == []
    assert maskkit.detect(np.asarray(tiny), "hog-upsampled") == []
    assert [found.detector for found in maskkit.detect(np.asarray(tiny))] == (["mtcnn"] if mtcnn.available() else [])


def test_of_several_faces_the_largest_is_first_and_the_usual_one_in_aligned_photos(faces_fixture: Path) -> None:
    # Two photos side by side: Collins as she is, and larger.
    photo = Image.open(faces_fixture / "collins.jpg")
    larger = photo.resize((photo.width * 3 // 2, photo.height * 3 // 2))
    both = Image.new("RGB", (photo.width + larger.width, larger.height), "gray")
    both.paste(photo, (0, 0))
    both.paste(larger, (photo.width, 0))
    first, second = maskkit.detect(np.asarray(both))
    assert first.box[0] > photo.width > second.box[2]
    aligned = maskkit.detect_aligned(np.asarray(both))
    distances = [np.hypot(*(np.array(f.box[:2]) - np.array(USUAL_BOX[:2]))) for f in aligned]
    assert distances == sorted(distances)


def test_the_usual_box_is_the_last_step_for_aligned_photos_only() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (218, 178, 3), dtype=np.uint8)
    (face,) = maskkit.detect_aligned(noise)
    assert face.detector == "usual-box"
    assert np.isnan(face.score)
    assert maskkit.detect_aligned(noise[:200]) == []
    assert maskkit.detect(noise) == []
    assert maskkit.detect(noise[:1, :1], "usual-box") == []


def test_refusals(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    grey = np.zeros((60, 60), dtype=np.uint8)
    with pytest.raises(ImageError, match="uint8 RGB"):
        maskkit.detect(grey)
    with pytest.raises(DetectionError, match="take one of auto, hog"):
        maskkit.detect(np.zeros((60, 60, 3), dtype=np.uint8), "yolo")
    dlib_models.predictor.cache_clear()
    broken = tmp_path / "model.dat"
    broken.write_bytes(b"nothing")
    for value, message in ((broken, "not a dlib model"), (tmp_path / "gone.dat", "there is no such file")):
        monkeypatch.setenv(dlib_models.MODEL_VARIABLE, str(value))
        with pytest.raises(DetectionError, match=message):
            dlib_models.predictor()
    monkeypatch.delenv(dlib_models.MODEL_VARIABLE)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DetectionError, match=r"pip install -e '.*\[detect\]'"):
        dlib_models.predictor()


def test_large_photos_are_searched_in_smaller_ones(faces_fixture: Path) -> None:
    small = maskkit.read_image(faces_fixture / "collins.jpg")
    height, width = small.shape[:2]
    large = cv2.resize(small, (13 * width, 13 * height))
    searched, times = dlib_models.to_search(large)
    assert (times, searched.shape) == (2, (13 * height // 2, 13 * width // 2, 3))
    assert dlib_models.to_search(small)[0] is small
    ((box, _),) = dlib_models.find_boxes(large, 0)
    ((expected, _),) = dlib_models.find_boxes(small, 0)
    assert np.abs(np.array(box) / 13 - expected).max() < 0.15 * (expected[2] - expected[0])


def test_a_damaged_model_of_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "face_recognition_models" / "models" / dlib_models.MODEL_NAME
    model.parent.mkdir(parents=True)
    model.write_bytes(b"cut short")
    (tmp_path / "face_recognition_models" / "__init__.py").touch()
    monkeypatch.delenv(dlib_models.MODEL_VARIABLE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    dlib_models.predictor.cache_clear()
    with pytest.raises(DetectionError, match=rf"{model} is damaged: its SHA-256 is .*; install it again"):
        dlib_models.predictor()
    monkeypatch.setenv(dlib_models.MODEL_VARIABLE, str(model))
    with pytest.raises(DetectionError, match="is not a dlib model that can be read"):
        dlib_models.predictor()
