"""Pictures of masks and points: colours, overlays, palette files and contact sheets."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, PngImagePlugin

from maskkit.errors import SchemeError
from maskkit.files.atomic import write_atomically
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import RegionScheme, as_scheme
from maskkit.photos.images import Picture
from maskkit.points.landmarks import check_points

POINT_COLOR = (0, 255, 0)
GAP = 2  # pixels between the pictures of a grid
# How a picture came about, as IPTC names it; archives and search engines look for it in an XMP packet.
SOURCE_TYPE = re.compile(r"http://cv\.iptc\.org/newscodes/digitalsourcetype/\w+")
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType="{}"/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)


def colorize(label_map: LabelMap, scheme: str | Path | RegionScheme = "scgan") -> Picture:
    """Paint a label map (..., H, W) in the scheme's colours: uint8 RGB (..., H, W, 3)."""
    palette = as_scheme(scheme).palette
    if label_map.size and label_map.max() >= len(palette):
        raise SchemeError(
            f"the label map holds the value {label_map.max()}, and the classes are 0 to {len(palette) - 1}"
        )
    return np.asarray(palette[label_map])


def show(label_map: LabelMap, scheme: str | Path | RegionScheme = "scgan") -> Image.Image:
    """A label map (H, W) uint8 as Pillow's palette picture, which notebooks show in the scheme's colours.

    Its pixels are still the class numbers.
    """
    image = Image.fromarray(label_map)
    image.putpalette(as_scheme(scheme).palette.tobytes())  # turns the grey picture into a palette picture
    return image


def overlay(image: Picture, label_map: LabelMap, scheme: str | Path | RegionScheme = "scgan") -> Picture:
    """Lay the colours of the regions half transparent over a photo of the same size; the background stays."""
    mixed = (image.astype(np.uint16) + colorize(label_map, scheme)) // 2
    return np.where(label_map[..., None] > 0, mixed.astype(np.uint8), image)


def draw_points(image: Picture, points: ArrayLike, radius: int | None = None) -> Picture:
    """Mark the 68 points of one face on a copy of a photo; without a `radius` the dots suit its size."""
    drawn = image.copy()
    if radius is None:
        radius = max(0, min(image.shape[:2]) // 300)
    for x, y in np.rint(check_points(points)).astype(int).tolist():
        cv2.circle(drawn, (x, y), radius, POINT_COLOR, cv2.FILLED)
    return drawn


def stack_grid(rows: Sequence[Sequence[Picture]], gap: int = GAP) -> Picture:
    """Put pictures of one size into rows with white gaps between them; shorter rows are filled up with white."""
    height, width = rows[0][0].shape[:2]
    columns = max(map(len, rows))
    sheet = np.full((len(rows) * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, dtype=np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            top, left = y * (height + gap), x * (width + gap)
            sheet[top : top + height, left : left + width] = picture
    return sheet


def enlarge(image: Picture, scale: int) -> Picture:
    """Repeat each pixel `scale` times both ways, so that small masks and pictures can be looked at."""
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


def write_png(path: str | Path, image: Picture, note: str | None = None, *, overwrite: bool = True) -> None:
    """Write RGB (H, W, 3) or grey (H, W) as PNG, atomically.

    `note` goes into its metadata as the Description; a digital source type of IPTC that it names by its address
    (http://cv.iptc.org/newscodes/digitalsourcetype/...) is repeated as XMP. Raises OutputError, without `overwrite`
    also where something is there.
    """
    content = encode_png(image, note)
    write_atomically(Path(path), lambda file: file.write(content), overwrite=overwrite)


def write_palette_png(path: str | Path, label_map: LabelMap, scheme: str | Path | RegionScheme = "scgan") -> None:
    """Write a label map as a palette PNG: the pixels are the class numbers, the palette shows the colours.

    Pillow reads the numbers back; OpenCV reads the colours.
    """
    content = encode_palette_png(label_map, scheme)
    write_atomically(Path(path), lambda file: file.write(content))


def encode_png(image: Picture, note: str | None = None) -> bytes:
    """What `write_png` writes."""
    return _encode(Image.fromarray(image), note)


def encode_jpeg(image: Picture) -> bytes:
    """RGB (H, W, 3) as JPEG for people to look at; thin coloured lines stay sharp."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()


def encode_palette_png(label_map: LabelMap, scheme: str | Path | RegionScheme = "scgan") -> bytes:
    """What `write_palette_png` writes."""
    return _encode(show(label_map, scheme))


def _encode(image: Image.Image, note: str | None = None) -> bytes:
    buffer = io.BytesIO()
    metadata = PngImagePlugin.PngInfo()
    if note is not None:
        metadata.add_text("Description", note)  # tEXt for Latin-1, iTXt for everything else
        if source_type := SOURCE_TYPE.search(note):
            metadata.add_itxt("XML:com.adobe.xmp", XMP.format(source_type[0]))
    # Half the time of the default 6, for 2 % more bytes of a photo.
    image.save(buffer, "PNG", pnginfo=metadata, compress_level=4)
    return buffer.getvalue()
