"""Grids along which landmarks move: NoSmile2Smile and Left2Right x latent (SCGAN paper, Figures 5 and 6)."""

from collections.abc import Sequence
from pathlib import Path

import torch

from gan.errors import InputError, explained
from gan.pictures.labels import chosen_attributes, labels_of
from gan.pictures.latents import LatentPath
from gan.pictures.rendering import Grid, check_movable, latents_between, layouts_between
from gan.pictures.sheets import Words, draw_sheet
from gan.pictures.tiles import Picture, check_extent, check_still, layout_pictures, write_still
from gan.runs.loading import LoadedGenerator, load_generator
from maskkit.morphs.placed_faces import spec_file


@explained("drawing the smile", "take fewer rows or columns or a smaller scale")
def smile(
    run: str | Path,
    closed: str,
    opened: str,
    out: str | Path,
    *,
    rows: int = 4,
    columns: int = 6,
    attributes: Sequence[Sequence[str]] = (),
    seed: int = 0,
    scale: int = 1,
    device: str = "auto",
    overwrite: bool = False,
) -> Picture:
    """Write and give a grid from face `closed` to face `opened`: the layouts, then rows of one label and one z each.

    Faces are given as for `gan.render`. Each list of names in `attributes` makes a row; without any, `rows` labels
    spread over those of `label_panel` do. Row i has the i-th z that `seed` draws. Raises GanError or
    maskkit's errors.
    """
    path = Path(out)
    _check(rows, columns, scale)
    check_still(path, overwrite, "figures", runs=[run], inputs=map(spec_file, (closed, opened)))
    generator = load_generator(run, device)
    check_movable(generator)
    labels = labels_of(generator, attributes, rows)
    z = generator.draw_z(len(labels), seed) if "z" in generator.takes else None
    c = torch.stack([label.c for label in labels]) if "c" in generator.takes else None
    grid = Grid.of_rows(len(labels), z, c, layouts_between(generator, closed, opened, columns))
    picture = _draw(generator, grid, [label.words for label in labels], path, scale)
    write_still(path, picture, overwrite, generator.title)
    return picture


@explained("drawing the turn", "take fewer rows or columns or a smaller scale")
def turn(
    run: str | Path,
    left: str,
    right: str,
    out: str | Path,
    *,
    rows: int = 4,
    columns: int = 6,
    attributes: Sequence[str] | None = None,
    seed: int = 0,
    seed_to: int | None = None,
    path: LatentPath = "linear",
    scale: int = 1,
    device: str = "auto",
    overwrite: bool = False,
) -> Picture:
    """Write and give a grid of latents x pose: rows go from one z to another, columns from face `left` to `right`.

    The first z is drawn from `seed` and the last from `seed_to`, by default the next seed; `path` is the way between.
    c holds: the named `attributes`, by default the first label of `label_panel`. The first row shows the
    layouts. Raises GanError or maskkit's errors.
    """
    target = Path(out)
    _check(rows, columns, scale)
    check_still(target, overwrite, "figures", runs=[run], inputs=map(spec_file, (left, right)))
    generator = load_generator(run, device)
    check_movable(generator)
    generator.need("z", what="there is no way between two of them")
    z = latents_between(generator, seed, seed + 1 if seed_to is None else seed_to, rows, path)
    c = None
    if "c" in generator.takes:
        asked = labels_of(generator, (), 1)[0].c if attributes is None else chosen_attributes(generator, attributes)
        c = asked.expand(rows, -1)
    grid = Grid.of_rows(rows, z, c, layouts_between(generator, left, right, columns))
    shares = torch.linspace(0, 1, rows).tolist()
    picture = _draw(generator, grid, [(f"z {share:.2f}",) for share in shares], target, scale)
    write_still(target, picture, overwrite, generator.title)
    return picture


def _check(rows: int, columns: int, scale: int) -> None:
    if rows < 1 or columns < 2 or scale < 1:
        raise InputError(f"a grid needs at least 1 row, 2 columns and a scale of 1, not {rows}, {columns} and {scale}")


def _draw(generator: LoadedGenerator, grid: Grid, labels: list[Words], path: Path, scale: int) -> Picture:
    check_extent(path, grid.rows + 1, len(grid.s_idx), generator.size * scale)
    columns = list(grid.pictures(generator))
    lines = [layout_pictures(grid.s_idx, generator.scheme), *map(list, zip(*columns, strict=True))]
    return draw_sheet(lines, labels=[("layout",), *labels], scale=scale)
