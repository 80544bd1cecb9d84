"""Sequences between two faces: landmarks interpolated, each layout drawn anew, z and c held."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import maskkit
from gan.data import one_hot
from gan.errors import InputError, explained
from gan.loading import LoadedGenerator, load_generator
from gan.pictures import Picture, layout_pictures, to_pictures

FRAMES_AT_ONCE = 16


@explained("rendering", "take fewer frames or a smaller scale")
def render(
    run: str | Path,
    a: str,
    b: str,
    out: str | Path,
    *,
    frames: int = 24,
    fps: int = 12,
    seed: int = 0,
    attributes: Sequence[str] = (),
    masks: bool = False,
    scale: int = 1,
    device: str = "auto",
    overwrite: bool = False,
) -> None:
    """Write the way from face `a` to face `b` as .mp4 (H.264), .gif or a folder of PNG files.

    `a` and `b` are photos, point files or shard rows `OUT/train-00000.h5#12`; both ends are among the `frames`. One z,
    drawn from `seed`, and the named `attributes` hold throughout (SCGAN paper, Figure 5). With `masks` each frame has
    its layout at the left; `scale` repeats pixels. Raises GanError or maskkit's errors.
    """
    if frames < 2 or fps < 1 or scale < 1:
        raise InputError(
            f"a sequence needs at least 2 frames, 1 frame a second and a scale of 1, not {frames}, {fps}, {scale}"
        )
    path = Path(out)
    maskkit.sequences.check_output(path, fps, overwrite)
    generator = load_generator(run, device)
    start, end = (maskkit.read_layout(spec, generator.size) for spec in (a, b))
    points = maskkit.interpolate(start, end, frames)
    label_maps = maskkit.rasterize(points, generator.size, generator.scheme)
    pictures = _frames(generator, label_maps, seed, attributes, masks)
    maskkit.write_frames(path, (maskkit.enlarge(picture, scale) for picture in pictures), fps, overwrite=overwrite)


def _frames(
    generator: LoadedGenerator, label_maps: NDArray[np.uint8], seed: int, attributes: Sequence[str], masks: bool
) -> Iterator[Picture]:
    z, c = generator.draw_z(1, seed), generator.attributes(attributes)
    for first in range(0, len(label_maps), FRAMES_AT_ONCE):
        s_idx = torch.from_numpy(label_maps[first : first + FRAMES_AT_ONCE]).long()
        count = len(s_idx)
        images = generator(z.expand(count, -1), c.expand(count, -1), one_hot(s_idx, len(generator.scheme)))
        for layout, picture in zip(layout_pictures(s_idx, generator.scheme), to_pictures(images), strict=True):
            yield np.hstack([layout, picture]) if masks else picture
