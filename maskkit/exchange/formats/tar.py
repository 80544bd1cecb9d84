"""WebDataset: SPLIT-000000.tar, in it for each row KEY.image.png, KEY.mask.png and KEY.json."""

import io
import json
import tarfile
from itertools import islice
from pathlib import Path

from maskkit.errors import ExchangeError
from maskkit.exchange.formats.label_png import encode_png
from maskkit.exchange.outgoing import Outgoing

ROWS_PER_TAR = 512  # 10 MB at 128 x 128


def write(outgoing: Outgoing, folder: Path, rows_per_tar: int = ROWS_PER_TAR) -> None:
    """Write tar files of `rows_per_tar` rows each, because WebDataset's workers take whole files.

    Keys are row numbers, because WebDataset cuts a name at its first dot. The JSON holds id, attributes, points,
    detector, score and box. Times and owners are zero, so that the same rows give the same bytes.
    """
    if rows_per_tar < 1:
        raise ExchangeError(f"{rows_per_tar} rows in a tar file; at least one is needed")
    for split in outgoing.splits:
        samples = outgoing.samples(split)
        for number in range(-(-outgoing.count(split) // rows_per_tar)):
            with tarfile.open(folder / f"{split}-{number:06d}.tar", "w", format=tarfile.USTAR_FORMAT) as file:
                for sample in islice(samples, rows_per_tar):
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
