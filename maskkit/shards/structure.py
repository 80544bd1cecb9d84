"""Whether an HDF5 file is a shard of format 1, and the one that `dataset.json` promises."""

import math
from pathlib import Path

import h5py

from maskkit.errors import ShardError
from maskkit.files.json_text import parse_json
from maskkit.points.landmarks import POINT_COUNT
from maskkit.shards.attribute_text import read_text
from maskkit.shards.description import FORMAT, VERSION, Dataset, ShardEntry
from maskkit.shards.guard import check_claims, own_dataset, unpacked_for_row

MOST_TIMES, CACHE = 8, 1 << 20  # of a row may be unpacked for it; bytes that HDF5 keeps unpacked
PACKED = ("image", "mask")  # the pictures are read row by row and may be packed; all else is read at once


def check_structure(file: h5py.File, path: Path, dataset: Dataset | None, entry: ShardEntry | None) -> None:
    """Raise ShardError where an open file breaks the format, or a promise of `dataset.json` if that is given."""
    if not _says_format(file, path):
        raise ShardError(f"{path}: not a shard of {FORMAT} version {VERSION}")
    for name in file:
        data = own_dataset(file, name, path, ShardError)
        check_claims(data, name, path, ShardError, packed=name in PACKED)
        if name in PACKED:
            _check_chunks(data, name, path)
    if dataset is not None and entry is not None:
        _check_description(file, path, dataset, entry)
    if "image" not in file or file["image"].ndim != 4:
        raise ShardError(f"{path}: the data set 'image' of shape (N, H, W, 3) is missing")
    count, size = entry.rows if entry else len(file["image"]), dataset.size if dataset else file["image"].shape[1]
    names = list(map(str, parse_json(read_text(file, "attribute_names", path))))
    expected: dict[str, tuple[tuple[int, ...], str]] = {
        "image": ((count, size, size, 3), "uint8"),
        "mask": ((count, size, size), "uint8"),
        "attributes": ((count, len(names)), "uint8"),
    }
    if "landmarks" in file:
        expected |= {
            "landmarks": ((count, POINT_COUNT, 2), "float32"),
            "detector": ((count,), "uint8"),
            "score": ((count,), "float32"),
            "box": ((count, 4), "float32"),
        }
        if "quality" in file:
            expected["quality"] = ((count,), "float32")
    for name, (shape, kind) in expected.items():
        if name not in file or file[name].shape != shape or file[name].dtype != kind:
            found = f"{file[name].dtype} {file[name].shape}" if name in file else "nothing"
            raise ShardError(f"{path}: {name} is {found}, and {kind} {shape} was promised")
    if "id" not in file or file["id"].shape != (count,) or file["id"].dtype.kind != "S":
        raise ShardError(f"{path}: id is not {count} fixed-length strings")


def _check_chunks(data: h5py.Dataset, name: str, path: Path) -> None:
    """Refuse rows for each of which far more would be unpacked than it is."""
    row, unpacked = math.prod(data.shape[1:]) * data.dtype.itemsize, unpacked_for_row(data)
    if unpacked > max(MOST_TIMES * row, CACHE):
        raise ShardError(
            f"{path}: {name} lies in chunks of {data.chunks}, and {unpacked:,} bytes would be unpacked for each row; "
            "store it a row a chunk"
        )


def _says_format(file: h5py.File, path: Path) -> bool:
    try:
        version = file.attrs.get_id("version")
        plain = version.shape == () and version.dtype.kind in "iu"
        return plain and read_text(file, "format", path) == FORMAT and int(file.attrs["version"]) == VERSION
    except KeyError:
        return False


def _check_description(file: h5py.File, path: Path, dataset: Dataset, entry: ShardEntry) -> None:
    """Compare what the file says of itself with `dataset.json`: mixed-up names would be learned without a word."""
    promised = {
        "split": entry.split,
        "scheme": dataset.scheme.to_dict(),
        "attribute_names": list(dataset.attribute_names),
    }
    texts = {name: read_text(file, name, path) for name in promised}
    found = {name: text if name == "split" else parse_json(text) for name, text in texts.items()}
    for name, value in promised.items():
        if found[name] != value:
            raise ShardError(f"{path}: its {name} is {found[name]}, and dataset.json promises {value}")
