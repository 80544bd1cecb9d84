"""Augmentation: points against pixels, masks against points, sides against mirrors, for every transform."""

import csv
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import maskkit
from benchmarks import exactness
from maskkit.errors import AugmentationError, MissingExtraError
from maskkit.masks.augmentation import EXACT_MOVES, import_albumentations
from tests.conftest import ROOT
from tests.drawn import drawn_row
from tests.maskkit.masks.test_raster import on_edge

A = import_albumentations()
SIZE = 64
# Each with settings that change something every time.
MOVES: dict[str, Any] = {
    "Affine": A.Affine(scale=(0.8, 1.2), rotate=(-25, 25), translate_percent=(-0.05, 0.05), shear=(-8, 8), p=1),
    "CenterCrop": A.CenterCrop(50, 54, p=1),
    "CoarseDropout": A.CoarseDropout(num_holes_range=(1, 4), hole_height_range=(4, 9), hole_width_range=(4, 9), p=1),
    "Crop": A.Crop(3, 5, 60, 62, p=1),
    "D4": A.D4(p=1),
    "HorizontalFlip": A.HorizontalFlip(p=1),
    "NoOp": A.NoOp(p=1),
    "Pad": A.Pad((3, 7), p=1),
    "PadIfNeeded": A.PadIfNeeded(70, 75, p=1),
    "Perspective": A.Perspective(scale=(0.02, 0.06), p=1),
    "RandomCrop": A.RandomCrop(55, 52, p=1),
    "RandomRotate90": A.RandomRotate90(p=1),
    "Rotate": A.Rotate((-40, 40), p=1),
    "SafeRotate": A.SafeRotate((-40, 40), p=1),
    "ShiftScaleRotate": A.ShiftScaleRotate(p=1),
    "SquareSymmetry": A.SquareSymmetry(p=1),
    "Transpose": A.Transpose(p=1),
    "VerticalFlip": A.VerticalFlip(p=1),
}
LIGHT = [A.ColorJitter(p=1), A.GaussNoise(p=1), A.GaussianBlur(p=1), A.ImageCompression(p=1), A.ToGray(p=1)]


def sample_of(points: np.ndarray, size: int = SIZE) -> dict[str, Any]:
    image = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    points = np.asarray(points, dtype=np.float32)
    return {"image": image, "mask": maskkit.rasterize(points, size), "landmarks": points, "id": "face"}


def check_invariants(sample: dict[str, Any]) -> None:
    """Classes valid, one-hot exact, the mask that its points draw, and the mirror's mask but for ties."""
    mask, points = sample["mask"], sample["landmarks"]
    assert mask.shape == sample["image"].shape[:2] and mask.dtype == np.uint8
    channels = maskkit.one_hot(mask, 7)
    assert (channels.sum(axis=0) == 1).all() and (channels.argmax(axis=0) == mask).all()
    assert (maskkit.rasterize(points, mask.shape) == mask).all()
    points = (np.rint(points * 512) / 512).astype(np.float32)  # so that mirroring rounds nothing
    mirror = maskkit.mirror_points(points, mask.shape[1])
    mirrored = maskkit.rasterize(mirror, mask.shape)
    reflected = maskkit.mirror_label_map(maskkit.rasterize(points, mask.shape))
    different = np.argwhere(mirrored != reflected)
    if len(different):  # only where centres lie exactly on an edge, or where random eyes overlap
        whole = np.rint(mirror.astype(np.float64) * 256).astype(np.int64)
        polygons = [list(region.polygon) for region in maskkit.load_scheme("scgan").regions[1:]]
        both = maskkit.fill_polygon(mirror[36:42], mask.shape) & maskkit.fill_polygon(mirror[42:48], mask.shape)
        assert all(both[y, x] or any(on_edge(whole[one], x, y) for one in polygons) for y, x in different)


def spot_error(transform: Any, seed: int) -> float:
    """How far a point ends from the bright spot that it marked, in pixels."""
    spot = np.random.default_rng(seed).uniform(26, 38, 2)
    y, x = np.mgrid[:SIZE, :SIZE]
    bright = 250 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * 1.5**2))
    sample = sample_of(np.tile(spot, (68, 1)))
    sample["image"] = np.repeat(np.rint(bright).astype(np.uint8)[..., None], 3, axis=2)
    changed = maskkit.Augmentation(transform if isinstance(transform, maskkit.Jitter) else [transform])(sample, seed)
    light = changed["image"][..., 0].astype(float)
    if light.max() < 200:
        return 0.0  # dropped out
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    centre = np.array([(light * x).sum(), (light * y).sum()]) / light.sum()
    return float(np.abs(changed["landmarks"][0] - centre).max())


