"""Layouts of photos by a translator's other direction."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

import maskkit
from gan.data.rows import as_images
from gan.errors import InputError, explained
from gan.runs.loading import load_generator
from gan.runs.run_folder import check_beside
from maskkit.files.result_folder import ResultFolder
from maskkit.masks.pictures import encode_palette_png
from maskkit.morphs.placed_faces import SHARD_ROW, spec_file


@explained("translating", "take fewer faces")
def make_layouts(
    run: str | Path,
    faces: Sequence[str],
    out: str | Path,
    *,
    device: str = "auto",
    overwrite: bool = False,
    on_face: Callable[[int], None] = lambda done: None,
) -> list[Path]:
    """Write the layout that a run makes of each face into the folder `out`: palette PNGs; give their paths.

    A face is a photo, aligned by its eyes, or a shard row `OUT/train-00000.h5#12`; its layout has the run's size and
    scheme, and is named after it. `on_face` is told how many are done. Raises GanError or maskkit's errors.
    """
    names = [_name(face) for face in faces]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two faces would give layouts of the name {name}; take them one by one")
    check_beside(Path(out), [run])
    generator = load_generator(run, device)
    results: ResultFolder | None = None
    written = []
    for done, (face, name) in enumerate(zip(faces, names, strict=True), 1):
        image = maskkit.read_face(face, generator.size).image
        if image is None:
            raise InputError(f"{face} holds points and no photo; name a photo or a shard row")
        made = generator.layouts(as_images(torch.from_numpy(np.ascontiguousarray(image))[None]))
        mask = made[0].byte().cpu().numpy()
        if results is None:  # nothing is made where the first face cannot be read
            results = ResultFolder(Path(out), [run, *map(spec_file, faces)], overwrite)
        written.append(results.write(name, encode_palette_png(mask, generator.scheme)))
        on_face(done)
    return written


def _name(face: str) -> str:
    """Name a result: NAME.png, and of a shard row train-00000-12.png."""
    row = SHARD_ROW.fullmatch(face)
    return f"{spec_file(face).stem}{'-' + row['row'] if row else ''}.png"
