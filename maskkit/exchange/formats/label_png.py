"""Photos and label maps as PNG, the layout that most projects read: SPLIT/images/NAME.png, SPLIT/masks/NAME.png."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskkit.errors import ImageError
from maskkit.exchange.outgoing import Outgoing, SampleTable
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import RegionScheme
from maskkit.photos.images import opened_picture

PIXELS_AT_ONCE = 1 << 20  # in colours; the largest picture at once would take gigabytes


def write(outgoing: Outgoing, folder: Path, palette: bool) -> None:
    """Write every photo as RGB PNG and every label map as palette or grey PNG; both hold the class numbers."""
    with SampleTable(folder, outgoing) as table:
        for split in outgoing.splits:
            for sample in outgoing.samples(split):
                for kind, array in (("images", sample.image), ("masks", sample.mask)):
                    path = folder / split / kind / f"{sample.name}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(encode_png(array, outgoing.scheme if palette and kind == "masks" else None))
                table.add(sample)


def encode_png(array: NDArray[np.uint8], scheme: RegionScheme | None = None) -> bytes:
    """One picture or label map as the bytes of a PNG; with `scheme` as palette PNG in its colours."""
    image = Image.fromarray(array)
    if scheme is not None:
        image.putpalette(scheme.palette.tobytes())  # turns the grey picture into a palette picture
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def voc_color(label: int) -> tuple[int, int, int]:
    """Pascal VOC's colour of a class number: the bits of each channel are those of the number, three by three."""
    channels = [0, 0, 0]
    for shift in range(8):
        for channel in range(3):
            channels[channel] |= (label >> channel & 1) << (7 - shift)
        label >>= 3
    return channels[0], channels[1], channels[2]


def read_label_map(path: Path, scheme: RegionScheme, ignore: int | None = None) -> LabelMap:
    """Read a label map of `scheme` from a PNG: uint8 (H, W).

    Palette and grey pictures hold class numbers; RGB ones, and RGBA ones without a transparent pixel, the scheme's
    colours, each pixel exactly one of them. The number `ignore`, in colours Pascal VOC's for it, becomes class 0.
    Raises ImageError with the file and the value for anything else, before decoding where the header tells that it is
    large.
    """
    with opened_picture(path, ("PNG",)) as image:
        mode, array = image.mode, np.asarray(image)
    if mode in ("RGBA", "LA"):
        if array[..., -1].min() < 255:
            raise ImageError(f"{path}: a label map without transparent pixels is needed, and this one has some")
        mode, array = ("RGB", array[..., :3]) if mode == "RGBA" else ("L", array[..., 0])
    if mode == "RGB":
        return _from_colors(array, scheme, path, ignore)
    if ignore is not None:
        array = np.where(array == ignore, 0, array)
    if array.max() >= len(scheme):
        raise ImageError(f"{path}: the value {array.max()} is outside of the classes 0 to {len(scheme) - 1}")
    return array.astype(np.uint8)


def _from_colors(array: NDArray[np.uint8], scheme: RegionScheme, path: Path, ignore: int | None) -> LabelMap:
    colors = [*scheme.palette.tolist(), *([] if ignore is None else [list(voc_color(ignore))])]
    weights = np.array([1 << 16, 1 << 8, 1], dtype=np.int32)
    codes = np.array(colors, dtype=np.int32) @ weights
    if len(set(codes.tolist())) < len(codes):
        raise ImageError(f"{path}: it holds colours, and two classes of {scheme.name} have the same colour")
    order = np.argsort(codes)
    labels = np.empty(array.shape[:2], dtype=np.uint8)
    height = max(1, PIXELS_AT_ONCE // array.shape[1])
    for top in range(0, len(array), height):
        part = array[top : top + height]
        pixels = part.astype(np.int32) @ weights
        found = order[np.searchsorted(codes[order], pixels).clip(max=len(codes) - 1)]
        wrong = np.argwhere(codes[found] != pixels)
        if len(wrong):
            y, x = wrong[0].tolist()
            color = ", ".join(map(str, part[y, x].tolist()))
            raise ImageError(f"{path}: the colour ({color}) at x {x}, y {top + y} is none of {scheme.name}'s")
        labels[top : top + height] = np.where(found < len(scheme), found, 0)
    return labels
