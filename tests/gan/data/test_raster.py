"""Layouts drawn on the device are those of `maskkit.rasterize`, pixel for pixel."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import maskkit
from gan.data.raster import Rasterizer
from maskkit.points.landmarks import LARGEST_COORDINATE
from tests.drawn import face_points
from tests.gan.conftest import DEVICES

SCGAN = maskkit.load_scheme("scgan")
# Polygons that cross themselves and each other, of several lengths, not in the order of their labels' first points.
CROSSED = maskkit.RegionScheme.from_dict(
    {
        "name": "crossed",
        "regions": [
            {"name": "background", "color": [0, 0, 0]},
            {"name": "a", "color": [1, 0, 0], "polygon": list(range(60, -1, -3))},
            {"name": "unpainted", "color": [2, 0, 0]},
            {"name": "b", "color": [3, 0, 0], "polygon": [3, 50, 21, 40]},
            {"name": "c", "color": [4, 0, 0], "polygon": [3, 4, 5]},
        ],
    }
)
# Halves and whole pixels fall on centres and on ties of the snapping; the largest fill 64 bits.
COORDINATES = (
    st.floats(-20, 60, width=32)
    | st.integers(-40, 120).map(lambda half: half / 2)
    | st.integers(0, 40 * 512).map(lambda tie: tie / 512)
    | st.sampled_from([-LARGEST_COORDINATE, LARGEST_COORDINATE])
)


def drawn(points: np.ndarray, size: int, scheme: maskkit.RegionScheme, device: str = "cpu") -> np.ndarray:
    place = torch.device(device)
    return Rasterizer(scheme, size, place)(torch.from_numpy(points).to(place)).cpu().numpy()


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.float32, (2, 68, 2), elements=COORDINATES), st.sampled_from([7, 32]), st.sampled_from([SCGAN, CROSSED])
)
def test_any_points(points: np.ndarray, size: int, scheme: maskkit.RegionScheme) -> None:
    found = drawn(points, size, scheme)
    assert found.dtype == np.uint8 and found.shape == (2, size, size)
    assert np.array_equal(found, maskkit.rasterize(points, size, scheme))


@pytest.mark.parametrize("device", DEVICES)
def test_faces_turned_shrunk_and_far_outside(device: str) -> None:
    rng = np.random.default_rng(0)
    faces = np.stack([face_points(64, *rng.uniform((0, -0.3, 0.2), (0.1, 0.3, 1.5))) for _ in range(60)])
    faces[::3] = faces[::3, ::-1]  # every polygon runs through other points, backwards
    faces += rng.uniform(-40, 40, (60, 1, 2)).astype(np.float32)
    assert np.array_equal(drawn(faces, 64, SCGAN, device), maskkit.rasterize(faces, 64))


def test_real_landmarks(real_data: Path) -> None:
    paths = sorted((real_data / "w300_crops").rglob("*.pts"))[:200]
    faces = np.stack([maskkit.read_points(path) for path in paths])
    for size in (64, 128):
        there = maskkit.scale_points(faces, 256, size)
        assert np.array_equal(drawn(there, size, SCGAN), maskkit.rasterize(there, size))


def test_no_faces() -> None:
    assert drawn(np.empty((0, 68, 2), np.float32), 32, SCGAN).shape == (0, 32, 32)
