"""Grids over layouts, latents and attributes from a trained generator."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

import maskkit
from gan.data.rows import RowsAtSize
from gan.errors import InputError, explained
from gan.pictures.labels import chosen_attributes, one_of_n
from gan.pictures.sheets import Words, draw_sheet
from gan.pictures.tiles import (
    Picture,
    check_extent,
    check_still,
    generate_pictures,
    layout_pictures,
    to_pictures,
    write_still,
)
from gan.runs.loading import LoadedGenerator, load_generator
from maskkit.morphs.placed_faces import spec_file

Columns = Literal["z", "c"]


@dataclass
class ChosenRows:
    """Rows of a grid: layouts int64 (N, H, W), attributes float32 (N, n_c) and photos (N, 3, H, W), None where unknown.

    `pictures` are the photos as pictures, or none.
    """

    s_idx: Tensor
    c: Tensor | None = None
    x: Tensor | None = None
    pictures: list[Picture] = field(default_factory=list)


@explained("sampling", "take fewer rows, fewer columns (--count) or a smaller scale")
def sample(
    run: str | Path,
    out: str | Path,
    *,
    shards: str | Path | None = None,
    layouts: Sequence[str] = (),
    attributes: Sequence[str] | None = None,
    rows: int = 4,
    columns: int = 6,
    vary: Columns = "z",
    seed: int = 0,
    scale: int = 1,
    device: str = "auto",
    overwrite: bool = False,
) -> Picture:
    """Write a PNG grid and give it as uint8 RGB: photo, layout, then generated images, words above the columns.

    A row is a layout: the first `rows` rows of `val` (`train` if there are none) in `shards`, by default the run's own;
    or, if given, `layouts`, each a photo, a point file or a shard row `OUT/train-00000.h5#12`. Where the generator
    takes no layout, a row is a latent. Along a row `vary` "z" draws `columns` latents; "c" keeps one and shows the
    row's attributes, then each attribute reversed in turn, or each class in turn where an image has one of n
    (`loss.cls` softmax). `attributes` names those that are 1; by default a row of the shards keeps its own, and others
    have none. Raises GanError or maskkit's errors.
    """
    if min(rows, columns, scale) < 1:
        raise InputError(f"rows, columns and scale must be at least 1, not {rows}, {columns} and {scale}")
    path = Path(out)
    check_still(path, overwrite, runs=[run], inputs=[*([shards] if shards else []), *map(spec_file, layouts)])
    generator = load_generator(run, device)
    if vary == "c":
        generator.need("c", what="none can be reversed along a row")
    if "s" in generator.takes or "x" in generator.takes:
        chosen = choose_rows(generator, layouts, shards, rows)
        lines = _lines_of_rows(generator, chosen, attributes, columns, vary, seed, path, scale)
        beside: list[Words] = [*([("photo",)] if chosen.pictures else []), ("layout",)]
        own = "own" if chosen.c is not None else "none"
        heads = [*beside, *_heads(generator, own if attributes is None else "as asked", vary, columns)]
    else:
        if layouts or shards:
            generator.need("s", what="no row or layout can be chosen for it")
        lines = _lines_of_latents(generator, attributes, rows, columns, vary, seed, path, scale)
        heads = []
        if vary == "c":  # else each row has other latents
            heads = _heads(generator, "none" if attributes is None else "as asked", vary, columns)
    picture = draw_sheet(lines, heads=heads, scale=scale)
    write_still(path, picture, overwrite, generator.title)
    return picture


def choose_rows(generator: LoadedGenerator, specs: Sequence[str], shards: str | Path | None, count: int) -> ChosenRows:
    """Give the layouts of `specs`; without any, those of the first `count` rows of the shards, with their photos.

    The shards are the run's own by default; val, or train where val is empty. Raises InputError or maskkit's errors.
    """
    if specs:
        return ChosenRows(draw_layouts(generator, specs))
    folder = shards or generator.settings.data.shards
    if not folder:
        raise InputError("the generator does not know its shards; name their folder with --shards, or a --layout")
    return _from_shards(generator, Path(folder), count)


def draw_layouts(generator: LoadedGenerator, specs: Sequence[str]) -> Tensor:
    """Draw the layouts of photos, point files or shard rows on the generator's grid: int64 (N, size, size)."""
    return layouts_of_points(generator, np.stack([maskkit.read_face_points(spec, generator.size) for spec in specs]))


