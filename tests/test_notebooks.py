"""What a notebook shows of the project's objects: a line each, and pictures of masks and faces."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

import gan
import maskkit
from maskkit.masks.pictures import colorize
from tests.drawn import face_points
from tests.gan.conftest import one_thread, small_run, small_settings

__all__ = ["one_thread", "small_run", "small_settings"]


def test_what_is_large_says_what_it_is_in_a_line(drawn_shards: Path, small_run: Path) -> None:
    face = maskkit.Face(face_points(100), (10, 20, 70, 90), 1.2345, "hog")
    reader = maskkit.ShardReader(drawn_shards)
    for thing, said in (
        (face, "Face(hog 1.23, 60 x 70 at (10, 20))"),
        (maskkit.PlacedFace(face_points(64), np.zeros((64, 64, 3), np.uint8)), "PlacedFace(photo 64 x 64)"),
        (maskkit.load_scheme("scgan"), "RegionScheme(scgan, 7 classes)"),
        (reader, f"ShardReader({drawn_shards}, train: 40 rows of 64 x 64, scheme scgan)"),
        (
            maskkit.inspect_shards(drawn_shards),
            f"Inspection({drawn_shards}: 48 rows of 64 x 64, scheme scgan, 0 doubtful)",
        ),
        (gan.load_generator(small_run), "LoadedGenerator(SCGAN, step 40: z, c, s -> 32 x 32, scheme scgan)"),
    ):
        assert repr(thing) == said


def test_masks_and_faces_are_pictures() -> None:
    points = face_points(64)
    mask = maskkit.rasterize(points, 64)
    shown = maskkit.show(mask)
    assert (np.asarray(shown) == mask).all()
    assert (np.asarray(shown.convert("RGB")) == colorize(mask)).all()
    assert shown._repr_png_().startswith(b"\x89PNG")

    far = maskkit.Face(points + 1000, (0, 0, 1, 1), 1.0, "hog")  # wherever it lies in its photo
    alone = np.asarray(Image.open(io.BytesIO(far._repr_png_())))
    assert len(np.unique(alone.reshape(-1, 3), axis=0)) == 7  # every region is seen
    photo = np.full((64, 64, 3), 200, np.uint8)
    placed = Image.open(io.BytesIO(maskkit.PlacedFace(points, photo)._repr_png_()))
    assert placed.size == (256, 256) and placed.getpixel((0, 0)) == (200, 200, 200)
