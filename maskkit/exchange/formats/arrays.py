"""NumPy files: SPLIT/images.npy, masks.npy, attributes.npy, ids.npy and, where there are points, landmarks.npy."""

from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np

from maskkit.exchange.outgoing import Outgoing, SampleTable
from maskkit.points.landmarks import POINT_COUNT


def write(outgoing: Outgoing, folder: Path) -> None:
    """Write each split as arrays that `np.load(path, mmap_mode="r")` opens without reading them."""
    with SampleTable(folder, outgoing) as table:
        for split in outgoing.splits:
            (folder / split).mkdir()
            ids = _write_rows(outgoing, split, folder / split, table)
            np.save(folder / split / "ids.npy", np.array(ids))


def _write_rows(outgoing: Outgoing, split: str, folder: Path, table: SampleTable) -> list[str]:
    """Write header and rows of every array one row at a time; give the ids."""
    size, ids = outgoing.size, list[str]()
    kinds = {"images": ((size, size, 3), "|u1"), "masks": ((size, size), "|u1")}
    kinds |= {"attributes": ((len(outgoing.attribute_names),), "|u1")}
    if outgoing.has_landmarks(split):
        kinds["landmarks"] = ((POINT_COUNT, 2), "<f4")
    with ExitStack() as stack:
        files: dict[str, BinaryIO] = {}
        for name, (shape, kind) in kinds.items():
            files[name] = stack.enter_context((folder / f"{name}.npy").open("wb"))
            about = {"descr": kind, "fortran_order": False, "shape": (outgoing.count(split), *shape)}
            np.lib.format.write_array_header_1_0(files[name], about)
        for sample in outgoing.samples(split):
            rows = {"images": sample.image, "masks": sample.mask, "attributes": sample.attributes}
            for name, file in files.items():
                array = rows[name] if name in rows else np.asarray(sample.landmarks)
                file.write(array.astype(kinds[name][1]).tobytes())
            ids.append(sample.id)
            table.add(sample)
    return ids
