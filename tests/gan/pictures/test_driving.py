"""A generated face that follows a filmed one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gan
import maskkit
from gan.errors import InputError
from gan.pictures.driving import move_relative
from maskkit.points.pose import mouth_opening
from tests.drawn import face_points
from tests.maskkit.video.small_films import write_film

SIDE = 32  # of the small run's pictures
TIMES = [0.0, 0.04, 0.08, 0.3, 0.34, 0.38]


@pytest.fixture
def clip(faces_fixture: Path, tmp_path: Path) -> Path:
    """A film of Collins, who glides to the right."""
    with Image.open(faces_fixture / "collins.jpg") as photo:
        face = np.asarray(photo.convert("RGB").resize((256, 256 * photo.height // photo.width)))
    return write_film(tmp_path / "clip.mp4", [np.roll(face, 3 * i, axis=1) for i in range(len(TIMES))], times=TIMES)


def test_a_face_follows_the_clip_beside_it(small_run: Path, drawn_shards: Path, clip: Path, tmp_path: Path) -> None:
    told: list[int] = []
    driven = gan.drive(
        small_run, clip, tmp_path / "film", beside=True, masks=True, device="cpu",
        on_frame=lambda done, total: told.append(done),
    )  # fmt: skip
    assert (driven.frames, driven.notes, driven.neutral, told) == (6, (), None, [1, 2, 3, 4, 5, 6])
    track = maskkit.track_video(clip)
    frames = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "film").glob("*.png"))]
    photo = maskkit.read_image(next(clip.parent.glob("film/*0000.png")))[:, :SIDE]
    for number, frame in enumerate(frames):
        assert frame.shape == (SIDE, 3 * SIDE, 3)
        layout = maskkit.rasterize(maskkit.align_points(track.points[number], SIDE), SIDE)
        np.testing.assert_array_equal(frame[:, SIDE : 2 * SIDE], maskkit.colorize(layout))
        # Aligned, she stands still, and her surroundings glide.
        middle = np.s_[10:26, 10:22]
        assert np.abs(frame[middle].astype(int) - photo[middle]).mean() < 12
    row = f"{drawn_shards / 'val-00000.h5'}#1"
    driven = gan.drive(small_run, clip, tmp_path / "film.mp4", relative=row, device="cpu")
    assert driven.neutral in range(6)
    assert [frame.time for frame in maskkit.read_frames(tmp_path / "film.mp4")] == pytest.approx(TIMES, abs=1e-3)
    with pytest.raises(InputError, match="a scale is 1 or more"):
        gan.drive(small_run, clip, tmp_path / "other.mp4", scale=0)


def test_relative_motion_starts_at_the_targets_own_face() -> None:
    openings = [0.10, 0.02, 0.06]
    clip = np.stack([face_points(64, one, turn=0.04) for one in openings])
    target = face_points(64, 0.0, turn=-0.05, shift=(0.1, 0))
    points, neutral = move_relative(clip, target)
    assert neutral == 1
    np.testing.assert_allclose(points[1], target, atol=1e-4)
    np.testing.assert_allclose(points[0] - points[1], clip[0] - clip[1], atol=1e-4)
    assert np.argsort(mouth_opening(points)).tolist() == [1, 2, 0]
