"""The frames of a sequence as one shard, which stands alone: no `dataset.json` is beside it."""

from collections.abc import Iterable, Sequence

import numpy as np

from maskkit.files.seal import sealed
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import RegionScheme
from maskkit.photos.images import Picture
from maskkit.points.landmarks import Points
from maskkit.shards.description import Dataset
from maskkit.shards.writer import Row, encode_shard


def encode_frame_shard(
    kind: str, scheme: RegionScheme, names: Sequence[str], pictures: Iterable[Picture], points: Points, masks: LabelMap
) -> bytes:
    """One shard of frames (F, size, size, 3) with their points (F, 68, 2) and masks (F, size, size); no attributes.

    `kind` says in the shard where they are from. It is sealed, because no `dataset.json` tells its SHA-256.
    """
    size = masks.shape[-1]
    whole = (0.0, 0.0, size - 1.0, size - 1.0)
    rows = [
        Row(f"{name}.png", picture, mask, np.zeros(0, np.uint8), face, kind, float("nan"), whole)
        for name, picture, mask, face in zip(names, pictures, masks, points, strict=True)
    ]
    dataset = Dataset(scheme, size, (), {"kind": kind}, {}, {})
    return sealed(encode_shard("test", rows, dataset, (kind,)))
