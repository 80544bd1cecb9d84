"""`maskkit landmarks` and `segment` with videos, as a user meets them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Command
from tests.maskkit.video.small_films import write_film


@pytest.fixture
def film(faces_fixture: Path, tmp_path: Path) -> Path:
    """A film of Collins, four frames."""
    with Image.open(faces_fixture / "collins.jpg") as photo:
        face = np.asarray(photo.convert("RGB").resize((256, 256 * photo.height // photo.width)))
    return write_film(tmp_path / "film.mp4", [np.roll(face, 2 * i, axis=1) for i in range(4)])


def test_a_video_and_a_photo_beside_each_other(
    command: Command, film: Path, faces_fixture: Path, tmp_path: Path
) -> None:
    photo, out = faces_fixture / "collins.jpg", tmp_path / "out"
    status, said = command("maskkit", "landmarks", film, photo, "-o", out, "--detector", "hog", "--json")
    found = json.loads(next(line for line in said.splitlines() if line.startswith("{")))["found"]
    assert status == 0 and found[str(film)]["found"] == 4 and "detector" in found[str(photo)]
    assert {path.name for path in out.glob("[!.]*")} == {"film.csv", "collins.pts"}
    assert "of the mask's pixels change and soon change back; smoothed" in said
    status, said = command("maskkit", "segment", film, "-o", out, "--format", "film", "--no-smooth", "--every", 2)
    assert (status, (out / "film.mp4").exists()) == (0, True), said


def test_what_has_nothing_to_do_is_refused(command: Command, film: Path, faces_fixture: Path, tmp_path: Path) -> None:
    photo, out = faces_fixture / "collins.jpg", tmp_path / "out"
    for wish in (("--no-smooth",), ("--bridge", 1), ("--every", 2)):
        status, said = command("maskkit", "landmarks", photo, "-o", out, *wish)
        assert (status, "are for videos, and there is none" in said) == (2, True), said
    for wish, problem in (
        (("landmarks", film, "--format", "pts"), "no format 'pts' of a video's points"),
        (("landmarks", film, "--face", "all"), "one face is followed through a video"),
        (("landmarks", photo, "--format", "npz"), "no format 'npz' of points"),
        (("segment", photo, "--format", "film"), "no format 'film' of masks"),
        (("segment", film, "--size", "64"), "--size is for point files"),
    ):
        status, said = command("maskkit", *wish, "-o", out)
        assert status and problem in said, said
