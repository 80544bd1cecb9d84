"""One face followed through frames: found, lost, gone back to, cut away from, bridged."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import maskkit
from maskkit.errors import DetectionError, VideoError
from maskkit.photos.videos import Frame, read_frames
from maskkit.video.gaps import bridge, name_gaps
from maskkit.video.smoothing import smooth
from maskkit.video.tracking import track
from tests.maskkit.video.small_films import Marked, marked

SHOWN = 256  # pixels of the portrait's side


@pytest.fixture(scope="module")
def portrait(faces_fixture: Path) -> np.ndarray:
    photo = Image.open(faces_fixture / "collins.jpg").convert("RGB")
    return np.asarray(photo.resize((SHOWN, round(SHOWN * photo.height / photo.width)), Image.Resampling.LANCZOS))


def frames_of(pictures: list[np.ndarray]) -> list[Frame]:
    return [Frame(number, number / 25, picture) for number, picture in enumerate(pictures)]


def moved(portrait: np.ndarray, pixels: int) -> np.ndarray:
    return np.ascontiguousarray(np.roll(portrait, pixels, axis=1))


def covered(portrait: np.ndarray) -> np.ndarray:
    """The portrait with a board before the face, while the rest of the picture goes on."""
    picture = portrait.copy()
    points = maskkit.detect(portrait, "hog")[0].points
    (left, top), (right, bottom) = points.min(axis=0).astype(int), points.max(axis=0).astype(int)
    picture[max(0, top - 10) : bottom + 10, max(0, left - 10) : right + 10] = picture.mean(axis=(0, 1))
    return picture


def test_a_face_is_followed_lost_found_and_bridged(portrait: np.ndarray) -> None:
    shifts = [0, 3, 6, 6, 6, 6, 9, 12]
    pictures = [moved(covered(portrait) if 3 <= i <= 5 else portrait, shift) for i, shift in enumerate(shifts)]
    found = track(frames_of(pictures), "film", "hog")
    assert found.gaps() == [(3, 5)] and not found.fresh.any()
    for number in np.flatnonzero(found.found):
        way = (found.points[number] - found.points[0]).mean(axis=0)
        np.testing.assert_allclose(way, (shifts[number], 0), atol=0.5)
    whole = bridge(found, 0.16)  # from the frame before to the frame after
    assert whole.found.all() and whole.bridged.sum() == 3
    np.testing.assert_allclose(whole.points[4], (found.points[2] + found.points[6]) / 2, atol=1e-3)
    assert bridge(found, 0.15).gaps() == found.gaps()
    assert name_gaps(found) == ["film: no face in 3 of 8 frames: 3 to 5 (0.12-0.20 s)"]
    assert name_gaps(whole) == ["film: 3 of 8 frames were bridged"]


def test_a_face_that_was_too_small_is_gone_back_to(portrait: np.ndarray) -> None:
    pictures = []
    for side in range(110, 250, 20):
        small = Image.fromarray(portrait).resize((side, side * len(portrait) // SHOWN), Image.Resampling.LANCZOS)
        canvas = Image.new("RGB", (SHOWN, len(portrait)), (90, 90, 90))
        canvas.paste(small, (40 - side // 5, 40 - side // 5))
        pictures.append(np.asarray(canvas))
    seen = [bool(maskkit.detect(picture, "hog")) for picture in pictures]
    assert not any(seen[:3]) and seen[-1]
    assert track(frames_of(pictures), "film", "hog").found.all()


def test_a_cut_begins_anew(portrait: np.ndarray) -> None:
    other = np.ascontiguousarray(portrait // 3)
    board = np.full_like(portrait, 255)
    found = track(frames_of([portrait, portrait, other, other, board, portrait]), "film", "hog")
    assert found.gaps() == [(4, 4)]
    assert found.fresh.tolist() == [False, False, True, False, True, True]
    assert [(run.start, run.stop) for run in found.runs()] == [(0, 2), (2, 4), (5, 6)]
    assert bridge(found, 9).gaps() == [(4, 4)]
    np.testing.assert_array_equal(smooth(found).points, found.points)  # no run is long enough


def test_refusals() -> None:
    with pytest.raises(DetectionError, match="film: no face found in 3 frames"):
        track(frames_of(marked([None] * 3)), "film", Marked())
    with pytest.raises(DetectionError, match="one face is followed"):
        track(frames_of(marked([0.04])), "film", Marked(), "all")
    with pytest.raises(VideoError, match=r"the size of its frames changes at 0\.04 s"):
        track(frames_of([*marked([0.04]), np.zeros((8, 8, 3), np.uint8)]), "film", Marked())


def test_a_talking_man_is_seen_in_every_frame(real_data: Path) -> None:
    # HOG on the whole picture misses frames of this film; 30 of its 169 frames are looked at here.
    found = track(islice(read_frames(real_data / "video" / "driving.mp4"), 30), "film")
    assert found.found.all() and not found.fresh.any()


def test_a_turning_head_is_seen_in_every_frame(real_data: Path) -> None:
    # From the sixtieth frame on HOG sees her in none of the whole pictures.
    photos = sorted((real_data / "girl_seq" / "img").iterdir())[50:]
    found = track(frames_of([maskkit.read_image(photo) for photo in photos]), "film")
    assert found.found.all()
