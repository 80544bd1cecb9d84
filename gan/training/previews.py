"""Sample grids of a run in training, always from the same rows and latents, beside the real photos and their masks."""

from pathlib import Path

import torch

import maskkit
from gan.data.rows import RowsAtSize, one_hot
from gan.pictures.tiles import Picture, layout_pictures, synthetic_note, to_pictures
from gan.settings.run_settings import RunSettings
from gan.systems.base import System
from gan.systems.given import Given, draw_latents


def rows_to_look_at(train: RowsAtSize) -> RowsAtSize:
    """Give the `val` rows of the same shards, or the train rows where there are none."""
    val = RowsAtSize(train.reader.folder, "val", train.size)
    return val if len(val) else train


class Preview:
    """A column for each of a few fixed rows (of `val` if there are any, else of `train`); a row for each fixed z.

    A generator that takes z alone gets another z for every picture, and one that takes none makes a single row.
    """

    def __init__(self, train: RowsAtSize, settings: RunSettings) -> None:
        rows = rows_to_look_at(train)
        self.real = rows.read(range(min(settings.log.sample_columns, len(rows))))
        self.scheme, self.takes = rows.reader.scheme, settings.takes
        columns = len(self.real.x)
        lines = settings.log.sample_rows if "z" in self.takes else 1
        if self.takes == ("z",):
            self.z = draw_latents(lines * columns, settings.n_z, settings.seed).view(lines, columns, -1)
        else:
            self.z = draw_latents(lines, settings.n_z, settings.seed)[:, None].expand(-1, columns, -1)

    @torch.no_grad()
    def save(self, path: Path, system: System, device: torch.device) -> Picture:
        """Write the grid as PNG and give it: photos, masks if the generator takes any, then the generated rows."""
        real = self.real.to(device)
        s = one_hot(real.s_idx, len(self.scheme))
        made = [to_pictures(system.generate(Given(z.to(device), real.c, s, real.x))) for z in self.z]
        masks = [layout_pictures(real.s_idx, self.scheme)] if "s" in self.takes else []
        grid = maskkit.stack_grid([to_pictures(real.x), *masks, *made])
        maskkit.write_png(path, grid, synthetic_note(system.title))
        return grid
