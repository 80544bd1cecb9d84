"""Reading photos of every kind, refusing broken and huge ones, and moving points with the crop."""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import maskkit
from maskkit.errors import ImageError
from maskkit.photos import images

RED = (200, 30, 40)


def test_every_mode_becomes_rgb(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 6), RED)
    saved = {"rgb.png": picture, "palette.png": picture.quantize(4), "cmyk.jpg": picture.convert("CMYK")}
    for name, image in saved.items():
        image.save(tmp_path / name)
        read = maskkit.read_image(tmp_path / name)
        assert read.shape == (6, 8, 3)
        assert np.abs(read.astype(int) - RED).max() <= 12
    Image.fromarray(np.full((6, 8), 0x8000, dtype=np.uint16)).save(tmp_path / "deep.png")
    assert np.unique(maskkit.read_image(tmp_path / "deep.png")).tolist() == [128]
    Image.new("RGBA", (8, 6), (*RED, 0)).save(tmp_path / "clear.png")
    assert np.unique(maskkit.read_image(tmp_path / "clear.png")).tolist() == [255]


def test_exif_orientation_turns_the_photo_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 4))
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    image.save(tmp_path / "turned.png", exif=exif)
    read = maskkit.read_image(tmp_path / "turned.png")
    assert read.shape == (8, 4, 3)
    assert tuple(read[0, 3]) == RED


@pytest.mark.parametrize(("place", "value"), [(23, 31), (23, 41), (13, 1)])
def test_unreadable_orientation_leaves_the_picture_as_stored(tmp_path: Path, place: int, value: int) -> None:
    exif = Image.Exif()
    exif[0x0100], exif[0x010F], exif[0x0112] = 300, "maker", 6
    Image.new("RGB", (64, 32), RED).save(tmp_path / "a.jpg", exif=exif)
    data = bytearray((tmp_path / "a.jpg").read_bytes())
    data[data.index(b"Exif\0\0") + 6 + place] = value  # types of tags that contradict their contents
    (tmp_path / "a.jpg").write_bytes(data)
    assert maskkit.read_image(tmp_path / "a.jpg").shape == (32, 64, 3)


def _png_that_promises(side: int) -> bytes:
    """A PNG of a few bytes whose header promises a square of that side."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", b""))
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_broken_and_huge_pictures_end_in_a_sentence(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), RED).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    cases = {
        "cut.jpg": (data[: len(data) // 2], "[Tt]runcated"),
        "text.jpg": (b"not a picture", "not a picture of a known format"),
        "empty.png": (b"", "not a picture of a known format"),
        "large.png": (_png_that_promises(9000), "9000 x 9000 pixels are more than the 64,000,000 allowed"),
        "bomb.png": (_png_that_promises(60000), "more pixels than the 64,000,000 allowed"),
        "missing.png": (None, "No such file"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ImageError, match=message) as error:
            maskkit.read_image(path)
        assert str(path) in str(error.value)


def _as_jpeg(mode: str = "RGB", turned: int = 1, **options: object) -> bytes:
    """A smooth picture with fine noise, 45 x 38, so that every step of the decoding shows in its pixels."""
    y, x = np.mgrid[:38, :45]
    noise = np.random.default_rng(0).integers(-20, 20, (38, 45, 3))
    pixels = (np.stack([x * 4, y * 5, 200 - x - y], axis=-1) + noise).clip(0, 255).astype(np.uint8)
    exif, data = Image.Exif(), io.BytesIO()
    exif[0x0112] = turned
    Image.fromarray(pixels).convert(mode).save(data, "JPEG", exif=exif, **options)
    return data.getvalue()


def _spoilt(data: bytes, *, cut: int = 0, junk: bool = False) -> bytes:
    middle = len(data) - len(data) // 4
    return data[:-cut] if cut else data[:middle] + b"\xff\x11\0\xff\0" * junk + data[middle:]


@pytest.mark.parametrize(
    ("data", "fast"),
    [
        (_as_jpeg(), True),
        (_as_jpeg(subsampling=0, quality=97), True),
        (_as_jpeg(subsampling=1, quality=20, progressive=True, restart_marker_blocks=2), True),
        (_as_jpeg("L"), True),
        (_as_jpeg() + b"behind the end", True),
        (_as_jpeg("CMYK"), False),
        (_as_jpeg(turned=6), False),
        (_spoilt(_as_jpeg(), cut=2), False),
        (_spoilt(_as_jpeg(), cut=200), False),
        (_spoilt(_as_jpeg(), junk=True), False),
    ],
    ids=["plain", "fine", "progressive", "grey", "trailing", "CMYK", "turned", "no end", "cut", "junk inside"],
)
def test_the_fast_decoder_changes_neither_pixels_nor_refusals(
    data: bytes, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("simplejpeg", reason="needs the extra fast")

    def outcome() -> object:
        try:
            return images.decode_image(io.BytesIO(data), "photo").tolist()
        except ImageError as error:
            return str(error)

    with Image.open(io.BytesIO(data)) as image:
        assert (images._plain_jpeg(image) is not None) == fast
    with_it = outcome()
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    images._jpeg_decoder.cache_clear()
    assert outcome() == with_it
    assert images._jpeg_decoder() is None
    images._jpeg_decoder.cache_clear()


@pytest.mark.parametrize("size", [128, 64, 200])
def test_photo_and_points_move_together(size: int) -> None:
    # Single bright spots, found again as their centre of mass after the crop, must lie where the points say.
    rng = np.random.default_rng(0)
    crop = maskkit.Crop.centred(218, 178, 178, size)
    for x, y in rng.integers((30, 50), (150, 170), (5, 2)):
        photo = np.zeros((218, 178, 3), dtype=np.uint8)
        photo[y - 2 : y + 3, x - 2 : x + 3] = 250
        moved = crop.image(photo)[..., 0].astype(float)
        row, column = np.mgrid[:size, :size]
        found = np.array([(column * moved).sum(), (row * moved).sum()]) / moved.sum()
        expected = crop.points(np.full((68, 2), (x, y), dtype=np.float32))[0]
        assert np.abs(found - expected).max() < 0.05
    with pytest.raises(ImageError, match="no square of 300"):
        maskkit.Crop.centred(218, 178, 300, 128)
