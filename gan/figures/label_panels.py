"""Panels over labels: a layout in each row, a label in each column (SCGAN paper, Figures 4 and 7)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from gan.errors import InputError, explained
from gan.pictures.labels import label_panel
from gan.pictures.sampling import ChosenRows, choose_rows
from gan.pictures.sheets import draw_sheet
from gan.pictures.tiles import Picture, check_extent, check_still, generate_pictures, layout_pictures, write_still
from gan.runs.loading import LoadedGenerator, load_generator
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

    `shards`, `layouts` and `rows` choose layouts as for `gan.sample`; a generator that takes none has `rows` latents
    instead. One z holds along each "row" or down each "column"; if its background holds as well, z is decoupled from
    what varies there. Raises GanError or maskkit's errors.
    """
    if min(rows, scale) < 1:
        raise InputError(f"rows and scale must be at least 1, not {rows} and {scale}")
    path = Path(out)
    inputs = [*([shards] if shards else []), *map(spec_file, layouts)]
    check_still(path, overwrite, "figures", runs=[run], inputs=inputs)
    generator = load_generator(run, device)
    generator.need("c", what="there are no labels to go through")
    labels = label_panel(generator)
    c = torch.stack([label.c for label in labels])
    if "s" in generator.takes:
        chosen = choose_rows(generator, layouts, shards, rows)
        count, beside = len(chosen.s_idx), [*([("photo",)] if chosen.pictures else []), ("layout",)]
    else:
        if layouts or shards:
            generator.need("s", what="none can be chosen for its panel")
        chosen, count, beside = None, rows, []
    check_extent(path, count, len(beside) + len(labels), generator.size * scale)
    drawn = None
    if "z" in generator.takes:
        drawn = generator.draw_z(count if z_per == "row" else len(labels), seed)
    lines = []
    for i in range(count):
        z = drawn[i].expand(len(c), -1) if drawn is not None and z_per == "row" else drawn
        s_idx = None if chosen is None else chosen.s_idx[i].expand(len(c), -1, -1)
        made = generate_pictures(generator, len(c), z, c, s_idx)
        lines.append([*_before(chosen, i, generator), *made])
    picture = draw_sheet(lines, heads=[*beside, *(label.words for label in labels)], scale=scale)
    write_still(path, picture, overwrite, generator.title)
    return picture


def _before(chosen: ChosenRows | None, i: int, generator: LoadedGenerator) -> list[Picture]:
    """Give the photo and the layout of a row, as far as there are any."""
    if chosen is None:
        return []
    return [*chosen.pictures[i : i + 1], *layout_pictures(chosen.s_idx[i : i + 1], generator.scheme)]
