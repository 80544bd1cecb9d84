"""Pictures in: decoding with limits, orientation, and the crop that moves a photo and its points together."""

import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError, features
from PIL.TiffImagePlugin import TiffImageFile

from maskkit.errors import ImageError
from maskkit.files.regular import open_regular
from maskkit.points.landmarks import Points

FORMATS = ("JPEG", "PNG", "BMP", "PPM", "TIFF", "WEBP", "GIF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp", ".gif")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112  # EXIF's tag
LARGEST_SAMPLE = 0x0155  # TIFF's SMaxSampleValue
DARKEST = 4095  # of 65,535: the largest value of 12 bits
LARGEST_PIXELS = 64_000_000  # 192 MB once decoded
READ_AT_ONCE = 1 << 20  # bytes of a PNG
LARGEST_JPEG = 64_000_000  # bytes read at once; a longer file is decoded piece by piece

# What Pillow's decoders raise on broken files, beside OSError.
DECODER_ERRORS = (
    ValueError, TypeError, SyntaxError, EOFError, LookupError, ArithmeticError, AssertionError, struct.error, zlib.error
)  # fmt: skip

Picture = NDArray[np.uint8]


def read_image(path: str | Path) -> Picture:
    """Read a photo as uint8 RGB (H, W, 3), turned upright by its EXIF orientation.

    Grey, palette, CMYK and 16-bit pictures become RGB; transparent ones are laid on white; of an animation the first
    frame is taken. The content decides the format, not the file's ending. Raises ImageError with the file and the
    reason, before decoding where the header already tells that it is too large.
    """
    with opened_picture(path, FORMATS) as image:
        return _decoded(image, str(path))


def decode_image(file: BinaryIO, path: str) -> Picture:
    """Read a photo as `read_image` does from an open binary file, which errors call `path`."""
    with opened_picture(file, FORMATS, path) as image:
        return _decoded(image, path)


def _decoded(image: Image.Image, path: str) -> Picture:
    pixels = _plain_jpeg(image)
    if pixels is not None:
        return pixels
    # 16 bits a channel, of which Pillow takes 8 where there are several channels.
    halved = not image.mode.startswith("I") and any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))
    image.load()
    picture = np.asarray(_as_rgb(_upright(image), path))
    if halved and picture.max() <= DARKEST >> 8:
        raise ImageError(_too_dark(path, f"below {(int(picture.max()) + 1) << 8:,}"))
    return picture


@contextmanager
def opened_picture(
    source: str | Path | BinaryIO, formats: tuple[str, ...], path: str | None = None
) -> Iterator[Image.Image]:
    """Open a picture of one of Pillow's `formats`, whose size is limited before the block decodes it.

    Whatever is wrong with it, also while the block works on it, is an ImageError that names `path`, where the source
    is an open file.
    """
    path = path or str(source)
    try:
        # Pillow's warnings of large pictures are replaced by the limit below; those of odd metadata help nobody.
        with warnings.catch_warnings(), ExitStack() as stack:
            warnings.simplefilter("ignore")
            file = stack.enter_context(open_regular(source)) if isinstance(source, str | Path) else source
            with Image.open(file, formats=formats) as image:
                if image.width * image.height > LARGEST_PIXELS:
                    raise ImageError(
                        f"{path}: {image.width} x {image.height} pixels are more than the {LARGEST_PIXELS:,} allowed"
                    )
                if image.format == "PNG":
                    _check_pixels(file, path)
                yield image
    except UnidentifiedImageError as error:
        wanted = formats[0] if len(formats) == 1 else f"picture of a known format ({', '.join(formats)})"
        raise ImageError(f"{path}: not a {wanted}") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path}: more pixels than the {LARGEST_PIXELS:,} allowed") from error
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error
    except DECODER_ERRORS as error:
        raise ImageError(f"{path}: broken picture ({error})") from error


def _check_pixels(file: BinaryIO, path: str) -> None:
    """Raise ImageError where the checksum of a PNG's pixels is another; Pillow looks at all but these."""
    place = file.tell()
    file.seek(len(PNG_SIGNATURE))
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[:4], "big")
        if head[4:] != b"IDAT":
            file.seek(length + 4, os.SEEK_CUR)
            continue
        found = zlib.crc32(b"IDAT")
        while length and (part := file.read(min(length, READ_AT_ONCE))):
            found, length = zlib.crc32(part, found), length - len(part)
        if found != int.from_bytes(file.read(4), "big"):
            raise ImageError(f"{path}: broken picture (the checksum of its pixels is another)")
    file.seek(place)


def check_picture(image: NDArray[np.uint8]) -> Picture:
    """Give an RGB picture back as contiguous uint8 (H, W, 3), or raise ImageError."""
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ImageError(f"a picture is uint8 RGB of shape (H, W, 3), not {array.dtype} {array.shape}")
    return np.ascontiguousarray(array)


