"""How well the mouth of a driven face follows the filmed one.

    python benchmarks/driving.py RUN CLIP [ATTRIBUTES]

Drives RUN's generator by the video CLIP, lets dlib's predictor find the points again in every generated picture, in
the box that the frame's layout gives, and prints Pearson's r between the mouth's opening in the layouts and in the
pictures. Beside it stand r of the video's own aligned frames found again in the same way, which is the most to be
expected at this size, and r of the first generated picture throughout while the boxes move, which is the floor.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import gan
import maskkit
from maskkit.points.pose import mouth_opening
from maskkit.video.tracking import box_of

SEEN_AT = 128  # pixels of a picture's side that the predictor sees, at least


def openings(pictures: Sequence[np.ndarray], points: np.ndarray) -> np.ndarray:
    """The openings of the mouths that dlib finds again in pictures whose layouts have these points."""
    found = [maskkit.predict_points(picture, box_of(face)) for picture, face in zip(pictures, points, strict=True)]
    return mouth_opening(np.stack(found))


def main() -> None:
    """Drive, find again, print."""
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    run, clip = sys.argv[1:3]
    attributes = sys.argv[3].split(",") if len(sys.argv) == 4 else ()
    scale = -(-SEEN_AT // gan.load_generator(run, "cpu").size)
    with TemporaryDirectory() as folder:
        driven = gan.drive(run, clip, Path(folder) / "film", attributes=attributes, beside=True, scale=scale)
        frames = [maskkit.read_image(path) for path in sorted((Path(folder) / "film").glob("*.png"))]
    side = frames[0].shape[0]
    track = maskkit.track_video(clip)
    points = np.stack([maskkit.align_points(face, side) for face in track.points[track.found]])
    wanted = mouth_opening(points)
    filmed, made = ([np.ascontiguousarray(frame[:, x : x + side]) for frame in frames] for x in (0, side))
    print(f"{driven.frames} frames; r of the mouth's opening in layouts and pictures")
    for name, pictures in (("generated", made), ("filmed", filmed), ("still", made[:1] * len(made))):
        print(f"{name:>10}  {np.corrcoef(wanted, openings(pictures, points))[0, 1]:.2f}")


if __name__ == "__main__":
    main()
