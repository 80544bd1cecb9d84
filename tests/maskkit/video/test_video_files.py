"""Videos to files: tables, masks, films and shards, and what is told of them."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import maskkit
from maskkit.errors import OutputError
from maskkit.photos.tables import read_point_table
from maskkit.photos.videos import read_frames
from tests.maskkit.video.small_films import SIDE, Marked, marked, write_film

OPENINGS = [0.02, 0.03, 0.04, None, 0.05, 0.06, None, None, None, None, 0.04, 0.03]
TIMES = [number / 25 for number in range(6)] + [0.5 + number / 10 for number in range(6)]
ROUGH = {"detector": Marked(), "smooth": False}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "film.mp4", marked(OPENINGS), times=TIMES)


def test_points_of_each_frame_with_its_time(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = maskkit.write_video_landmarks([film], out, bridge=0.1, **ROUGH)
    assert result.notes == [
        f"{film}: no face in 4 of 12 frames: 6 to 9 (0.50-0.80 s)",
        f"{film}: 1 of 12 frames were bridged",
    ]
    told = result.found[str(film)]
    assert (told["frames"], told["found"], told["bridged"], told["gaps"]) == (12, 7, 1, [[6, 9]])
    with (out / "film.csv").open() as file:
        rows = list(csv.DictReader(file))
    numbers = [number for number in range(12) if not 6 <= number <= 9]
    assert [row["id"] for row in rows] == [f"film.mp4/{number:06d}" for number in numbers]
    assert [float(row["time"]) for row in rows] == pytest.approx([TIMES[number] for number in numbers], abs=1e-3)
    assert [row["bridged"] for row in rows] == ["1" if number == 3 else "0" for number in numbers]
    table = read_point_table(out / "film.csv")
    maskkit.write_video_landmarks([film], out, format="npz", bridge=0.1, every=2, **ROUGH)
    arrays = np.load(out / "film.npz")
    assert arrays["frames"].tolist() == list(range(0, 12, 2)) and arrays["size"].tolist() == [SIDE, SIDE]
    assert np.isnan(arrays["points"][3:5]).all()
    np.testing.assert_array_equal(arrays["points"][1], table["film.mp4/000002"])


def test_masks_as_folder_film_and_shard(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    points = maskkit.track_video(film, detector=Marked(), steady=False).points
    maskkit.write_video_masks([film], out, **ROUGH)
    masks = sorted((out / "film").glob("*.png"))
    assert [mask.stem for mask in masks] == [f"frame-{i:06d}" for i, one in enumerate(OPENINGS) if one is not None]
    wanted = maskkit.rasterize(points[4], SIDE)
    np.testing.assert_array_equal(np.asarray(Image.open(out / "film" / "frame-000004.png")), wanted)
    result = maskkit.write_video_masks([film], out, format="film", overlay=True, **ROUGH)
    frames = list(read_frames(out / "film.mp4"))
    assert [frame.time for frame in frames] == pytest.approx(TIMES, abs=1e-3)
    assert np.abs(frames[4].image.astype(int) - maskkit.colorize(wanted)).mean() < 12  # colours at half resolution
    assert not frames[7].image.max() > 8  # a gap is background
    assert len(list(read_frames(out / "film.overlay.mp4"))) == 12
    assert set(result.found[str(film)]) >= {"masks", "overlay", "flicker"}
    maskkit.write_video_masks([film], out, format="shard", every=2, **ROUGH)
    face = maskkit.read_face(f"{out / 'film.h5'}#2", 128)
    np.testing.assert_allclose(face.points, maskkit.align_points(points[4], 128), atol=1e-3)
    assert face.image is not None and abs(int(face.image.mean()) - (30 + 15)) < 4  # the fifth frame's brightness


def test_refused_before_the_work_or_told(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "film.csv").write_text("mine")
    seen: list[int] = []
    result = maskkit.write_video_landmarks([film], out, on_progress=lambda done, total: seen.append(done), **ROUGH)
    assert "film.csv exists" in result.failed[str(film)] and not seen
    assert "film.csv was not written by maskkit" in maskkit.write_video_landmarks(
        [film], out, overwrite=True, **ROUGH
    ).failed[str(film)]  # fmt: skip
    assert "is one of the inputs" in maskkit.write_video_masks(
        [film], tmp_path, format="film", overwrite=True, **ROUGH
    ).failed[str(film)]  # fmt: skip
    assert (out / "film.csv").read_text() == "mine"
    for door in (maskkit.write_video_landmarks, maskkit.write_video_masks):
        with pytest.raises(OutputError, match="there is no format 'pts' of a video's"):
            door([film], out, format="pts")
