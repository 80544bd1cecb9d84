"""Grids over layouts, latents and attributes from a trained generator."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

import maskkit
from gan.data import RowsAtSize, one_hot
from gan.errors import InputError, explained
from gan.loading import LoadedGenerator, load_generator
from gan.pictures import Picture, layout_pictures, to_pictures

Columns = Literal["z", "c"]


@dataclass
class Layouts:
    """Rows of a grid: layouts int64 (N, H, W), attributes float32 (N, n_c), and N photos or none."""

    s_idx: Tensor
    c: Tensor
    photos: list[Picture]


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
    """Write a PNG grid and give it as uint8 RGB: photo, layout, then generated images.

    A row is a layout: the first `rows` rows of `val` (`train` if there are none) in `shards`, by default the run's own;
    or, if given, `layouts`, each a photo, a point file or a shard row `OUT/train-00000.h5#12`. Along a row `vary` "z"
    draws `columns` latents; "c" keeps one and shows the row's attributes, then each attribute reversed in turn.
    `attributes` names those that are 1; by default a row of the shards keeps its own, and others have none.
    Raises GanError or maskkit's errors.
    """
    if min(rows, columns, scale) < 1:
        raise InputError(f"rows, columns and scale must be at least 1, not {rows}, {columns} and {scale}")
    path = Path(out)
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: grids are written as PNG; give a name that ends in .png")
    maskkit.files.refuse_existing(path, overwrite)
    generator = load_generator(run, device)
    if layouts:
        chosen = _from_specs(generator, layouts)
    else:
        chosen = _from_shards(generator, Path(shards or generator.settings.data.shards), rows)
    if attributes is not None:
        chosen.c = generator.attributes(attributes).expand(len(chosen.s_idx), -1)
    lines = []
    for i, layout in enumerate(layout_pictures(chosen.s_idx, generator.scheme)):
        made = _row(generator, chosen.s_idx[i], chosen.c[i], vary, columns, seed)
        lines.append([*chosen.photos[i : i + 1], layout, *made])
    picture = maskkit.enlarge(maskkit.stack_grid(lines), scale)
    maskkit.files.make_folder(path.parent)
    maskkit.write_png(path, picture)
    return picture


def draw_layouts(generator: LoadedGenerator, specs: Sequence[str]) -> Tensor:
    """Draw the layouts of photos, point files or shard rows on the generator's grid: int64 (N, size, size)."""
    return torch.stack(
        [
            torch.from_numpy(
                maskkit.rasterize(maskkit.read_layout(spec, generator.size), generator.size, generator.scheme)
            )
            for spec in specs
        ]
    ).long()


def _from_specs(generator: LoadedGenerator, specs: Sequence[str]) -> Layouts:
    none = generator.attributes(()).expand(len(specs), -1)
    return Layouts(draw_layouts(generator, specs), none, [])


def _from_shards(generator: LoadedGenerator, shards: Path, count: int) -> Layouts:
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
    return Layouts(real.s_idx, real.c, to_pictures(real.x))


def _row(generator: LoadedGenerator, s_idx: Tensor, c: Tensor, vary: Columns, columns: int, seed: int) -> list[Picture]:
    if vary == "z":
        z, c_row = generator.draw_z(columns, seed), c.expand(columns, -1)
    else:
        flips = torch.cat([torch.zeros(1, len(c)), torch.eye(len(c))])
        c_row = (c - flips).abs()
        z = generator.draw_z(1, seed).expand(len(c_row), -1)
    s = one_hot(s_idx[None], len(generator.scheme)).expand(len(z), -1, -1, -1)
    return to_pictures(generator(z, c_row, s))
