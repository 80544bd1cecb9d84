"""Small shards, and changes to them: by the library's own means, or to bytes whose checksums are put right."""

import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np

from tests.drawn import write_drawn_shards
from tests.fuzz import manifests
from tests.fuzz.checksums import mended

SIZE, ROWS = 8, 2
SHARD = "train-00000.h5"
OUTSIDE = "/nowhere/outside"  # names nothing that there is: what is written to such a data set goes to that file
NAMES = ("image", "mask", "attributes", "id", "landmarks", "detector", "score", "box", "quality")
SHAPES = (
    (),
    (0,),
    (2,),
    (3,),
    (2, 1),
    (2, 4),
    (2, 8, 8),
    (2, 8, 8, 3),
    (2, 68, 2),
    (0, 8, 8, 3),
    (0, 0, 0, 3),
    (2, 0, 0, 3),
    (1 << 40,),
    (1 << 33, 8, 8),
    (2, 1 << 20, 1 << 20, 3),
    (1 << 50, 8, 8, 3),
    (2, 2, 2, 2, 2),
)
TYPES: tuple[Any, ...] = (
    "u1",
    "i1",
    "i8",
    "f4",
    "f8",
    "f2",
    ">u2",
    "S1",
    "S20",
    "S100000",
    "c8",
    "?",
    h5py.string_dtype(),
    h5py.ref_dtype,
    h5py.vlen_dtype("u1"),
    h5py.enum_dtype({"a": 0, "b": 1}, "u1"),
    np.dtype("V7"),
    np.dtype([("a", "u1"), ("b", "f4")]),
    np.dtype(("u1", (3,))),
    h5py.opaque_dtype(np.dtype("M8[s]")),
)
FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"chunks": True},
    {"compression": "gzip"},
    {"compression": "lzf"},
    {"shuffle": True, "compression": "gzip"},
    {"fletcher32": True},
    {"scaleoffset": 2},
    {"maxshape": True},
    {"fillvalue": 7},
)
ODD: tuple[Any, ...] = (
    0,
    1,
    2,
    -1,
    1.5,
    float("nan"),
    "",
    "train",
    "maskkit-shards",
    "{",
    "[]",
    "null",
    "1",
    '"x"',
    '["Male"]',
    '["\\ud800"]',
    '["hog"]',
    '{"name": 1}',
    "[" * 500,
    b"\xff",
    np.array([1, 1]),
    np.array([], dtype="u1"),
    np.array(["a", "b"], dtype="S1"),
    np.array("x", dtype=h5py.string_dtype()),
    h5py.Empty("f4"),
    np.array([(1, 2.0)], dtype=[("a", "u1"), ("b", "f4")]),
)


@cache
def dataset_files() -> dict[str, bytes]:
    """A whole data set of two rows, 8 x 8, with points and quality: contents by name."""
    with TemporaryDirectory() as temporary:
        folder = write_drawn_shards(Path(temporary) / "shards", {"train": ROWS}, SIZE, ("Male",))
        return {path.name: path.read_bytes() for path in folder.iterdir()}


@cache
def bases() -> tuple[bytes, ...]:
    """The shard as maskkit writes it, and the same rows as the oldest and the newest libraries would."""
    written = dataset_files()[SHARD]
    return written, _rewritten(written, "earliest"), _rewritten(written, "latest")


def _rewritten(data: bytes, version: str) -> bytes:
    content = io.BytesIO()
    with h5py.File(io.BytesIO(data), "r") as old, h5py.File(content, "w", libver=(version, "latest")) as new:
        new.attrs.update(old.attrs)
        for name in old:
            old.copy(name, new)
        new.create_dataset("quality", data=np.array([0.25, 0.5], "f4"))
    return content.getvalue()


