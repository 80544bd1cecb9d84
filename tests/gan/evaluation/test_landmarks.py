"""Landmarks found again by dlib itself in the project's own photos, and mouths that open or do not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from torch import Tensor

import maskkit
from gan.data.rows import Batch
from gan.evaluation.landmarks import box_of, measurable, point_errors, redetect, report_landmarks
from gan.evaluation.material import Material
from gan.evaluation.mouth import following, report_mouth, smile_pairs
from gan.evaluation.report import Report
from gan.systems.given import Given
from maskkit.points.landmarks import eye_distance
from maskkit.points.pose import mouth_opening
from tests.drawn import face_points

Photos = tuple[list[np.ndarray], np.ndarray, list[maskkit.Face]]
SIZE = 64


@pytest.fixture(scope="module")
def photos(celeba_fixture: Path) -> Photos:
    """Eight photos at 64 pixels with their points there, and the faces that dlib found in them at full size."""
    pictures, points, faces = [], [], []
    for number in (1, 9, 17, 25, 69, 70, 71, 72):
        photo = maskkit.read_image(celeba_fixture / "img_align_celeba" / f"{number:06d}.jpg")
        crop = maskkit.Crop.centred(*photo.shape[:2], 178, SIZE)
        faces.append(maskkit.detect_aligned(photo)[0])
        pictures.append(crop.image(photo))
        points.append(crop.points(faces[-1].points))
    return pictures, np.stack(points), faces


def test_the_box_is_where_the_detector_puts_it(photos: Photos) -> None:
    for face in photos[2]:
        ours, theirs = np.array(box_of(face.points)), np.array(face.box)
        both = np.minimum(ours[2:], theirs[2:]) - np.maximum(ours[:2], theirs[:2])
        areas = [np.prod(box[2:] - box[:2]) for box in (ours, theirs)]
        assert both.prod() / (sum(areas) - both.prod()) > 0.65  # the detector's own sizes are a fifth apart


def test_points_are_found_again_in_the_photos_themselves(photos: Photos) -> None:
    pictures, points, _ = photos
    report = Report()
    report_landmarks(pictures, pictures, points, report, lambda done, total: None)
    error = {name: report.figures[f"landmarks/error_{name}"].value for name in ("generated", "real", "other_face")}
    assert error["generated"] == error["real"] < 0.02 and error["other_face"] > 0.05
    assert report.figures["landmarks/mouth_r_rows_real"].value > 0.9
    grey = np.stack([redetect(np.full_like(pictures[0], 128), wanted) for wanted in points])
    assert point_errors(grey, points).mean() > 0.1
    assert set(report.figures["landmarks/error_generated"].by) == {"jaw", "brows", "nose", "eyes", "mouth"}


def test_errors_are_in_eye_distances() -> None:
    wanted = np.stack([face_points(100), face_points(50)])
    found = wanted.copy()
    found[0, 5] += (3, 4)
    errors = point_errors(found, wanted)
    assert errors[0, 5] == pytest.approx(5 / eye_distance(wanted[0])) and np.count_nonzero(errors) == 1
    outside = wanted + np.float32(200)
    assert measurable(np.stack([wanted[1], outside[1], np.full((68, 2), 9.0)]), 50).tolist() == [True, False, False]


def test_mouth_opening_of_drawn_faces() -> None:
    openings = np.array([0.0, 0.05, 0.16])
    faces = np.stack([face_points(128, opening, scale=0.8) for opening in openings])
    # The eyes are 0.4 apart, and closed inner lips 0.009 to 0.010.
    assert mouth_opening(faces) == pytest.approx((openings + 0.029 / 3) / 0.4, abs=1e-4)


def test_smiles_lead_between_faces_that_are_otherwise_alike() -> None:
    """Closed mouths, one turned; half-open ones that no pair needs; open ones in another order."""
    closed = [face_points(128, 0.0), face_points(128, 0.001, turn=0.05)]
    half = [face_points(128, 0.03)] * 16
    opened = [face_points(128, 0.08, turn=0.04), face_points(128, 0.07)]
    assert smile_pairs(np.stack([*closed, *half, *opened]), 2) == [(0, 19), (1, 18)]
    assert smile_pairs(np.stack([*closed, *opened]), 8) == [(0, 3), (1, 2)]  # no more than half of the rows


def test_following_against_scipy() -> None:
    rng = np.random.default_rng(0)
    wanted, found = rng.random((2, 5, 11))
    result = following(wanted, found)
    assert result.over_frames == pytest.approx(pearsonr(wanted.ravel(), found.ravel()).statistic)
    each = [pearsonr(a, b).statistic for a, b in zip(wanted, found, strict=True)]
    assert result.by_sequence == pytest.approx(np.mean(each))
    found[2:] = 0.1  # mouths that stay as they are
    assert following(wanted, found).by_sequence == pytest.approx(np.mean([*each[:2], 0, 0, 0]))


class TwoPhotos:
    """A generator that shows a closed mouth, or a laughing one where the layout's inner mouth is large."""

    takes = ("z", "c", "s")

    def __init__(self, closed: np.ndarray, laughing: np.ndarray, still: bool) -> None:
        self.scheme, self.device, self.still = maskkit.load_scheme("scgan"), torch.device("cpu"), still
        self.photos = [torch.from_numpy(photo).permute(2, 0, 1) / 127.5 - 1 for photo in (closed, laughing)]

    def draw_z(self, count: int, seed: int) -> Tensor:
        return torch.zeros(count, 1)

    def make(self, given: Given) -> Tensor:
        (s,) = given.inputs("s")
        wide = s[:, 6].sum((1, 2)) > 15
        return torch.stack([self.photos[bool(one) and not self.still] for one in wide])


@pytest.mark.parametrize("still", [False, True])
def test_a_mouth_that_opens_is_seen_to_open(photos: Photos, still: bool) -> None:
    pictures, points, _ = photos
    generator = TwoPhotos(pictures[4], pictures[5], still)
    nothing = torch.zeros(2, 3, SIZE, SIZE)
    real = Batch(nothing, torch.zeros(2, 0), torch.zeros(2, SIZE, SIZE), torch.zeros(2, SIZE, SIZE))
    report = Report()
    material = Material(generator, real, generator.draw_z(2, 0), nothing, 0)
    report_mouth(material, points[4:6], real.c, report, lambda done, total: None)
    r = {name.removeprefix("landmarks/"): figure.value for name, figure in report.figures.items()}
    assert abs(r["mouth_r_still"]) < 0.6
    if still:
        assert r["mouth_r_by_sequence"] == pytest.approx(r["mouth_r_still"])
        assert r["mouth_r"] == pytest.approx(r["mouth_r_still_over_frames"])
    else:
        assert r["mouth_r"] > max(0.8, r["mouth_r_still_over_frames"]) and r["mouth_r_by_sequence"] > 0.8
