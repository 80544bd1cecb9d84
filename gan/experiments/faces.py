"""Photo, layout, and what each of several runs makes of it (SCGAN paper, Figure 4, over systems)."""

from collections.abc import Sequence
from itertools import starmap
from pathlib import Path

import torch

from gan.data.rows import Batch, RowsAtSize
from gan.evaluation.material import generate
from gan.pictures.several_runs import headings, titles
from gan.pictures.sheets import Words, draw_sheet
from gan.pictures.tiles import Picture, layout_pictures, synthetic_note, to_pictures
from gan.runs.loading import LoadedGenerator
from maskkit.files.plain_text import plain
from maskkit.masks.pictures import encode_png

FACES = 6
LEAST_SIDE = 128  # pixels of a face on the sheet
LONGEST_ID = 24


def draw_faces(
    generators: Sequence[LoadedGenerator], names: Sequence[str], shards: str | Path, measured: int, seed: int
) -> bytes:
    """Give a PNG with a row for each of a few measured faces, evenly spread, and a column for each generator.

    They are pictures that the measures have seen: of the first `measured` rows of val and test, with the rows' own
    attributes and the z that `seed` draws for them.
    """
    first = generators[0]
    splits = [RowsAtSize(shards, split, first.size, first.settings.attribute_kind) for split in ("val", "test")]
    places = [(split, i) for split in splits for i in range(len(split))][:measured]
    count = min(FACES, len(places))
    numbers = [i * len(places) // count for i in range(count)]
    chosen = [places[number] for number in numbers]
    real = Batch(*map(torch.cat, zip(*(split.read([i]) for split, i in chosen), strict=True)))
    columns = [to_pictures(real.x), layout_pictures(real.s_idx, first.scheme)]
    for generator in generators:
        z = generator.draw_z(len(places), seed)[numbers] if "z" in generator.takes else None
        columns.append(to_pictures(generate(generator, real, z)))
    lines: list[tuple[Picture, ...]] = [*zip(*columns, strict=True)]
    heads: list[Words] = [("photo",), ("layout",), *headings(names, generators)]
    sheet = draw_sheet(lines, heads=heads, labels=[*starmap(_label, chosen)], scale=-(-LEAST_SIDE // first.size))
    return encode_png(sheet, synthetic_note(titles(generators)))


def _label(split: RowsAtSize, row: int) -> Words:
    return split.reader.split, plain(split.reader[row]["id"], LONGEST_ID)
