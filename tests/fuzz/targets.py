"""What is fuzzed: a run takes bytes, gives them to the readers as files, and lets only our own errors pass."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

import maskkit
from maskkit.exchange.formats import celebamask_hq
from maskkit.exchange.formats.label_png import read_label_map
from maskkit.masks.regions import load_scheme
from maskkit.morphs.placed_faces import read_face
from maskkit.photos.images import read_image
from maskkit.shards.description import DIGEST, FILE_NAME, LEDGER, SPLITS, read_dataset
from maskkit.shards.reader import FOUND, Shard
from tests.fuzz import hdf5, manifests, pictures, tables, text
from tests.fuzz.refusals import refusals

SEEDS = Path(__file__).parent / "seeds"
SHARD = "train-00000.h5"
BLACK_AND_WHITE = celebamask_hq.BLACK_AND_WHITE

Mutate = Callable[[bytes, Random], bytes | None]  # None where the input gives nothing to hold on to


@dataclass(frozen=True)
class Target:
    """A family of readers. `run(data, folder)` raises only for a fault; `folder` is its own, and is used again."""

    run: Callable[[bytes, Path], None]
    mutate: Mutate  # beside libFuzzer's own
    starts: Callable[[], Iterator[bytes]]
    longest: int  # bytes of an input


def kept_inputs(name: str) -> list[bytes]:
    """For a target, the inputs that found a fault once, and those that reach what its starts do not."""
    return [path.read_bytes() for path in sorted((SEEDS / name).iterdir())]


# --- points


def run_points(data: bytes, folder: Path) -> None:
    """One face from `.pts`, `.json` or `.csv`, by the first byte; what is read is written and read again."""
    ending = {b"p": ".pts", b"j": ".json"}.get(data[:1], ".csv")
    path, again = folder / f"face{ending}", folder / f"again{ending}"
    path.write_bytes(data[1:])
    with refusals():
        points = maskkit.read_points(path)
        assert points.shape == (68, 2) and points.dtype == np.float32 and np.isfinite(points).all()
        maskkit.rasterize(points, 8)
        maskkit.write_points(again, points)
        assert (maskkit.read_points(again) == points).all()


def start_points() -> Iterator[bytes]:
    """One file of each kind, with and without what may be left out."""
    pairs = [(round(x * 7.5, 2), x + 0.25) for x in range(68)]
    lines = "\n".join(f"{x} {y}" for x, y in pairs)
    row = ",".join(f"{x},{y}" for x, y in pairs)
    header = ",".join(f"x{i},y{i}" for i in range(68))
    yield f"pversion: 1\nn_points: 68\n{{\n{lines}\n}}\n".encode()
    yield f"p{lines}".encode()
    yield f"j{json.dumps(pairs)}".encode()
    yield f"j{json.dumps({'points': pairs})}".encode()
    yield f"cid,{header}\nface.jpg,{row}\n".encode()
    yield f"c{row}\n".encode()
    mesh = [(10 + x % 23, 20 + x // 23) for x in range(468)]  # MediaPipe's, in pixels
    yield ("c" + "\n".join(f"{x},{y}" for x, y in mesh)).encode()
    yield f"j{json.dumps([{'x': x, 'y': y} for x, y in mesh], separators=(',', ':'))}".encode()


# --- shards


def run_shards(data: bytes, folder: Path) -> None:
    """A shard by itself, and in a data set whose `dataset.json` promises its bytes; every row is touched."""
    path = folder / SHARD
    path.write_bytes(data)
    (folder / LEDGER).write_bytes(hdf5.dataset_files()[LEDGER])
    opened = False
    with refusals(), Shard(path) as shard:
        opened = True
        _touch(shard)
    description = json.loads(_description())
    description["shards"][0] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / FILE_NAME).write_text(json.dumps(description))
    if opened:
        with refusals():
            read_face(f"{path}#0", 8)
        _use(folder, report=data[-1:] < b"\x20")
    else:
        with refusals():
            maskkit.ShardReader(folder)[0]


def _touch(shard: Shard) -> None:
    count, size = len(shard), shard.size
    shard.found()
    shard.qualities()
    for row in range(count):
        with refusals():
            shard.mask(row)
        sample = shard.read(row)
        assert sample["image"].shape == (size, size, 3) and sample["mask"].shape == (size, size)
        assert sample["image"].dtype == sample["mask"].dtype == np.uint8
        assert ("landmarks" in sample) == all(name in sample for name in FOUND)


def _use(folder: Path, report: bool) -> None:
    """Everything that reads a data set, each by itself: one refusal must not hide the others."""
    for split in SPLITS:
        with refusals():
            reader = maskkit.ShardReader(folder, split)
            for row in range(min(len(reader), 8)):
                with refusals():
                    reader[row]
    with refusals():
        maskkit.verify(folder)
    with refusals():
        seen = maskkit.inspect_shards(folder)
        if report:  # slow
            maskkit.write_report(seen, folder / "report.html", rows=2, overwrite=True)


@cache
def _description() -> str:
    """A data set's description as those of old were, without the digest that would refuse every change of it."""
    content = json.loads(hdf5.dataset_files()[FILE_NAME])
    del content[DIGEST]
    return json.dumps(content)


