"""Smoothing against points that are known: less error, nothing late, blinks and plosives kept."""

import numpy as np
import pytest

import maskkit
from maskkit.points.landmarks import eye_distance
from maskkit.points.pose import mouth_opening
from tests.drawn import face_points

BLINKS, PLOSIVES = (30, 70, 110), (50, 90)  # frames in which they begin
LIDS = (((37, 41), (38, 40)), ((43, 47), (44, 46)))


def talking(frames: int = 150) -> np.ndarray:
    """A face that sways, talks, blinks within four frames and closes its lips for three, float64 (F, 68, 2)."""
    faces = []
    for t in range(frames):
        opening = 0.04 + (0.025 * (1 + np.sin(2 * np.pi * t / 9)) if 20 < t < 130 else 0)
        if any(0 <= t - start < 3 for start in PLOSIVES):
            opening = 0.0
        shift = (0.05 * np.sin(t / 17), 0.03 * np.sin(t / 11))
        face = face_points(256, opening, 0.03 * np.sin(t / 25), 0.9 + 0.03 * np.sin(t / 40), shift).astype(np.float64)
        for start in BLINKS:
            if 0 <= t - start < 4:
                for upper, lower in (pair for eye in LIDS for pair in eye):
                    face[upper] += (0.3, 1, 1, 0.3)[t - start] * (face[lower] - face[upper])
        faces.append(face)
    return np.array(faces)


def trembling(faces: np.ndarray, sigma: float = 0.4, seed: int = 0) -> np.ndarray:
    """The faces with what a detector adds: each point by itself (pixels), and the whole face shifted and scaled."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, sigma, faces.shape) + rng.normal(0, sigma, (len(faces), 1, 2))
    middle = faces.mean(axis=1, keepdims=True)
    return faces + noise + (faces - middle) * rng.normal(0, 0.004, (len(faces), 1, 1))


def lid_gap(faces: np.ndarray) -> np.ndarray:
    """How far the lids are apart, with a sign, over the eyes' distance."""
    gaps = [faces[:, lower, 1] - faces[:, upper, 1] for eye in LIDS for upper, lower in eye]
    return np.mean(gaps, axis=0) / eye_distance(faces)


def test_the_error_falls_and_blinks_stay() -> None:
    truth = talking()
    rough = trembling(truth)
    smoothed = maskkit.smooth_points(rough)
    before, after = (np.sqrt(((faces - truth) ** 2).sum(axis=-1).mean()) for faces in (rough, smoothed))
    assert after < 0.6 * before
    gap, kept = lid_gap(truth), lid_gap(smoothed)
    for start in BLINKS:
        blink = np.median(gap) - gap[start : start + 4]
        amplitude = ((np.median(kept) - kept[start : start + 4]) * blink).sum() / (blink**2).sum()
        assert 0.9 < amplitude < 1.1
    mouth, found = (mouth_opening(faces) for faces in (truth, smoothed))
    for start in PLOSIVES:
        open_before = mouth[start - 6 : start].max()
        assert open_before - found[start + 1] > 0.9 * (open_before - mouth[start + 1])


def test_nothing_comes_late() -> None:
    rough = trembling(talking(60))
    backwards = maskkit.smooth_points(rough[::-1])[::-1]
    np.testing.assert_allclose(maskkit.smooth_points(rough), backwards, atol=2e-3)


@pytest.mark.parametrize("times", [np.arange(20.0), np.cumsum([0.04, 0.2, 0.01, 0.1] * 5)])
def test_steady_motion_is_left_as_it_is_at_any_rate(times: np.ndarray) -> None:
    way = face_points(128) + times[:, None, None] * np.array([2.0, -1.0])
    np.testing.assert_allclose(maskkit.smooth_points(way, times), way, atol=1e-3)


def test_runs_of_a_few_frames_are_taken_as_they_are() -> None:
    rough = trembling(talking(9))
    for frames in range(1, 10):
        assert maskkit.smooth_points(rough[:frames]).shape == (frames, 68, 2)
    np.testing.assert_array_equal(maskkit.smooth_points(rough[:3]), rough[:3].astype(np.float32))
