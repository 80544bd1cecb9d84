"""Sample grids of a run in training, always at the same z, c and s, beside the real photos and their masks."""

from pathlib import Path

import torch

import maskkit
from gan.config import Settings
from gan.data import RowsAtSize, one_hot
from gan.pictures import layout_pictures, to_pictures
from gan.systems import System


class Preview:
    """A column for each of a few fixed rows (of `val` if there are any, else of `train`); a row for each fixed z."""

    def __init__(self, train: RowsAtSize, settings: Settings) -> None:
        val = RowsAtSize(train.reader.folder, "val", train.size)
        rows = val if len(val) else train
        self.real = rows.read(range(min(settings.log.sample_columns, len(rows))))
        self.scheme = rows.reader.scheme
        noise = torch.Generator().manual_seed(settings.seed)
        self.z = torch.randn(settings.log.sample_rows, settings.generator.n_z, generator=noise)

    @torch.no_grad()
    def save(self, path: Path, system: System, device: torch.device) -> None:
        """Write the grid as PNG: photos, masks, then one row for each z."""
        real = self.real.to(device)
        s = one_hot(real.s_idx, len(self.scheme))
        made = [to_pictures(system.generate(z.to(device).expand(len(s), -1), real.c, s)) for z in self.z]
        maskkit.write_png(
            path, maskkit.stack_grid([to_pictures(real.x), layout_pictures(real.s_idx, self.scheme), *made])
        )
