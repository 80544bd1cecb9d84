"""Small videos that tests write themselves, and a detector that needs no model."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

import maskkit
from tests.drawn import face_points

SIDE = 64
MILLISECOND = Fraction(1, 1000)


def write_film(
    path: Path, pictures: Sequence[np.ndarray], times: Sequence[float] | None = None, turned: int = 0,
    codec: str = "libx264",
) -> Path:  # fmt: skip
    """Write RGB pictures at 25 frames a second or at their own `times`; `turned` as a telephone notes it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if turned:
            stream.set_display_rotation(turned)
        if times is not None:
            stream.codec_context.time_base = MILLISECOND
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] * 1000), MILLISECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def marked(openings: Sequence[float | None]) -> list[np.ndarray]:
    """Pictures that `Marked` sees a face in: its mouth as wide open as told, or no face for None."""
    return [np.full((SIDE, SIDE, 3), 20 if one is None else 30 + 300 * one, dtype=np.uint8) for one in openings]


class Marked:
    """A detector that reads from the brightness of a picture whether there is a face and how far its mouth is open."""

    name = "marked"

    def find(self, image: np.ndarray) -> list[maskkit.Face]:
        value = float(image.mean())
        if value < 28:
            return []
        points = face_points(SIDE, opening=(value - 30) / 300)
        return [maskkit.Face(points, (8.0, 8.0, 56.0, 56.0), 1.0, self.name)]