def layouts_of_points(generator: LoadedGenerator, points: ArrayLike) -> Tensor:
    """Draw points (N, 68, 2) on the generator's grid: int64 (N, size, size). Raises InputError where none can be."""
    if not generator.scheme.drawable:
        raise InputError(
            f"the run's scheme {generator.scheme.name} has no polygons, so no layout can be drawn from points; "
            "take the layouts of its shards"
        )
    return torch.from_numpy(maskkit.rasterize(points, generator.size, generator.scheme, backend="numpy")).long()


def _from_shards(generator: LoadedGenerator, shards: Path, count: int) -> ChosenRows:
    if not shards.is_dir():
        raise InputError(f"the run's shards are no longer at {shards}; name their folder with --shards, or a --layout")
    val = RowsAtSize(shards, "val", generator.size)
    rows = val if len(val) else RowsAtSize(shards, "train", generator.size)
    names = rows.reader.attribute_names
    if rows.reader.scheme != generator.scheme or names != generator.attribute_names:
        raise InputError(
            f"the shards {shards} have the scheme {rows.reader.scheme.name} and the attributes {names}, "
            f"and the run was trained with {generator.scheme.name} and {generator.attribute_names}"
        )
    if not len(rows):
        raise InputError(f"the shards {shards} hold no rows in val and train")
    real = rows.read(range(min(count, len(rows))))
    return ChosenRows(real.s_idx, real.c, real.x, to_pictures(real.x))


def _lines_of_rows(
    generator: LoadedGenerator, chosen: ChosenRows, asked: Sequence[str] | None, columns: int, vary: Columns, seed: int,
    path: Path, scale: int,
) -> list[list[Picture]]:  # fmt: skip
    """Give a line for each chosen row: its photo and layout, then what is generated."""
    lines = []
    for i, layout in enumerate(layout_pictures(chosen.s_idx, generator.scheme)):
        own = None if chosen.c is None else chosen.c[i]
        count, z, c = _along(generator, own, asked, vary, columns, seed)
        check_extent(path, len(chosen.s_idx), count + 2, generator.size * scale)
        x = None if chosen.x is None else chosen.x[i].expand(count, -1, -1, -1)
        made = generate_pictures(generator, count, z, c, chosen.s_idx[i].expand(count, -1, -1), x)
        lines.append([*chosen.pictures[i : i + 1], layout, *made])
    return lines


def _lines_of_latents(
    generator: LoadedGenerator, asked: Sequence[str] | None, rows: int, columns: int, vary: Columns, seed: int,
    path: Path, scale: int,
) -> list[list[Picture]]:  # fmt: skip
    """Give a line for each of `rows` latents: with `vary` "c" the same along it, else others all over the grid."""
    lines = []
    for i in range(rows):
        count, z, c = _along(generator, None, asked, vary, columns, seed)
        check_extent(path, rows, count, generator.size * scale)
        if z is not None:
            z = (
                generator.draw_z(rows * count, seed).view(rows, count, -1)[i]
                if vary == "z"
                else (generator.draw_z(rows, seed)[i].expand(count, -1))
            )
        lines.append(generate_pictures(generator, count, z, c, None))
    return lines


def _heads(generator: LoadedGenerator, attributes: str, vary: Columns, columns: int) -> list[Words]:
    """Give the words above the generated columns; `attributes` says in a word which the first has that others vary."""
    if vary == "c" and one_of_n(generator):
        return [(name,) for name in generator.attribute_names]
    if vary == "c":
        return [("attributes", attributes), *((name, "reversed") for name in generator.attribute_names)]
    return [(f"z {i + 1}",) for i in range(columns)] if "z" in generator.takes else [("generated",)]


def _along(
    generator: LoadedGenerator, own: Tensor | None, asked: Sequence[str] | None, vary: Columns, columns: int, seed: int
) -> tuple[int, Tensor | None, Tensor | None]:
    """Give how many pictures a row has, and z and c along it, None where the generator takes none."""
    takes_z, takes_c = "z" in generator.takes, "c" in generator.takes
    c = None
    if vary == "c" and one_of_n(generator):
        c = torch.eye(len(generator.attribute_names))
    elif takes_c:
        c = own if own is not None and asked is None else chosen_attributes(generator, asked or ())
        if vary == "c":
            c = (c - torch.cat([torch.zeros(1, len(c)), torch.eye(len(c))])).abs()
    elif asked:
        generator.need("c", what="none can be asked for")
    if vary == "c" and c is not None:
        return len(c), generator.draw_z(1, seed).expand(len(c), -1) if takes_z else None, c
    count = columns if takes_z else 1
    return count, generator.draw_z(count, seed) if takes_z else None, None if c is None else c.expand(count, -1)