def test_every_allowed_transform_moves_points_with_pixels() -> None:
    assert tuple(MOVES) == EXACT_MOVES
    for name, transform in MOVES.items():
        errors = [spot_error(transform, seed) for seed in range(12)]
        # A hole may cut a spot; its points stay where they are, which the median tells.
        worst = np.median(errors) if name == "CoarseDropout" else max(errors)
        assert worst < 0.08, f"{name}: {worst:.3f} pixels"


@pytest.mark.parametrize("name", MOVES)
def test_invariants_hold_under_every_transform(name: str) -> None:
    augmentation = maskkit.Augmentation([MOVES[name], A.HorizontalFlip(p=0.5), A.ColorJitter(p=0.5)])
    rng = np.random.default_rng(list(name.encode()))
    for seed in range(12):
        points = drawn_row(seed, SIZE).landmarks if seed % 2 else rng.uniform(-6, SIZE + 6, (68, 2))
        check_invariants(augmentation(sample_of(points), seed))


def real_faces(folder: Path) -> list[np.ndarray]:
    """Hand-made and frame-by-frame points, each brought onto a grid of 64 x 64 by its own extent."""
    faces = list(exactness.read_faces(folder / "w300_crops"))
    for part in ("training", "test"):
        with (folder / "udacity_yt68" / f"{part}_frames_keypoints.csv").open() as file:
            faces += [np.array(line[1:], dtype=float).reshape(68, 2) for line in list(csv.reader(file))[1:]]
    low = [face.min(axis=0) for face in faces]
    return [(face - a) / (face - a).max() * (SIZE - 12) + 6 for face, a in zip(faces, low, strict=True)]


def test_invariants_hold_on_real_faces(real_data: Path) -> None:
    faces = real_faces(real_data)
    assert len(faces) == 430 + 201
    for number, (name, transform) in enumerate(MOVES.items()):
        augmentation = maskkit.Augmentation([transform, A.HorizontalFlip(p=0.5)])
        for seed, points in enumerate(faces[number::9]):
            check_invariants({**augmentation(sample_of(points), seed), "name": name})


def test_a_flip_swaps_sides_of_points_and_classes() -> None:
    row = drawn_row(3, SIZE)
    sample = {**sample_of(row.landmarks), "image": row.image}
    flipped = maskkit.Augmentation([A.HorizontalFlip(p=1)])(sample, 0)
    assert (flipped["image"] == row.image[:, ::-1]).all() and flipped["id"] == "face"
    assert np.abs(flipped["landmarks"] - maskkit.mirror_points(row.landmarks, SIZE)).max() < 1e-4
    without = {key: value for key, value in sample.items() if key != "landmarks"}
    moved = maskkit.Augmentation([A.HorizontalFlip(p=1)])(without, 0)
    assert (moved["mask"] == maskkit.mirror_label_map(sample["mask"])).all() and "landmarks" not in moved
    turned = maskkit.Augmentation([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)])(sample, 0)  # a half turn, no mirror
    assert np.abs(turned["landmarks"] - (SIZE - 1 - row.landmarks)).max() < 1e-4


@pytest.mark.parametrize("name", MOVES)
def test_labels_without_points_move_along_and_stay_labels(name: str) -> None:
    row = drawn_row(1, SIZE)
    augmentation = maskkit.Augmentation([MOVES[name]])
    for seed in range(4):
        drawn = augmentation(sample_of(row.landmarks), seed)
        moved = augmentation({"image": row.image, "mask": row.mask}, seed)
        assert set(np.unique(moved["mask"])) <= set(range(7))
        assert (moved["mask"] == drawn["mask"]).mean() > 0.97, f"{name}, seed {seed}"


def test_light_leaves_points_and_mask_alone() -> None:
    row = drawn_row(2, SIZE)
    sample = {"image": row.image, "mask": row.mask, "landmarks": row.landmarks}
    for transform in LIGHT:
        changed = maskkit.Augmentation([transform])(sample, 5)
        assert (changed["mask"] == row.mask).all() and (changed["landmarks"] == row.landmarks).all()
        assert (changed["image"] != row.image).any()
    assert sample["image"] is row.image  # what came in is not written to


