"""Sample grids of a run in training, always at the same z, c and s, beside the real photos and their masks."""

from pathlib import Path

import torch

import maskkit
from gan.data.rows import RowsAtSize, one_hot
from gan.pictures.tiles import SYNTHETIC_NOTE, Picture, layout_pictures, to_pictures
from gan.settings.run_settings import Settings
from gan.systems import System
from gan.systems.latents import draw_latents


def rows_to_look_at(train: RowsAtSize) -> RowsAtSize:
    """Give the `val` rows of the same shards, or the train rows where there are none."""
    val = RowsAtSize(train.reader.folder, "val", train.size)
    return val if len(val) else train


class Preview:
    """A column for each of a few fixed rows (of `val` if there are any, else of `train`); a row for each fixed z."""

    def __init__(self, train: RowsAtSize, settings: Settings) -> None:
        rows = rows_to_look_at(train)
        self.real = rows.read(range(min(settings.log.sample_columns, len(rows))))
        self.scheme = rows.reader.scheme
        self.z = draw_latents(settings.log.sample_rows, settings.generator.n_z, settings.seed)

    @torch.no_grad()
    def save(self, path: Path, system: System, device: torch.device) -> Picture:
        """Write the grid as PNG and give it: photos, masks, then one row for each z."""
        real = self.real.to(device)
        s = one_hot(real.s_idx, len(self.scheme))
        made = [to_pictures(system.generate(z.to(device).expand(len(s), -1), real.c, s)) for z in self.z]
        grid = maskkit.stack_grid([to_pictures(real.x), layout_pictures(real.s_idx, self.scheme), *made])
        maskkit.write_png(path, grid, SYNTHETIC_NOTE)
        return grid
