"""WebDataset: SPLIT-000000.tar, in it for each row KEY.image.png, KEY.mask.png and KEY.json."""

import io
import json
import tarfile
from pathlib import Path

from maskkit.exchange.formats.label_png import encode_png
from maskkit.exchange.outgoing import Outgoing


def write(outgoing: Outgoing, folder: Path) -> None:
    """Write a tar file for each shard; keys are row numbers, because WebDataset cuts a name at its first dot.

    The JSON holds id, attributes, points, detector, score and box. Times and owners are zero, so that the same rows
    give the same bytes.
    """
    for split in outgoing.splits:
        for number, part in enumerate(outgoing.parts(split)):
            with tarfile.open(folder / f"{split}-{number:06d}.tar", "w", format=tarfile.USTAR_FORMAT) as file:
                for sample in part:
                    key = f"{split}-{sample.number:08d}"
                    for name, array in (("image", sample.image), ("mask", sample.mask)):
                        picture = encode_png(array, outgoing.scheme if name == "mask" else None)
                        _add(file, f"{key}.{name}.png", picture)
                    about = json.dumps(sample.about(outgoing.attribute_names), ensure_ascii=False)
                    _add(file, f"{key}.json", about.encode())


def _add(file: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    file.addfile(member, io.BytesIO(data))
