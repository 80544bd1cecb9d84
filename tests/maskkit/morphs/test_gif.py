"""GIFs are written while the frames are made, and show what was given."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from maskkit.morphs.gif import write_gif
from maskkit.photos.images import Picture

COLORS = [(0, 0, 0), (200, 100, 50), (20, 100, 250), (255, 255, 255)]


def frame(number: int, side: int = 40) -> Picture:
    """A square of one colour that moves over a ground of another."""
    picture = np.full((side, side, 3), COLORS[number // 8 % 2], np.uint8)
    place = number * 3 % (side - 10)
    picture[place : place + 10, 5:15] = COLORS[2]
    return picture


def test_each_frame_is_shown_as_long_as_it_should() -> None:
    frames = [frame(number) for number in (0, 1, 1, 1, 2, 9, 9, 20)]
    buffer = io.BytesIO()
    write_gif(buffer, iter(frames), 12.5, "made by hand " * 30)
    shown: list[tuple[int, Picture]] = []
    with Image.open(buffer) as film:
        assert film.info["loop"] == 0 and film.info["comment"] == ("made by hand " * 30).encode()
        for number in range(film.n_frames):
            film.seek(number)
            shown.append((film.info["duration"], np.asarray(film.convert("RGB"))))
    assert [duration for duration, _ in shown] == [80, 240, 80, 160, 80]
    for (_, picture), number in zip(shown, (0, 1, 4, 5, 7), strict=True):
        assert np.array_equal(picture, frames[number])


def test_frames_are_not_kept() -> None:
    buffer = io.BytesIO()
    written: list[int] = []

    def frames() -> Iterator[Picture]:
        for number in range(60):
            written.append(buffer.tell())
            yield frame(number)

    write_gif(buffer, frames(), 12)
    assert written[20] > 0 and all(a < b for a, b in zip(written[20:50], written[22:52], strict=True))


@pytest.mark.parametrize("count", [1, 2])
def test_few_frames(count: int) -> None:
    buffer = io.BytesIO()
    write_gif(buffer, [frame(number) for number in range(count)], 12)
    with Image.open(buffer) as film:
        assert film.n_frames == count