@lru_cache
def _jpeg_decoder() -> Callable[..., Picture] | None:
    """The decoder of the extra `fast`, where it gives the same pixels as Pillow: both by libjpeg-turbo."""
    try:
        from simplejpeg import decode_jpeg
    except ImportError:
        return None
    decoder: Callable[..., Picture] = decode_jpeg
    return decoder if features.check("libjpeg_turbo") else None


def _plain_jpeg(image: Image.Image) -> Picture | None:
    """Decode an opened picture in half of Pillow's time; None unless it is an upright colour or grey JPEG without a
    flaw. Everything else is left to Pillow, which also decides what is refused and why."""
    decode = _jpeg_decoder()
    file: BinaryIO | None = getattr(image, "fp", None)
    if decode is None or file is None or image.format != "JPEG" or image.mode not in ("RGB", "L"):
        return None
    if _orientation(image) != 1:
        return None
    file.seek(0)
    data = file.read(LARGEST_JPEG)
    try:
        pixels = decode(data, colorspace="RGB", strict=True)
    except ValueError:  # also what a lenient decoder would only warn of
        return None
    return pixels if pixels.shape == (image.height, image.width, 3) else None


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1 where that cannot be read, and the picture stays as it is stored."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except DECODER_ERRORS:
        return 1


def _upright(image: Image.Image) -> Image.Image:
    """Turn by the EXIF orientation."""
    if _orientation(image) == 1:
        return image  # as most are; turning would copy it all the same
    try:
        return ImageOps.exif_transpose(image)
    except DECODER_ERRORS:
        return image


def _as_rgb(image: Image.Image, path: str) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits and more
        image = Image.fromarray(_in_bytes(image, path))
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return image.convert("RGB")


def _in_bytes(image: Image.Image, path: str) -> NDArray[np.uint8]:
    """Grey values of more than 8 bits as bytes, by the range that the file names or its kind has.

    Floats run from 0 to 1, or to 255; whole numbers to 255 or 65,535. Raises ImageError for what fits none of them: a
    guess would make a photo black or white without a word.
    """
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ImageError(f"{path}: it holds NaN or infinite values")
    least, most = float(values.min(initial=0)), float(values.max(initial=0))
    named = image.tag_v2.get(LARGEST_SAMPLE) if isinstance(image, TiffImageFile) else None
    if named is not None:
        top = float(np.max(named))
    elif image.mode == "F" and most <= 1:
        top = 1.0
    else:
        top = 255.0 if most <= 255 else 65535.0
    if least < 0 or most > top or not top > 0:
        raise ImageError(f"{path}: its values run from {least:g} to {most:g}, and 0 to {top:g} is expected; scale them")
    if named is None and 255 < most <= DARKEST:
        raise ImageError(_too_dark(path, f"at most {most:,.0f}"))
    return np.rint(values * (255 / top)).astype(np.uint8)


def _too_dark(path: str, extent: str) -> str:
    return (
        f"{path}: 16 bits with values {extent} would be nearly black, and are probably 12 bits or fewer that were not "
        "scaled; scale them to 0 .. 65,535, or save 8 bits"
    )


@dataclass(frozen=True)
class Crop:
    """A square of a photo, `side` pixels at (left, top), brought onto a grid of `size` x `size`."""

    left: int
    top: int
    side: int
    size: int

    @classmethod
    def centred(cls, height: int, width: int, side: int, size: int) -> "Crop":
        """The square in the middle of a photo; ImageError where it does not fit."""
        if side > min(height, width):
            raise ImageError(f"a photo of {width} x {height} pixels has no square of {side}")
        return cls((width - side) // 2, (height - side) // 2, side, size)

    def image(self, image: Picture) -> Picture:
        """Cut and resize: uint8 (H, W, 3) -> (size, size, 3)."""
        cut = image[self.top : self.top + self.side, self.left : self.left + self.side]
        return resize(cut, self.size)

    def points(self, points: Points) -> Points:
        """Move points with the photo: u = (x + 0.5 - left) * scale - 0.5, float32."""
        corner = np.array([self.left, self.top])
        moved = (points.astype(np.float64) + 0.5 - corner) * (self.size / self.side) - 0.5
        return np.asarray(moved, dtype=np.float32)


def resize(image: Picture, size: int) -> Picture:
    """Resize a square picture to `size` x `size`: area averages when it shrinks, bilinear when it grows."""
    if image.shape[:2] == (size, size):
        return np.ascontiguousarray(image)
    method = cv2.INTER_AREA if size < image.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size, size), interpolation=method), dtype=np.uint8)
