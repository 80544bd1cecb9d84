"""Panels over labels: a layout in each row, a label in each column (SCGAN paper, Figures 4 and 7)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from gan.errors import InputError, explained
from gan.figures.sheets import draw_sheet
from gan.pictures.labels import label_panel
from gan.pictures.sampling import choose_layouts
from gan.pictures.tiles import Picture, check_extent, check_still, generate_pictures, layout_pictures, write_still
from gan.runs.loading import load_generator
from maskkit.morphs.placed_faces import spec_file

LatentPer = Literal["row", "column"]


@explained("drawing the panels", "take fewer rows or a smaller scale")
def panels(
    run: str | Path,
    out: str | Path,
    *,
    shards: str | Path | None = None,
    layouts: Sequence[str] = (),
    rows: int = 4,
    z_per: LatentPer = "row",
    seed: int = 0,
    scale: int = 1,
    device: str = "auto",
    overwrite: bool = False,
) -> Picture:
    """Write and give a panel: photo, layout, then the layout under every label of `label_panel`.

    `shards`, `layouts` and `rows` choose layouts as for `gan.sample`. One z holds along each "row" or down each
    "column"; if its background holds as well, z is decoupled from what varies there. Raises GanError or maskkit's
    errors.
    """
    if min(rows, scale) < 1:
        raise InputError(f"rows and scale must be at least 1, not {rows} and {scale}")
    path = Path(out)
    inputs = [*([shards] if shards else []), *map(spec_file, layouts)]
    check_still(path, overwrite, "figures", runs=[run], inputs=inputs)
    generator = load_generator(run, device)
    chosen = choose_layouts(generator, layouts, shards, rows)
    labels = label_panel(generator)
    c = torch.stack([label.c for label in labels])
    before = [("photo",), ("layout",)] if chosen.photos else [("layout",)]
    check_extent(path, len(chosen.s_idx), len(before) + len(labels), generator.size * scale)
    drawn = generator.draw_z(len(chosen.s_idx) if z_per == "row" else len(labels), seed)
    lines = []
    for i, layout in enumerate(layout_pictures(chosen.s_idx, generator.scheme)):
        z = drawn[i].expand(len(c), -1) if z_per == "row" else drawn
        made = generate_pictures(generator, z, c, chosen.s_idx[i].expand(len(c), -1, -1))
        lines.append([*chosen.photos[i : i + 1], layout, *made])
    picture = draw_sheet(lines, heads=[*before, *(label.words for label in labels)], scale=scale)
    write_still(path, picture, overwrite)
    return picture
