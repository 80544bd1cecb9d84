"""Many photos to points and masks: the doors behind `maskkit landmarks` and `segment`."""

import operator
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import maskkit
from maskkit.detection.workers import map_in_order, workers_worth
from maskkit.errors import DetectionError, OutputError, PointsError
from maskkit.masks.overlays import annotate
from tests.drawn import face_points


class Painted:
    """A detector that sees as many faces as the photo's red tells, each as wide as its green."""

    name = "painted"

    def find(self, image: np.ndarray) -> list[maskkit.Face]:
        count, width = (int(value) for value in image[0, 0, :2])
        return [
            maskkit.Face(face_points(64) + number, (0, 0, width - number, width - number), 1.0, self.name)
            for number in range(count)
        ]


def painted(folder: Path, counts: list[int]) -> Path:
    """A folder of photos for the painted detector."""
    folder.mkdir()
    for number, count in enumerate(counts):
        Image.new("RGB", (64, 64), (count, 30 + number, 0)).save(folder / f"{number:02d}.png")
    return folder


def test_the_same_files_and_order_from_one_and_two_processes(tmp_path: Path) -> None:
    photos = painted(tmp_path / "photos", [number % 3 for number in range(32)])
    results = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        told: list[tuple[int, int]] = []
        results.append(
            maskkit.write_landmarks(
                [photos], out, face="all", detector=Painted(), workers=workers,
                on_progress=lambda *done, told=told: told.append(done),
            )
        )  # fmt: skip
        assert told == [(number + 1, 32) for number in range(32)]
    one, two = results
    assert (list(one.found.items()), one.failed) == (list(two.found.items()), two.failed)
    assert list(one.found)[:2] == [f"{photos}/01.png-1", f"{photos}/02.png-1"] and len(one.failed) == 11
    names = sorted(path.name for path in (tmp_path / "1").glob("[!.]*"))
    assert names[:3] == ["01-1.pts", "02-1.pts", "02-2.pts"]
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_work_in_processes_keeps_its_order_and_a_lost_worker_is_told() -> None:
    assert list(map_in_order(operator.neg, range(40), 2)) == [-number for number in range(40)]
    with pytest.raises(DetectionError, match="a worker process ended"):
        list(map_in_order(os._exit, [1], 2))
    with pytest.raises(DetectionError, match="cannot be sent to workers"):
        list(map_in_order(lambda item: item, [1], 2))
    assert [workers_worth(8, photos) for photos in (0, 1, 31, 32, 1000)] == [1, 1, 1, 2, 8]


def test_all_faces_are_those_of_all_steps_each_once(faces_fixture: Path) -> None:
    large = maskkit.read_image(faces_fixture / "collins.jpg")
    small = np.asarray(Image.fromarray(large).resize((large.shape[1] // 2, large.shape[0] // 2), Image.Resampling.BOX))
    both = np.zeros((large.shape[0], large.shape[1] + small.shape[1], 3), np.uint8)
    both[:, : large.shape[1]], both[: small.shape[0], large.shape[1] :] = large, small
    assert [face.detector for face in maskkit.detect(both)] == ["hog"]
    faces = maskkit.detect(both, every_face=True)
    assert [face.detector for face in faces] == ["hog", "hog-upsampled"]
    assert faces[0].points[:, 0].max() < large.shape[1] < faces[1].points[:, 0].min()


def test_seven_guests_at_a_table(real_data: Path) -> None:
    photo = maskkit.read_image(real_data / "dlib_faces" / "2008_002079.jpg")
    assert len(maskkit.detect(photo)) == 1
    faces = maskkit.detect(photo, every_face=True)
    assert len(faces) >= 6
    middles = np.array([face.points.mean(axis=0) for face in faces])
    apart = np.linalg.norm(middles[:, None] - middles, axis=2) + 1e9 * np.eye(len(faces))
    assert apart.min() > 20  # each once; the nearest two sit 40 pixels apart


def test_the_largest_of_several_faces_is_told(tmp_path: Path) -> None:
    photos = painted(tmp_path / "photos", [1, 2])
    result = maskkit.write_landmarks([photos], tmp_path / "out", format="json", detector=Painted())
    assert result.notes == [f"{photos / '01.png'}: 2 faces found, the largest taken; all of them with --face all"]
    assert maskkit.write_landmarks([photos], tmp_path / "all", face="all", detector=Painted()).notes == []


def test_size_and_overlay_do_something_or_are_refused(tmp_path: Path) -> None:
    photos = painted(tmp_path / "photos", [1])
    points = tmp_path / "face.pts"
    maskkit.write_points(points, face_points(64))
    for inputs, wish, message in (
        ([photos], {"size": 64}, "--size is for point files"),
        ([points], {}, "does not tell the size"),
        ([points], {"size": 64, "overlay": True}, "--overlay draws on photos"),
        ([points], {"size": 99999}, "a side has 1 to 16384 pixels"),
    ):
        with pytest.raises(PointsError, match=message):
            maskkit.write_masks(inputs, tmp_path / "out", **wish)
    with pytest.raises(OutputError, match="no format 'tiff' of masks"):
        maskkit.write_masks([points], tmp_path / "out", format="tiff", size=64)
    assert not (tmp_path / "out").exists()
    wish = {"size": (64, 64), "overlay": True, "detector": Painted()}
    result = maskkit.write_masks([photos, points], tmp_path / "out", **wish)
    assert (len(result.found), result.notes) == (2, [])
    assert sorted(path.name for path in (tmp_path / "out").glob("[!.]*")) == ["00.overlay.jpg", "00.png", "face.png"]


def test_points_outside_of_their_picture_are_told(tmp_path: Path) -> None:
    points = face_points(64)
    maskkit.write_points(tmp_path / "face.pts", points)
    result = maskkit.write_masks([tmp_path / "face.pts"], tmp_path / "out", size=(64, 32))
    (note,) = result.notes
    outside = sum(x >= 31.5 for x, _ in points.tolist())
    assert note.startswith(f"{tmp_path / 'face.pts'}: {outside} of 68 points lie outside of 32 x 64 pixels")


def test_an_overlay_outlines_every_face_and_leaves_the_photo_to_be_seen() -> None:
    photo = np.full((300, 600, 3), 90, np.uint8)
    faces = np.stack([face_points(300), face_points(300) + np.float32([300, 0])])
    drawn = annotate(photo, faces)
    assert drawn.shape[1] == 600 and drawn.shape[0] > 300  # the legend
    for face in faces:
        cheek = np.rint((face[2] + face[31]) / 2).astype(int)
        assert (drawn[cheek[1], cheek[0]] == 90).all()  # no region is filled
        jaw = np.rint((face[4] + face[5]) / 2).astype(int)
        around = drawn[jaw[1] - 2 : jaw[1] + 3, jaw[0] - 2 : jaw[0] + 3].reshape(-1, 3).tolist()
        assert list(maskkit.load_scheme("scgan").regions[1].color) in around
        assert drawn[round(face[30, 1]), round(face[30, 0])].tolist() == [0, 255, 0]
    small = annotate(photo[:100, :100], faces[:1] / 3)
    assert small.shape[1] == 1000  # enlarged, so that lines do not hide the face
    dots = [(annotate(photo, faces[:1] * scale)[:300] == (0, 255, 0)).all(axis=2).sum() for scale in (0.3, 1)]
    assert dots[1] > 2 * dots[0]
