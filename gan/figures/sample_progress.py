"""One picture's way through a run's sample grids."""

import re
from pathlib import Path
from typing import NamedTuple

from gan.errors import RunError
from gan.pictures.tiles import Picture
from gan.runs.run_folder import read_settings
from maskkit.masks.pictures import GAP
from maskkit.photos.images import read_image

THUMBNAILS = 9
FIRST_GENERATED_ROW = 2  # below photos and masks (gan.previews)
_NAME = re.compile(r"step-(\d+)\.png")


class Thumbnail(NamedTuple):
    """A generated picture uint8 (size, size, 3) after `step` steps."""

    step: int
    picture: Picture


def read_progress(run: Path) -> list[Thumbnail]:
    """Cut the picture of the first layout and z from up to nine of a run's sample grids, the first and last included.

    Empty where a run has none yet. Raises RunError where a grid is not as `gan.fit` writes it, maskkit's ImageError.
    """
    named = [(_NAME.fullmatch(path.name), path) for path in (run / "samples").glob("step-*.png")]
    grids = sorted((int(name[1]), path) for name, path in named if name)
    count = min(THUMBNAILS, len(grids))
    chosen = [grids[i * (len(grids) - 1) // max(1, count - 1)] for i in range(count)]
    size = read_settings(run).data.size if chosen else 0
    return [Thumbnail(step, _cut(path, size)) for step, path in chosen]


def _cut(path: Path, size: int) -> Picture:
    picture = read_image(path)
    height, width = picture.shape[:2]
    top = FIRST_GENERATED_ROW * (size + GAP)
    if (height + GAP) % (size + GAP) or (width + GAP) % (size + GAP) or height < top + size:
        raise RunError(f"{path} is {width} x {height} pixels, which is no sample grid of pictures of {size}; delete it")
    return picture[top : top + size, :size]