def start_shards() -> Iterator[bytes]:
    """The same rows in every form that HDF5 may give them."""
    yield from hdf5.bases()


# --- manifests


def run_manifests(data: bytes, folder: Path) -> None:
    """`dataset.json` beside a sound shard and ledger, a region scheme, and decisions of people, by the first byte."""
    if data[:1] == b"c":
        (folder / "corrections.json").write_bytes(data[1:])
        with refusals():
            found = maskkit.read_corrections(folder / "corrections.json")
            maskkit.write_corrections(folder / "again.json", found)
            assert maskkit.read_corrections(folder / "again.json").encode() == found.encode()
        return
    if data[:1] == b"s":
        path = folder / f"{hashlib.sha256(data).hexdigest()}.json"  # loaded schemes are remembered by name
        path.write_bytes(data[1:])
        with refusals():
            scheme = load_scheme(path)
            assert 1 <= len(scheme) <= 256 and scheme.palette.shape == (len(scheme), 3)
            assert (scheme.mirror[scheme.mirror] == np.arange(len(scheme))).all()
            if scheme.drawable:
                maskkit.rasterize(np.zeros((68, 2)), 8, scheme)
        path.unlink()
        return
    for name, content in hdf5.dataset_files().items():
        if name != FILE_NAME and not (folder / name).exists():
            (folder / name).write_bytes(content)
    (folder / FILE_NAME).write_bytes(data[1:])
    with refusals():
        dataset = read_dataset(folder)
        (folder / "again").mkdir(exist_ok=True)
        dataset.write(folder / "again")
        assert read_dataset(folder / "again") == dataset
    _use(folder, report=True)


def start_manifests() -> Iterator[bytes]:
    """A data set's description, decisions about its rows, and region schemes."""
    points = np.arange(136, dtype=np.float32).reshape(68, 2) / 7
    rows = {"a.jpg": maskkit.Correction("accept", "0" * 64, points),
            "b.jpg": maskkit.Correction("correct", "1" * 64, points, points + 1)}  # fmt: skip
    yield b"c" + maskkit.Corrections(64, rows).encode()
    yield b"d" + _description().encode()
    for name in ("scgan", "deepfashion"):
        yield b"s" + json.dumps(load_scheme(name).to_dict()).encode()


# --- masks


def run_masks(data: bytes, folder: Path) -> None:
    """A PNG as a label map of several schemes, and as a photo."""
    path = folder / "mask.png"
    path.write_bytes(data)
    for scheme in (load_scheme("scgan"), load_scheme("celebamask-hq"), BLACK_AND_WHITE):
        with refusals():
            labels = read_label_map(path, scheme)
            assert labels.dtype == np.uint8 and labels.ndim == 2 and labels.max() < len(scheme)
    with refusals():
        photo = read_image(path)
        assert photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[2] == 3


TARGETS = {
    "points": Target(run_points, text.mutate, start_points, 8192),
    "tables": Target(tables.run, text.mutate, tables.starts, 8192),
    "shards": Target(run_shards, hdf5.mutate, start_shards, 32768),
    "manifests": Target(run_manifests, manifests.mutate, start_manifests, 16384),
    "masks": Target(run_masks, pictures.mutate, pictures.starts, 8192),
}
