"""Drawn faces with exactly known points, for tests that need many faces and no photos."""

from pathlib import Path

import numpy as np

import maskkit
from maskkit.detection.cascade import STEPS
from maskkit.shards.description import Dataset
from maskkit.shards.ledger import write_ledger
from maskkit.shards.writer import Row, write_shard

ATTRIBUTES = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
HAIR = {0: (25, 20, 20), 1: (220, 190, 110), 2: (110, 70, 40)}


def face_points(
    size: int, opening: float = 0.04, turn: float = 0.0, scale: float = 0.9, shift=(0.0, 0.0)
) -> np.ndarray:
    """68 points of a drawn face on a square grid; `opening` is the mouth's, `turn` moves the nose sideways."""
    t = np.linspace(0, np.pi, 17)
    jaw = np.stack([-0.30 * np.cos(t), 0.40 * np.sin(t)], axis=1)
    brow = np.array([(-0.26, -0.10), (-0.22, -0.13), (-0.17, -0.14), (-0.11, -0.13), (-0.06, -0.11)])
    bridge = np.array([(0, y) for y in (-0.03, 0.02, 0.07, 0.12)])
    base = np.array([(-0.06, 0.15), (-0.03, 0.16), (0, 0.165), (0.03, 0.16), (0.06, 0.15)])
    eye = np.array([(-0.20, 0), (-0.165, -0.028), (-0.115, -0.028), (-0.08, 0), (-0.115, 0.022), (-0.165, 0.022)])
    other = eye[[3, 2, 1, 0, 5, 4]] * (-1, 1)
    half = opening / 2
    upper = np.array([(-0.11, 0.26), (-0.07, 0.24 - half), (-0.03, 0.23 - half), (0, 0.235 - half)])
    upper = np.concatenate([upper, upper[2::-1] * (-1, 1)])
    lower = np.array([(0.07, 0.28 + half), (0.03, 0.295 + half), (0, 0.30 + half), (-0.03, 0.295 + half)])
    lower = np.concatenate([lower, [(-0.07, 0.28 + half)]])
    inner = np.array([(-0.09, 0.26), (-0.03, 0.255 - half), (0, 0.257 - half), (0.03, 0.255 - half)])
    inner = np.concatenate([inner, [(0.09, 0.26), (0.03, 0.265 + half), (0, 0.266 + half), (-0.03, 0.265 + half)]])
    face = np.concatenate([jaw, brow, brow[::-1] * (-1, 1), bridge, base, eye, other, upper, lower, inner])
    depth = np.exp(-8 * (face**2).sum(axis=1))  # the middle of the face turns farthest
    face[:, 0] += turn * depth
    return (((face * scale) + 0.5 + np.array(shift)) * size - 0.5).astype(np.float32)


def draw_face(points: np.ndarray, size: int, hair: int, rng: np.random.Generator) -> np.ndarray:
    """A picture of the face whose layout the points give, with hair of one of three colours."""
    y, x = np.mgrid[:size, :size]
    centre = points[:27].mean(axis=0)
    picture = np.empty((size, size, 3))
    picture[:] = rng.uniform(60, 220, 3)
    picture[((x - centre[0]) / (0.36 * size)) ** 2 + ((y - centre[1] + 0.1 * size) / (0.42 * size)) ** 2 < 1] = HAIR[
        hair
    ]
    colors = [None, (224, 180, 150), (40, 50, 60), (40, 50, 60), (205, 150, 125), (190, 70, 80), (70, 20, 25)]
    mask = maskkit.rasterize(points, size)
    for index, color in enumerate(colors):
        if color is not None:
            picture[mask == index] = color
    return np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def drawn_row(number: int, size: int, seed: int = 0, names: tuple[str, ...] = ATTRIBUTES) -> Row:
    """One sample of a data set of drawn faces; its attributes tell the hair's colour."""
    rng = np.random.default_rng((seed, number))
    opening, turn, scale = rng.uniform(0, 0.08), rng.uniform(-0.05, 0.05), rng.uniform(0.8, 1.0)
    points = face_points(size, opening, turn, scale, rng.uniform(-0.03, 0.03, 2))
    hair = int(rng.integers(3))
    attributes = np.array(
        [int(i == hair) if i < 3 else int(rng.integers(2)) for i in range(len(names))], dtype=np.uint8
    )
    image = draw_face(points, size, hair, rng)
    mask = maskkit.rasterize(points, size)
    return Row(f"{number:06d}.png", image, mask, attributes, points, "hog", 1.0, (0, 0, size - 1, size - 1))


def write_drawn_shards(
    folder: Path, counts: dict[str, int], size: int = 64, names: tuple[str, ...] = ATTRIBUTES, shard_size: int = 16
) -> Path:
    """Write a whole data set of drawn faces and give its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    source = {"kind": "drawn", "inputs": sum(counts.values()), "inputs_sha256": ""}
    dataset = Dataset(maskkit.load_scheme("scgan"), size, names, source, {}, {})
    number = 0
    for split, count in counts.items():
        rows = [drawn_row(number + i, size, names=names) for i in range(count)]
        number += count
        for index, start in enumerate(range(0, count, shard_size)):
            part = rows[start : start + shard_size]
            dataset.shards.append(write_shard(folder, f"{split}-{index:05d}.h5", part, dataset, tuple(STEPS)))
    write_ledger(folder, dataset)
    dataset.complete = True
    dataset.write(folder)
    return folder
