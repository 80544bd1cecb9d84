"""The pictures of the report: rows to look at, each as photo, points and mask."""

import base64
import io
from collections.abc import Sequence
from html import escape
from itertools import accumulate
from random import Random
from typing import Any

from PIL import Image

from maskkit.files.plain_text import plain
from maskkit.masks.pictures import colorize, draw_points, stack_grid
from maskkit.masks.resizing import resize_labels
from maskkit.photos.images import Picture, resize
from maskkit.points.landmarks import scale_points
from maskkit.report.inspection import Inspection
from maskkit.shards.reader import Shard

CELL = 192  # side of a picture in pixels, whatever the size of the photos
JPEG_QUALITY = 88


def doubtful_sheet(inspection: Inspection, rows: int) -> str:
    """The worst doubtful rows, with their reasons."""
    figures = [
        figure(_cell(_sample(inspection, row.file, row.row), inspection), f"{row.split}: {row.id}", *row.reasons)
        for row in inspection.doubtful[:rows]
    ]
    return "".join(figures) or "<p>None.</p>"


def random_sheet(inspection: Inspection, rows: int, seed: int) -> str:
    """Rows of all splits, drawn by `seed`, in the order of the data set."""
    entries = inspection.dataset.shards
    ends = list(accumulate(entry.rows for entry in entries))
    total = ends[-1] if ends else 0
    figures = []
    for number in sorted(Random(seed).sample(range(total), min(rows, total))):
        index = next(index for index, end in enumerate(ends) if number < end)
        entry = entries[index]
        sample = _sample(inspection, entry.file, number - ends[index] + entry.rows)
        figures.append(figure(_cell(sample, inspection), f"{entry.split}: {sample['id']}"))
    return "".join(figures)


def figure(picture: Picture, *caption: str) -> str:
    """A picture with lines of plain text below, as HTML that holds the picture itself."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    source = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    lines = "<br>".join(escape(plain(line)) for line in caption)
    return f'<figure><img src="{source}" alt=""><figcaption>{lines}</figcaption></figure>'


def _sample(inspection: Inspection, file: str, row: int) -> dict[str, Any]:
    entry = next(entry for entry in inspection.dataset.shards if entry.file == file)
    with Shard(inspection.folder / file, inspection.dataset, entry) as shard:
        return shard.read(row)


def _cell(sample: dict[str, Any], inspection: Inspection) -> Picture:
    """Photo, photo with points, and mask side by side; without the points where there are none."""
    size = inspection.dataset.size
    photo = resize(sample["image"], CELL)
    mask = resize_labels(sample["mask"], CELL)
    row: Sequence[Picture] = [photo, colorize(mask, inspection.dataset.scheme)]
    if "landmarks" in sample:
        row = [photo, draw_points(photo, scale_points(sample["landmarks"], size, CELL), radius=1), row[1]]
    return stack_grid([row])
