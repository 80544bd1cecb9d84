"""Grids of pictures with words above the columns and at the left of the rows."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import maskkit
from gan.errors import GanError
from gan.pictures.tiles import Picture
from maskkit.masks.pictures import GAP

Words = Sequence[str]  # a line each
SMALLEST_FONT, LARGEST_FONT = 6, 40  # pixels
SPACING = 1.25  # of lines, in font sizes


def draw_sheet(
    rows: Sequence[Sequence[Picture]], *, heads: Sequence[Words] = (), labels: Sequence[Words] = (), scale: int = 1
) -> Picture:
    """Put pictures of one size into rows; give uint8 RGB, the grid of `maskkit.stack_grid`, enlarged, bottom right.

    `heads` stand centred above the columns and `labels` at the left of the rows, each a sequence of lines; the font is
    as large as lets every head fit its column's width and every label its row's height.
    """
    side = rows[0][0].shape[1]
    grid = maskkit.enlarge(maskkit.stack_grid(rows), scale)
    tile, pitch = side * scale, (side + GAP) * scale
    font = _fitting_font(heads, labels, tile)
    top = max((_height(words, font) for words in heads), default=0)
    left = max((_width(words, font) for words in labels), default=0)
    sheet = Image.new("RGB", (left + grid.shape[1], top + grid.shape[0]), "white")
    sheet.paste(Image.fromarray(grid), (left, top))
    for i, words in enumerate(heads):
        strip = _written(words, font, (tile, top), centred=True)
        sheet.paste(strip, (left + i * pitch, 0))
    for i, words in enumerate(labels):
        strip = _written(words, font, (left, tile), centred=False)
        sheet.paste(strip, (0, top + i * pitch))
    return np.asarray(sheet)


def _fitting_font(heads: Sequence[Words], labels: Sequence[Words], tile: int) -> ImageFont.FreeTypeFont:
    size = min(LARGEST_FONT, max(SMALLEST_FONT, tile // 7))
    while size > SMALLEST_FONT and (
        any(_width(words, _font(size)) > tile for words in heads)
        or any(_height(words, _font(size)) > tile for words in labels)
    ):
        size -= 1
    return _font(size)


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise GanError("words in figures need a Pillow with FreeType, such as pip installs")
    return font


def _width(words: Words, font: ImageFont.FreeTypeFont) -> int:
    return max((int(np.ceil(font.getlength(line) + font.size / 2)) for line in words), default=0)


def _height(words: Words, font: ImageFont.FreeTypeFont) -> int:
    return int(np.ceil((len(words) + 0.3) * font.size * SPACING)) if words else 0


def _written(words: Words, font: ImageFont.FreeTypeFont, size: tuple[int, int], *, centred: bool) -> Image.Image:
    """Write lines onto a white strip (width, height), which cuts off what is too long for it."""
    width, height = size
    strip = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(strip)
    y = (height - len(words) * font.size * SPACING) / 2
    for line in words:
        draw.text((width / 2 if centred else font.size / 4, y), line, "black", font, anchor="ma" if centred else "la")
        y += font.size * SPACING
    return strip
