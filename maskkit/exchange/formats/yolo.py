"""YOLO segmentation: images/SPLIT/NAME.png, labels/SPLIT/NAME.txt with a polygon a line, and data.yaml."""

import json
from pathlib import Path

import numpy as np

from maskkit.exchange.formats.label_png import encode_png
from maskkit.exchange.outgoing import Outgoing, SampleTable
from maskkit.exchange.outlines import outline
from maskkit.masks.raster import LabelMap

LEAST_POINTS = 3
# Readers of YOLO's polygons go to whole pixels, ultralytics by cutting, supervision by rounding, and fill together
# with the line. A quarter of a pixel in, both meet the pixel that is meant.
INWARDS = 0.25


def write(outgoing: Outgoing, folder: Path) -> None:
    """Write photos and, for each, a line for each connected piece of a region: its class, then x and y in shares of
    the picture's sides. Classes count from 0 without the background: class 1 of the scheme is 0."""
    with SampleTable(folder, outgoing) as table:
        for split in outgoing.splits:
            for sample in outgoing.samples(split):
                for kind, ending in (("images", "png"), ("labels", "txt")):
                    path = folder / kind / split / f"{sample.name}.{ending}"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(encode_png(sample.image) if kind == "images" else _lines(sample.mask).encode())
                table.add(sample)
    names = [f"  {index}: {json.dumps(name)}" for index, name in enumerate(outgoing.scheme.names[1:])]
    splits = [f"{split}: images/{split}" for split in outgoing.splits]
    if "val" not in outgoing.splits:  # its trainer refuses to start without
        splits.append(f"val: images/{outgoing.splits[-1]}")
    # Without a path: the trainer takes the folder of this file, where "." would be the one that it is started in.
    text = "\n".join([*splits, "names:", *names]) + "\n"
    (folder / "data.yaml").write_text(text, encoding="utf-8")


def _lines(mask: LabelMap) -> str:
    height, width = mask.shape
    lines = []
    for label in np.unique(mask[mask > 0]).tolist():
        for piece in outline(mask == label):
            pixels = piece.pixels + piece.pixels[-1:] * (LEAST_POINTS - len(piece.pixels))
            shares = (f"{(x + INWARDS) / width:.6f} {(y + INWARDS) / height:.6f}" for x, y in pixels)
            lines.append(f"{label - 1} {' '.join(shares)}\n")
    return "".join(lines)
