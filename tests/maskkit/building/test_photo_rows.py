"""One photo to its rows, where something is wrong with it."""

import tracemalloc
from dataclasses import dataclass

import numpy as np

from maskkit.building.inputs import Input
from maskkit.building.photo_rows import NO_FACE, PhotoTask, process_some
from maskkit.detection.cascade import Face
from maskkit.masks.regions import load_scheme
from maskkit.photos.images import Picture
from maskkit.shards.writer import Skip
from tests.drawn import drawn_row


@dataclass
class _Drawn:
    """Photos that need no file."""

    side: int

    def names(self) -> dict[str, str]:
        return {}

    def read(self, name: str) -> Picture:
        return np.zeros((self.side, self.side, 3), dtype=np.uint8)


@dataclass
class _Nobody:
    """A detector that finds nothing, and counts what it was shown."""

    name = "nobody"
    photos: int = 0

    def find(self, image: Picture) -> list[Face]:
        self.photos += 1
        return []


def test_points_that_cropping_moves_too_far_away_leave_out_their_photo_alone() -> None:
    points = drawn_row(0, 64).landmarks
    assert points is not None
    far = points.copy()
    far[0] = 900_000  # allowed, but not once the photo is enlarged
    task = PhotoTask(_Drawn(64), 64, 128, ("given",), load_scheme("scgan"))
    good, bad = process_some([Input("a", (), "train", points=points), Input("b", (), "train", points=far)], task)
    assert isinstance(good, list) and good[0].mask.any()
    assert isinstance(bad, Skip) and "farther out" in bad.reason


def test_photos_without_a_face_are_not_held() -> None:
    task = PhotoTask(_Drawn(2000), 64, 64, _Nobody(), load_scheme("scgan"), aligned=False)  # 12 MB each
    tracemalloc.start()
    assert process_some([Input("a", (), "train")] * 8, task) == [NO_FACE] * 8
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 3 * 12_000_000


def test_nothing_more_is_done_once_nobody_wants_it() -> None:
    nobody = _Nobody()
    task = PhotoTask(_Drawn(64), 64, 64, nobody, load_scheme("scgan"), aligned=False)
    assert process_some([Input("a", (), "train")] * 8, task, lambda: nobody.photos == 2) == []
    assert nobody.photos == 2