def mutate(data: bytes, rng: Random) -> bytes | None:
    """A sound shard changed through the library, or bytes changed with all checksums made to fit."""
    if rng.random() < 0.4:
        data = restructured(rng)
        if rng.random() < 0.6:
            return data
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        place = _interesting(changed, rng)
        width = rng.choice((1, 1, 1, 2, 4, 8))
        value = rng.choice((0, 1, 2, 3, 4, 8, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        filler = rng.choice((bytes([value]) + bytes(width - 1), bytes([value]) * width, rng.randbytes(width)))
        changed[place : place + width] = filler[: max(0, len(changed) - place)]
    return mended(bytes(changed))


def _interesting(data: bytearray, rng: Random) -> int:
    """A place to change: mostly one that is not zero, because pictures and gaps lead nowhere."""
    place = 0
    for _ in range(8):
        place = rng.randrange(max(1, len(data)))
        if rng.random() < 0.5:
            place = place % 2048  # where the headers are
        if place < len(data) and data[place]:
            break
    return min(place, max(0, len(data) - 1))


def restructured(rng: Random) -> bytes:
    """A shard whose data sets, links and attributes were changed with h5py."""
    content = io.BytesIO(rng.choice(bases()))
    with h5py.File(content, "r+") as file:
        for _ in range(rng.choice((1, 1, 2, 3))):
            try:
                rng.choice(CHANGES)(file, rng.choice(NAMES), rng)
            except (OSError, ValueError, TypeError, KeyError, RuntimeError, OverflowError, AttributeError):
                continue  # what the library itself refuses to write
    return content.getvalue()


def _new_dataset(file: h5py.File, name: str, rng: Random) -> None:
    shape, kind = rng.choice(SHAPES), rng.choice(TYPES)
    if name in file and rng.random() < 0.7:
        old = file[name]
        shape, kind = rng.choice(((old.shape, kind), (shape, old.dtype), (old.shape, old.dtype)))
        del file[name]
    options = dict(rng.choice(FILTERS))
    if options.pop("maxshape", None):
        options["maxshape"] = (None,) * len(shape)
    elif options.get("chunks") and rng.random() < 0.5:
        options["chunks"] = tuple(max(1, min(side, 1 << 30)) for side in shape)
    file.create_dataset(name, shape, kind, **options)


def _outside(file: h5py.File, name: str, rng: Random) -> None:
    shape = file[name].shape if name in file else (2,)
    if name in file:
        del file[name]
    way = rng.randrange(6)
    if way == 0:
        file[name] = h5py.ExternalLink(rng.choice((SHARD, OUTSIDE, "none.h5")), rng.choice(("/image", "/", "x")))
    elif way == 1:
        file[name] = h5py.SoftLink(rng.choice(("/image", f"/{name}", "/", "/none")))
    elif way == 2:
        file.create_dataset(name, shape, "uint8", external=[(OUTSIDE, 0, h5py.h5f.UNLIMITED)])
    elif way == 3:
        layout = h5py.VirtualLayout(shape, "uint8")
        layout[...] = h5py.VirtualSource(rng.choice((SHARD, ".", OUTSIDE)), "mask", shape)
        file.create_virtual_dataset(name, layout)
    elif way == 4:
        file.create_group(name)["x"] = 1
    else:
        file[name] = rng.choice((file["/"], *(file[other] for other in file)))


def _attribute(file: h5py.File, name: str, rng: Random) -> None:
    if rng.random() < 0.3 and name in file:
        file[name].attrs["detectors"] = rng.choice(ODD)
    else:
        key = rng.choice(("format", "version", "split", "scheme", "attribute_names", "more"))
        file.attrs[key] = rng.choice(ODD)


def _missing(file: h5py.File, name: str, rng: Random) -> None:
    if rng.random() < 0.5:
        del file[name]
    else:
        del file.attrs[rng.choice(list(file.attrs))]


def _values(file: h5py.File, name: str, rng: Random) -> None:
    value: Any = rng.choice((0, 1, 6, 7, 255, np.nan, np.inf, -1e30, 1e6, b"\xff\xfe", b"", b"a\nb", b"../x"))
    if file[name].dtype.kind in "uifS":  # h5py may crash over writing into others
        file[name][rng.choice((0, 1, ...))] = value


def _scheme(file: h5py.File, name: str, rng: Random) -> None:
    key = rng.choice(("scheme", "attribute_names"))
    changed = manifests.mutate(b" " + str(file.attrs[key]).encode(), rng)
    file.attrs[key] = json.dumps(json.loads(changed or b'""'))


CHANGES: tuple[Callable[[h5py.File, str, Random], None], ...] = (
    _new_dataset,
    _new_dataset,
    _new_dataset,
    _outside,
    _attribute,
    _missing,
    _values,
    _values,
    _scheme,
)