@pytest.mark.parametrize("transforms", [maskkit.usual_transforms(), maskkit.Jitter()], ids=["albumentations", "own"])
def test_the_seed_decides_everything(transforms: Any) -> None:
    augmentation, sample = maskkit.Augmentation(transforms), sample_of(drawn_row(0, SIZE).landmarks)
    first = [augmentation(sample, seed) for seed in range(8)]
    again = [pickle.loads(pickle.dumps(augmentation))(sample, seed) for seed in reversed(range(8))][::-1]
    for one, other in zip(first, again, strict=True):
        assert all((one[key] == other[key]).all() for key in ("image", "mask", "landmarks"))
    assert len({one["landmarks"].tobytes() for one in first}) > 4


WILD = maskkit.Jitter(move=1, scale=(0.7, 1.3), shift=(-0.1, 0.1), turn=(-40, 40), shear=(-15, 15), recolor=1, blur=0.5)


def test_without_albumentations_points_masks_and_sides_hold_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "albumentations", None)
    still = maskkit.Jitter(move=1, scale=(0.7, 1.3), turn=(-40, 40), shear=(-15, 15), recolor=0, blur=0)
    assert max(spot_error(still, seed) for seed in range(40)) < 0.08
    augmentation, rng = maskkit.Augmentation(WILD), np.random.default_rng(3)
    for seed in range(40):
        points = drawn_row(seed, SIZE).landmarks if seed % 2 else rng.uniform(-6, SIZE + 6, (68, 2))
        sample = sample_of(points)
        drawn = augmentation(sample, seed)
        check_invariants(drawn)
        if seed % 2:
            moved = augmentation({key: sample[key] for key in ("image", "mask")}, seed)
            assert (moved["mask"] == drawn["mask"]).mean() > 0.95
    row = drawn_row(3, SIZE)
    sample = {**sample_of(row.landmarks), "image": row.image}
    flipped = maskkit.Augmentation(maskkit.Jitter(mirror=1, move=0, recolor=0, blur=0))(sample, 0)
    assert (flipped["image"] == row.image[:, ::-1]).all()
    assert np.abs(flipped["landmarks"] - maskkit.mirror_points(row.landmarks, SIZE)).max() < 1e-4
    light = maskkit.Augmentation(maskkit.Jitter(mirror=0, move=0, recolor=1, blur=0))(sample, 0)
    assert (light["mask"] == row.mask).all() and 1 < np.abs(light["image"].astype(int) - row.image).mean() < 60
    nothing = maskkit.Jitter(
        mirror=0, move=0, recolor=1, brightness=(1, 1), contrast=(1, 1), saturation=(1, 1), hue=(0, 0), blur=0
    )
    assert np.abs(maskkit.Augmentation(nothing)(sample, 0)["image"].astype(int) - row.image).max() <= 1


def test_the_guides_code_runs(drawn_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "augmentation.md").read_text(), re.DOTALL)
    (tmp_path / "shards").symlink_to(drawn_shards)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec("".join(blocks), names)
    check_invariants(names["sample"])
    check_invariants(names["augment"](names["reader"][1], 3))


def test_what_cannot_keep_them_together_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = A.OneOf([A.NoOp(p=1), A.Sequential([A.ElasticTransform(p=1)])])
    for transform, name in ((A.Resize(32, 32), "Resize"), (inside, "ElasticTransform")):
        with pytest.raises(AugmentationError, match=f"{name} does not move points exactly"):
            maskkit.Augmentation([transform])
    row = drawn_row(2, SIZE)
    mirrors = A.Affine(rotate=(20, 20), border_mode=cv2.BORDER_REFLECT_101, p=1)
    with pytest.raises(AugmentationError, match="71 points became 639"):
        maskkit.Augmentation([mirrors])(sample_of(row.landmarks), 0)
    holes = A.CoarseDropout(fill_mask=200, num_holes_range=(3, 3), p=1)
    with pytest.raises(AugmentationError, match="made up the label 200"):
        maskkit.Augmentation([holes])({"image": row.image, "mask": row.mask}, 0)
    monkeypatch.setitem(sys.modules, "albumentations", None)
    with pytest.raises(MissingExtraError, match=r"\[augment\]"):
        maskkit.Augmentation([])
