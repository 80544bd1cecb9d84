"""GIF frame by frame: Pillow's writer keeps all of them until the last, 200 photos of 1,024 pixels in 4 GB."""

import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageChops
from PIL.GifImagePlugin import getdata

from maskkit.photos.images import Picture

COLORS = 256
PALETTE_FRAMES = 8  # from which a GIF takes its colours
LONGEST = 65535 * 10  # milliseconds of a frame; it is stored in hundredths of a second, in 16 bits


def write_gif(file: BinaryIO, frames: Iterable[Picture], fps: float, note: str | None = None) -> None:
    """Write RGB frames, uint8 (H, W, 3), all of one size, as a GIF that is repeated for ever; `note` is its comment.

    All have the same palette, or colours would flicker from frame to frame. Equal neighbours are stored once, for as
    long as they last together, and of the others the box in which they differ.
    """
    waiting = iter(frames)
    first = list(islice(waiting, PALETTE_FRAMES))
    palette = Image.fromarray(np.concatenate(first)).quantize(COLORS, dither=Image.Dither.NONE)
    height, width = first[0].shape[:2]
    file.write(_header(width, height, palette, note))
    for box, picture, duration in _changes(_quantized(first, waiting, palette), round(1000 / fps)):
        for part in getdata(picture.crop(box), offset=box[:2], duration=duration):
            file.write(part)
    file.write(b";")


def _header(width: int, height: int, palette: Image.Image, note: str | None) -> bytes:
    """What stands before the frames (GIF89a specification): screen, palette, endless repetition and the comment."""
    colors = bytes(palette.getpalette() or b"").ljust(3 * COLORS, b"\0")
    parts = [struct.pack("<6sHHBBB", b"GIF89a", width, height, 0xF7, 0, 0), colors]  # 0xF7: a palette of 256 colours
    parts.append(b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")
    if note is not None:
        text = note.encode()
        blocks = (text[i : i + 255] for i in range(0, len(text), 255))
        parts += [b"!\xfe", *(bytes([len(block)]) + block for block in blocks), b"\0"]
    return b"".join(parts)


def _quantized(first: list[Picture], waiting: Iterator[Picture], palette: Image.Image) -> Iterator[Image.Image]:
    while first:
        yield Image.fromarray(first.pop(0)).quantize(palette=palette, dither=Image.Dither.NONE)
    for frame in waiting:
        yield Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)


def _changes(
    pictures: Iterator[Image.Image], duration: int
) -> Iterator[tuple[tuple[int, int, int, int], Image.Image, int]]:
    """Each picture that differs from the one before it, with the box that does and the milliseconds it lasts."""
    shown = next(pictures)
    box, lasts = (0, 0, *shown.size), duration
    for picture in pictures:
        changed = ImageChops.difference(_numbers(picture), _numbers(shown)).getbbox()
        if changed is None and lasts + duration <= LONGEST:
            lasts += duration
            continue
        yield box, shown, lasts
        box, shown, lasts = changed or (0, 0, 1, 1), picture, duration
    yield box, shown, lasts


def _numbers(picture: Image.Image) -> Image.Image:
    """The palette numbers of a picture as a grey one."""
    return Image.frombuffer("L", picture.size, picture.tobytes())
