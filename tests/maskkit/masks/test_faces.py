"""The benchmark that holds faces by the ten thousand to what must hold for each: it passes, and it notices."""

import numpy as np
import pytest

import maskkit
from benchmarks import faces
from maskkit.masks.augmentation import EXACT_MOVES


def test_faces_of_every_kind_hold() -> None:
    done, broken = faces.hold(list(faces.random_faces(2 * len(faces.KINDS), 1)))
    count = 2 * len(faces.KINDS)
    assert not broken and done["moved"] > 0
    assert done["redrawn"] + done["refused"] == count * len(EXACT_MOVES)
    assert done["classes"] == done["one-hot"] == done["mirror"] == done["shift"] == count + done["redrawn"]


def test_rounded_points_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = maskkit.rasterize
    monkeypatch.setattr(maskkit, "rasterize", lambda points, *rest: exact(np.floor(points), *rest))
    plausible = [face for face in faces.random_faces(10, 1) if face[0] == "plausible"]
    _, broken = faces.hold(plausible * 3)
    assert broken["mirror"] > 0 and broken["moved"] > 0
