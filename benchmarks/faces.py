"""Masks of faces by the ten thousand: what must hold for every face, held to random and real ones.

    python -m benchmarks.faces --random 10000 --points FOLDER...      (from the project's root)

Random faces are plausible ones, then scaled, turned, mirrored, moved out of the picture, far out, noise, on whole and
half pixels, or with points in one place or on one line. Real ones come from every `.pts` file and every CSV of faces
below the FOLDERs, each brought onto the grid by its own extent. Of each face:

    classes     the map's values are classes of the scheme
    one-hot     each pixel has exactly one 1, at its class
    mirror      the mirrored face draws the mirrored map
    shift       the face moved by whole pixels draws the moved map
    redrawn     the augmented mask is the one that the augmented points draw, and all points are still there
    refused     a face that a transform throws beyond a million pixels was far out already
    moved       it lies where the pixels of the mask went (for transforms that turn or scale: but for its borders)

The first four also under each transform of `maskkit.Augmentation`. A pixel whose centre lies exactly on an edge may
fall to either side in a mirror, and where two eyes overlap the left one lies over the right one on both sides of it:
such pixels are counted as excused. Exit status 1 if anything broke.
"""

import argparse
import csv
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import maskkit
from maskkit.errors import MaskkitError, PointsError
from maskkit.masks.augmentation import EXACT_MOVES, import_albumentations
from tests.drawn import face_points

SIZE = 64
AT_ONCE = 250
NEAR = 4 * SIZE  # farther out, a perspective turns straight edges round at its horizon
SCHEME = maskkit.load_scheme("scgan")
POLYGONS = [list(region.polygon) for region in SCHEME.regions if region.polygon]
PERMUTING = ("CenterCrop", "CoarseDropout", "Crop", "D4", "HorizontalFlip", "NoOp", "Pad", "PadIfNeeded", "RandomCrop",
             "RandomRotate90", "SquareSymmetry", "Transpose", "VerticalFlip")  # fmt: skip # every pixel goes to a pixel
KINDS = ("plausible", "scaled", "turned", "mirrored", "outside", "far", "noise", "whole", "point", "line")

Tally = Counter[str]


def random_face(kind: str, rng: np.random.Generator) -> np.ndarray:
    """One face of a kind on the grid: float32 (68, 2)."""
    face = face_points(
        SIZE, rng.uniform(0, 0.12), rng.uniform(-0.1, 0.1), rng.uniform(0.7, 1.1), rng.uniform(-0.1, 0.1, 2)
    )
    face = face.astype(np.float64) + rng.normal(0, 0.4, (68, 2))
    centre = np.full(2, (SIZE - 1) / 2)
    if kind == "scaled":
        face = (face - centre) * np.exp(rng.uniform(-4, 3)) + centre
    elif kind == "turned":
        angle = rng.uniform(0, 2 * np.pi)
        face = (face - centre) @ np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))]) + centre
    elif kind == "mirrored":  # its points keep their names, so that its sides are the wrong way round
        face[:, 0] = SIZE - 1 - face[:, 0]
    elif kind == "outside":
        face += rng.uniform(-2 * SIZE, 2 * SIZE, 2)
    elif kind == "far":
        face += rng.uniform(-4000, 4000, (68, 2)) * (rng.random((68, 1)) < 0.1)
    elif kind == "noise":
        face = rng.uniform(-SIZE / 4, SIZE * 1.25, (68, 2))
    elif kind == "whole":
        face = np.rint(face * rng.integers(1, 3)) / 2
    elif kind == "point":
        face = np.repeat(rng.uniform(0, SIZE, (4, 2)), 17, axis=0)
    elif kind == "line":
        face = rng.uniform(0, SIZE, 2) + np.outer(rng.normal(0, SIZE / 3, 68), rng.normal(0, 1, 2))
    return face.astype(np.float32)


