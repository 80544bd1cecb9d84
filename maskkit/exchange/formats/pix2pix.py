"""pytorch-CycleGAN-and-pix2pix: SPLIT/NAME.png with mask and photo side by side, or SPLITA and SPLITB."""

from pathlib import Path

import numpy as np

from maskkit.exchange.formats.label_png import encode_png
from maskkit.exchange.outgoing import Outgoing, SampleTable
from maskkit.masks.pictures import colorize


def write(outgoing: Outgoing, folder: Path, joined: bool) -> None:
    """Write the mask in the scheme's colours (A) and the photo (B), in one picture (its `aligned` data sets) or in
    two folders (`unaligned`)."""
    with SampleTable(folder, outgoing) as table:
        for split in outgoing.splits:
            for sample in outgoing.samples(split):
                mask = colorize(sample.mask, outgoing.scheme)
                pictures = {f"{split}A": mask, f"{split}B": sample.image}
                if joined:
                    pictures = {split: np.concatenate([mask, sample.image], axis=1)}
                for name, picture in pictures.items():
                    path = folder / name / f"{sample.name}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(encode_png(picture))
                table.add(sample)
