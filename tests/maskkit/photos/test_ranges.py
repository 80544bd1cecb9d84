"""Photos of more than 8 bits: brought to bytes by what the file says, or refused with a sentence, never black."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import maskkit
from maskkit.errors import ImageError

RAMP = np.linspace(0, 1, 32 * 32).reshape(32, 32)
SAMPLE_MAX = 341  # TIFF's SMaxSampleValue


def mean(path: Path) -> float:
    return float(maskkit.read_image(path).mean())


def test_ranges_that_are_known(tmp_path: Path) -> None:
    Image.fromarray(RAMP.astype(np.float32)).save(tmp_path / "unit.tif")
    Image.fromarray((RAMP * 255).astype(np.float32)).save(tmp_path / "bytes.tif")
    Image.fromarray((RAMP * 65535).astype(np.uint16)).save(tmp_path / "16.png")
    Image.fromarray((RAMP * 4095).astype(np.uint16)).save(tmp_path / "12.tif", tiffinfo={SAMPLE_MAX: 4095})
    (tmp_path / "12.pgm").write_bytes(b"P5 32 32 4095\n" + (RAMP * 4095).astype(">u2").tobytes())
    cv2.imwrite(str(tmp_path / "colour.png"), (np.stack([RAMP] * 3, 2) * 65535).astype(np.uint16))
    for path in tmp_path.iterdir():
        assert mean(path) == pytest.approx(127.5, abs=0.6), path.name


def test_ranges_that_nothing_tells_are_said(tmp_path: Path) -> None:
    Image.fromarray((RAMP * 4095).astype(np.uint16)).save(tmp_path / "12.png")
    cv2.imwrite(str(tmp_path / "colour.png"), (np.stack([RAMP] * 3, 2) * 4095).astype(np.uint16))
    for path in tmp_path.iterdir():
        with pytest.raises(ImageError, match=rf"{path}: 16 bits with values .* would be nearly black"):
            mean(path)
    Image.fromarray((RAMP * 3 - 1).astype(np.float32)).save(tmp_path / "signed.tif")
    with pytest.raises(ImageError, match="its values run from -1 to 2"):
        mean(tmp_path / "signed.tif")
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "nan.tif")
    with pytest.raises(ImageError, match="NaN"):
        mean(tmp_path / "nan.tif")


def test_a_flipped_bit_of_a_png_is_found(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(path, compress_level=0)
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ImageError, match=rf"{path}: broken picture"):
        maskkit.read_image(path)