def random_faces(count: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Faces of all kinds in turn, each with its kind."""
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        yield kind, random_face(kind, np.random.default_rng((seed, number)))


def read_faces(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Every face of the `.pts` files and tables below a folder, brought onto the grid by its own extent."""
    faces = [maskkit.read_points(path) for path in sorted(folder.rglob("*.pts"))]
    for path in sorted(folder.rglob("*.csv")):
        with path.open(newline="") as file:
            rows = [row[1:] for row in csv.reader(file) if len(row) == 137]
        faces += [np.array(row, dtype=float).reshape(68, 2) for row in rows[1:]]
    for face in faces:
        low = face.min(axis=0)
        yield folder.name, ((face - low) / (face - low).max() * (SIZE - 12) + 6).astype(np.float32)


def moves() -> dict[str, Any]:
    """Each transform that moves points, with settings that change something every time."""
    A = import_albumentations()
    sides, angles = (SIZE - 14, SIZE - 10), (-40, 40)
    settings: dict[str, dict[str, Any]] = {
        "Affine": {"scale": (0.8, 1.2), "rotate": (-25, 25), "translate_percent": (-0.05, 0.05), "shear": (-8, 8)},
        "CenterCrop": {"height": sides[0], "width": sides[1]},
        "CoarseDropout": {"num_holes_range": (1, 4), "hole_height_range": (4, 9), "hole_width_range": (4, 9)},
        "Crop": {"x_min": 3, "y_min": 5, "x_max": SIZE - 4, "y_max": SIZE - 2},
        "Pad": {"padding": (3, 7)},
        "PadIfNeeded": {"min_height": SIZE + 6, "min_width": SIZE + 11},
        "Perspective": {"scale": (0.02, 0.06)},
        "RandomCrop": {"height": sides[1], "width": sides[0]},
        "Rotate": {"limit": angles},
        "SafeRotate": {"limit": angles},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that one of them could be had by another
        return {name: getattr(A, name)(**settings.get(name, {}), p=1) for name in EXACT_MOVES}


def excused(points: np.ndarray, pixels: np.ndarray, reach: int = 0) -> np.ndarray:
    """Which pixels (M, 2), x and y, lie exactly on an edge of a face (68, 2) or, but for `reach` pixels, in both of
    its eyes: bool (M,)."""
    if not len(pixels):
        return np.zeros(0, dtype=bool)
    whole = np.rint(points.astype(np.float64) * 256).astype(np.int64)
    shape = tuple(int(side) + 1 + reach for side in pixels.max(axis=0)[::-1])
    both = maskkit.fill_polygon(points[36:42], shape) & maskkit.fill_polygon(points[42:48], shape)
    both = cv2.dilate(both.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    result = both[pixels[:, 1], pixels[:, 0]]
    p = pixels.astype(np.int64)[:, None] * 256
    for polygon in POLYGONS:
        a, b = whole[polygon], np.roll(whole[polygon], -1, axis=0)
        cross = (b[:, 0] - a[:, 0]) * (p[..., 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (p[..., 0] - a[:, 0])
        between = ((np.minimum(a, b) <= p) & (p <= np.maximum(a, b))).all(axis=2)
        result |= ((cross == 0) & between).any(axis=1)
    return np.asarray(result, dtype=bool)


def check_maps(faces: np.ndarray, maps: np.ndarray, rng: np.random.Generator, done: Tally, broken: Tally) -> None:
    """Classes, one-hot, mirror and shift of faces (N, 68, 2) and their maps (N, H, W)."""
    shape = maps.shape[1:]
    channels = maskkit.one_hot(maps, len(SCHEME))
    _count("classes", (maps < len(SCHEME)).all(axis=(1, 2)) & (maps.dtype == np.uint8), done, broken)
    sound = (channels.sum(axis=1) == 1).all(axis=(1, 2)) & (channels.argmax(axis=1) == maps).all(axis=(1, 2))
    _count("one-hot", sound, done, broken)
    # Coordinates with few binary places, so that neither a mirror nor a shift rounds them.
    exact = (np.rint(faces * 512) / 512).astype(np.float32)
    still = maskkit.rasterize(exact, shape)
    mirrors = maskkit.mirror_points(exact, shape[1])
    different = maskkit.rasterize(mirrors, shape) != maskkit.mirror_label_map(still)
    _count("mirror", _only_excused(different, mirrors, done), done, broken)
    dx, dy = rng.integers(-9, 10, 2).tolist()
    moved = maskkit.rasterize(exact + np.array([dx, dy], dtype=np.float32), shape)
    there = moved[:, max(0, dy) : shape[0] + min(0, dy), max(0, dx) : shape[1] + min(0, dx)]
    here = still[:, max(0, -dy) : shape[0] + min(0, -dy), max(0, -dx) : shape[1] + min(0, -dx)]
    _count("shift", (there == here).all(axis=(1, 2)), done, broken)


def check_augmented(
    faces: np.ndarray, name: str, transform: Any, rng: np.random.Generator, done: Tally, broken: Tally
) -> None:
    """One transform, at random and then in a mirror or not, on faces (N, 68, 2) and their maps."""
    A = import_albumentations()
    augmentation = maskkit.Augmentation([transform, A.HorizontalFlip(p=0.5)])
    image = rng.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
    faces = (np.rint(faces * 512) / 512).astype(np.float32)
    by_shape: dict[tuple[int, ...], list[dict[str, Any]]] = {}
    for face, mask in zip(faces, maskkit.rasterize(faces, SIZE), strict=True):
        seed = int(rng.integers(1 << 31))
        try:
            sample = augmentation({"image": image, "mask": mask, "landmarks": face}, seed)
        except PointsError:  # beyond the horizon of a perspective, points land anywhere
            _count("refused", np.abs(face[None]).max(axis=(1, 2)) >= NEAR, done, broken)
            continue
        whole = sample["landmarks"].shape == (68, 2) and sample["image"].shape[:2] == sample["mask"].shape
        if not whole or not np.isfinite(sample["landmarks"]).all():
            _count("redrawn", np.array([False]), done, broken)
            continue
        sample["carried"] = augmentation({"image": image, "mask": mask}, seed)["mask"]
        sample["inside"] = augmentation({"image": image, "mask": np.ones_like(mask)}, seed)["mask"] > 0
        by_shape.setdefault(sample["mask"].shape, []).append(sample)
    for shape, samples in by_shape.items():
        points, maps, carried, inside = (
            np.stack([one[key] for one in samples]) for key in ("landmarks", "mask", "carried", "inside")
        )
        _count("redrawn", (maskkit.rasterize(points, shape) == maps).all(axis=(1, 2)), done, broken)
        different = (maps != carried) & inside
        if name in PERMUTING:
            _count("moved", _only_excused(different, points, done), done, broken)
        else:
            different &= _flat(maps) & _flat(carried)
            near = np.abs(points).max(axis=(1, 2)) < NEAR
            _count("moved", _only_excused(different[near], points[near], done, reach=2), done, broken)
        check_maps(points, maps, rng, done, broken)


def _flat(maps: np.ndarray) -> np.ndarray:
    """Where a map has one label in the 5 x 5 pixels round each: what differs there is no matter of a border."""
    kernel = np.ones((5, 5), dtype=np.uint8)
    return np.stack([cv2.erode(one, kernel) == cv2.dilate(one, kernel) for one in maps])


def _only_excused(different: np.ndarray, faces: np.ndarray, done: Tally, reach: int = 0) -> np.ndarray:
    """Whether all pixels that differ in each map are excused by its face."""
    sound = np.ones(len(different), dtype=bool)
    for number in np.flatnonzero(different.any(axis=(1, 2))).tolist():
        allowed = excused(faces[number], np.argwhere(different[number])[:, ::-1], reach)
        sound[number] = allowed.all()
        done["excused pixels"] += int(allowed.sum())
    return sound


def _count(check: str, held: np.ndarray, done: Tally, broken: Tally) -> None:
    done[check] += len(held)
    if not held.all():
        broken[check] += int((~held).sum())


def hold(faces: list[tuple[str, np.ndarray]], seed: int = 0) -> tuple[Tally, Tally]:
    """Hold faces to all checks, plain and under every transform; the checks done and those broken, by name."""
    done, broken = Tally(), Tally()
    for start in range(0, len(faces), AT_ONCE):
        part = np.stack([face for _, face in faces[start : start + AT_ONCE]])
        rng = np.random.default_rng((seed, start))
        check_maps(part, maskkit.rasterize(part, SIZE), rng, done, broken)
        for name, transform in moves().items():
            at_first = broken.copy()
            check_augmented(part, name, transform, rng, done, broken)
            for check in broken - at_first:
                broken[f"{check} under {name}"] += broken[check] - at_first[check]
    return done, broken


def main() -> int:
    """Print what was checked and what broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=10_000, help="how many random faces")
    parser.add_argument("--points", type=Path, nargs="*", default=[], help="folders of real faces")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    try:
        faces = [
            *random_faces(options.random, options.seed),
            *(one for folder in options.points for one in read_faces(folder)),
        ]
        done, broken = hold(faces, options.seed)
    except MaskkitError as error:
        sys.exit(f"error: {error}")
    sources = ", ".join(f"{count:,} {kind}" for kind, count in Counter(kind for kind, _ in faces).items())
    excused_pixels = done.pop("excused pixels", 0)
    for check, count in done.items():
        print(f"{check:9} {count:11,} checks, {broken[check]:,} broken")
    for check in sorted(set(broken) - set(done)):
        print(f"  {broken[check]:,} {check}")
    total = sum(broken[check] for check in done)
    print(
        f"{len(faces):,} faces ({sources}), plain and under {len(EXACT_MOVES)} transforms: "
        f"{sum(done.values()):,} checks, {total:,} broken; {excused_pixels:,} pixels excused"
    )
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
