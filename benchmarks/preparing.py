"""The roads from photos to rows of shards, and their floors: OpenCV, bare dlib, bare h5py, zlib."""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

import maskkit
from benchmarks.measuring import Road
from maskkit.detection import dlib_models
from maskkit.detection.cascade import STEPS
from maskkit.shards.description import Dataset
from maskkit.shards.ledger import write_ledger
from maskkit.shards.writer import GZIP_LEVEL, Row, write_shard

FIXTURE = Path(__file__).parent.parent / "fixtures" / "celeba"
SIZE, ROWS = 128, 2048  # as many rows as a shard usually has: a few would all stay in HDF5's own memory
SHIFT = 8  # pixels that a face is moved by at most, so that the rows differ


@dataclass(frozen=True)
class Material:
    """A data set of ROWS real faces, each a fixture's moved a little, and the rows it was written from."""

    folder: Path
    dataset: Dataset
    rows: list[Row]


def make_material(folder: Path) -> Material:
    """Build the fixture's shards and a data set of as many rows as a shard usually has below `folder`."""
    small, large = folder / "fixture", folder / "large"
    maskkit.build_celeba(FIXTURE, small)
    reader = maskkit.ShardReader(small)
    samples = [reader[i] for i in range(len(reader))]
    shifts = np.random.default_rng(0).integers(-SHIFT, SHIFT + 1, (ROWS, 2)).tolist()
    rows = []
    for number, (dx, dy) in enumerate(shifts):
        sample = samples[number % len(samples)]
        points = sample["landmarks"] + np.array([dx, dy], dtype=np.float32)
        image, mask = np.roll(sample["image"], (dy, dx), axis=(0, 1)), maskkit.rasterize(points, SIZE)
        name, box = f"{number:06d}.jpg", (0, 0, SIZE - 1, SIZE - 1)
        rows.append(Row(name, image, mask, sample["attributes"], points, "hog", 1.0, box))
    source = {"kind": "benchmark", "inputs": ROWS, "inputs_sha256": ""}
    dataset = Dataset(reader.scheme, SIZE, reader.attribute_names, source, {}, {})
    large.mkdir()
    dataset.shards.append(write_shard(large, "train-00000.h5", rows, dataset, tuple(STEPS)))
    write_ledger(large, dataset)
    dataset.complete = True
    dataset.write(large)
    return Material(large, dataset, rows)


def opencv_fills(points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Eight plain OpenCV fills, which paint the outline too and so are not exact."""
    label_map = np.zeros((SIZE, SIZE), dtype=np.uint8)
    whole = np.rint(points).astype(np.int32)
    polygons = [region.polygon for region in maskkit.load_scheme("scgan").regions[1:]]
    for index, polygon in enumerate([*polygons, range(17, 22), range(22, 27)], 1):
        cv2.fillPoly(label_map, [whole[list(polygon)]], index)
    return label_map


def photo_roads() -> Iterator[Road]:
    """JPEG files to pixels and to points."""
    paths = sorted((FIXTURE / "img_align_celeba").glob("*.jpg"))
    photos = [maskkit.read_image(path) for path in paths]
    yield Road("JPEG 178 x 218 -> pixels", len(paths),
               lambda: [maskkit.read_image(path) for path in paths],
               lambda: [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in paths],
               "OpenCV, which takes broken files")  # fmt: skip
    detector, predictor = dlib_models.detector(), dlib_models.predictor()
    yield Road("aligned photo -> 68 points", len(photos),
               lambda: [maskkit.detect_aligned(photo) for photo in photos],
               lambda: [predictor(photo, detector(photo, 0)[0]) for photo in photos],
               "bare dlib, whole pixels")  # fmt: skip


def mask_roads(material: Material) -> Iterator[Road]:
    """Points to label maps and on to one-hot."""
    some = material.rows[:64]
    points = np.stack([row.landmarks for row in some if row.landmarks is not None])
    count, fills = len(points), "eight OpenCV fills, not exact"
    for backend in ("numba", "numpy") if find_spec("numba") else ("numpy",):
        yield Road(f"points -> label map, one by one, {backend}", count,
                   lambda backend=backend: [maskkit.rasterize(face, SIZE, backend=backend) for face in points],
                   lambda: [opencv_fills(face) for face in points], fills)  # fmt: skip
        yield Road(f"points -> label map, as a batch, {backend}", count,
                   lambda backend=backend: maskkit.rasterize(points, SIZE, backend=backend),
                   lambda: [opencv_fills(face) for face in points], fills)  # fmt: skip
    classes = np.arange(7, dtype=np.uint8)[:, None, None]
    maps = [row.mask for row in some]
    yield Road("label map -> one-hot", count,
               lambda: [maskkit.one_hot(label_map, 7) for label_map in maps],
               lambda: [(label_map == classes).view(np.uint8) for label_map in maps],
               "a broadcast comparison")  # fmt: skip


def shard_roads(material: Material) -> Iterator[Road]:
    """Rows to a shard, and a shard's rows read in random order."""
    folder, rows = material.folder, material.rows

    def plain_write() -> None:
        with (folder / "plain.bin").open("wb") as file:
            file.writelines(row.image.tobytes() + zlib.compress(row.mask.tobytes(), GZIP_LEVEL) for row in rows)
            file.flush()
            os.fsync(file.fileno())

    def write() -> None:
        (folder / "train-00001.h5").unlink(missing_ok=True)  # a shard in the way is never replaced
        write_shard(folder, "train-00001.h5", rows, material.dataset, tuple(STEPS))

    yield Road("row -> shard", len(rows), write,
               plain_write, "zlib and one plain file", rounds=3)  # fmt: skip
    reader = maskkit.ShardReader(folder)
    order = np.random.default_rng(0).permutation(len(rows)).tolist()
    with h5py.File(folder / "train-00000.h5") as file:
        image, mask = file["image"], file["mask"]
        yield Road("random read of a sample", len(rows),
                   lambda: [reader[i] for i in order],
                   lambda: [(image[i], mask[i]) for i in order],
                   "bare h5py, photo and mask")  # fmt: skip
