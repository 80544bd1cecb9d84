"""Tables between label sets against tables written out by hand, and the mesh against MediaPipe's own outlines."""

import numpy as np
import pytest

import maskkit
from maskkit.errors import PointsError, SchemeError

# Class numbers in CelebAMask-HQ's order and the other one, then the names in SeCGAN and SCGAN, each from its source.
BY_HAND = """
background 0 0 others background     skin  1 1 skin skin           nose  2 10 nose nose
eye_g 3 6 eye_g skin                 l_eye 4 4 eyes left_eye       r_eye 5 5 eyes right_eye
l_brow 6 2 brows skin                r_brow 7 3 brows skin         l_ear 8 7 ears background
r_ear 9 8 ears background            mouth 10 11 mouth inner_mouth u_lip 11 12 lips lips
l_lip 12 13 lips lips                hair 13 17 hair background    hat 14 18 others background
ear_r 15 9 ear_r background          neck_l 16 15 others background neck 17 14 neck background
cloth 18 16 others background
"""
ROWS = np.array(BY_HAND.split()).reshape(19, 5)
# What each class of facer's `celebm/448` was trained on (FaRL, farl/datasets/celebamask_hq.py), as CelebAMask-HQ's.
FACER = [0, 17, 1, 18, 8, 9, 6, 7, 4, 5, 2, 10, 12, 11, 13, 3, 14, 15, 16]
# LaPa's 11 in SCGAN's numbers: skin, brows, left and right eye, nose, lip, mouth, lip, hair.
LAPA = [0, 1, 1, 1, 3, 2, 4, 5, 6, 5, 0]


def test_tables_are_those_written_by_hand() -> None:
    both = np.arange(19, dtype=np.uint8).reshape(1, 19)
    assert list(maskkit.load_scheme("celebamask-hq").names) == ROWS[:, 0].tolist()
    assert maskkit.translate_labels(both, "celebamask-hq", "face-parsing")[0].tolist() == list(map(int, ROWS[:, 2]))
    for column, target in ((3, "secgan"), (4, "scgan")):
        names = maskkit.load_scheme(target).names
        made = maskkit.translate_labels(both, "celebamask-hq", target)[0]
        assert [names[label] for label in made] == ROWS[:, column].tolist()
        other = maskkit.translate_labels(both, "celebamask-hq", "face-parsing")
        assert (maskkit.translate_labels(other, "face-parsing", target)[0] == made).all()
    assert set(maskkit.label_table("celebamask-hq", "secgan")) == set(range(12))


def test_the_orders_of_facer_and_lapa() -> None:
    assert maskkit.label_table("facer", "celebamask-hq").tolist() == FACER
    assert maskkit.label_table("celebamask-hq", "facer").tolist() == np.argsort(FACER).tolist()
    by_name = [maskkit.load_scheme("scgan").names.index(ROWS[label, 4]) for label in FACER]
    assert maskkit.label_table("facer", "scgan").tolist() == by_name
    assert maskkit.label_table("lapa", "scgan").tolist() == LAPA


def test_there_and_back_is_the_same() -> None:
    labels = np.random.default_rng(0).integers(0, 19, (3, 8, 9), dtype=np.uint8)
    there = maskkit.translate_labels(labels, "celebamask-hq", "face-parsing")
    assert (maskkit.translate_labels(there, "face-parsing", "celebamask-hq") == labels).all()
    for start, end in (("celebamask-hq", "face-parsing"), ("celebamask-hq", "scgan"), ("face-parsing", "secgan")):
        mirrored = maskkit.mirror_label_map(labels, start)
        made = maskkit.translate_labels(labels, start, end)
        assert (maskkit.translate_labels(mirrored, start, end) == maskkit.mirror_label_map(made, end)).all()


def test_what_has_no_meaning_is_refused() -> None:
    blank = np.zeros((2, 2), np.uint8)
    with pytest.raises(SchemeError, match="no table from the labels of secgan to those of scgan"):
        maskkit.translate_labels(blank, "secgan", "scgan")
    with pytest.raises(SchemeError, match="outside of the classes 0 to 18"):
        maskkit.translate_labels(blank + 19, "face-parsing", "scgan")
    impostor = maskkit.RegionScheme("face-parsing", maskkit.load_scheme("celebamask-hq").regions)
    with pytest.raises(SchemeError, match="not those of the built-in face-parsing"):
        maskkit.translate_labels(blank, impostor, "scgan")


# x and y (up) of MediaPipe's canonical face model (Apache-2.0), rounded; the other side has -x.
CANONICAL = {
    0: (0, -3.406), 1: (0, -1.127), 2: (0, -2.089), 5: (0, 0.366), 13: (0, -3.994), 14: (0, -4.542), 17: (0, -5.365),
    33: (-4.446, 2.664), 37: (-0.711, -3.329), 39: (-1.432, -3.501), 40: (-1.915, -3.803), 58: (-6.720, -4.789),
    61: (-2.456, -4.343), 63: (-4.986, 4.802), 66: (-2.760, 5.101), 70: (-5.721, 4.255), 78: (-2.153, -4.276),
    81: (-1.024, -3.990), 84: (-0.700, -5.292), 91: (-1.839, -4.829), 93: (-7.542, -1.049), 97: (-0.597, -2.014),
    98: (-1.406, -1.714), 105: (-3.987, 5.109), 107: (-1.396, 5.012), 127: (-7.743, 2.365), 132: (-7.271, -2.891),
    133: (-1.856, 2.585), 136: (-5.085, -7.179), 144: (-3.670, 2.360), 148: (-1.293, -9.296), 149: (-3.211, -8.533),
    150: (-4.069, -7.993), 152: (0, -9.403), 153: (-2.724, 2.316), 158: (-2.724, 2.962), 160: (-3.670, 2.928),
    168: (0, 3.271), 172: (-5.941, -6.224), 176: (-2.309, -8.974), 178: (-1.099, -4.459), 181: (-1.325, -5.107),
    197: (0, 1.728), 234: (-7.664, 0.673),
}  # fmt: skip
# MediaPipe's outlines, each from the subject's right to the left: equal places from both ends mirror each other.
OUTLINES = [
    [127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356],
    [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291], [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291],
    [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308], [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308],
    [33, 246, 161, 160, 159, 158, 157, 173, 133, 362, 398, 384, 385, 386, 387, 388, 466, 263],
    [33, 7, 163, 144, 145, 153, 154, 155, 133, 362, 382, 381, 380, 374, 373, 390, 249, 263],
    [70, 63, 105, 66, 107, 336, 296, 334, 293, 300], [98, 97, 2, 326, 327],
]  # fmt: skip


def canonical_mesh(scale: float = 10, middle: float = 128) -> np.ndarray:
    """MediaPipe's canonical face in pixels, y down; points that nothing needs are NaN-free but far away."""
    mesh = np.full((478, 3), 1e5)
    for index, (x, y) in CANONICAL.items():
        mesh[index, :2] = middle + scale * x, middle - scale * y
    for outline in OUTLINES:
        for right, left in zip(outline, outline[::-1], strict=True):
            if right in CANONICAL and right != left:
                x, y = CANONICAL[right]
                mesh[left, :2] = middle - scale * x, middle - scale * y
    return mesh


def test_the_canonical_face_gives_an_even_symmetric_face() -> None:
    points = maskkit.points_from_mesh(canonical_mesh())
    assert np.abs(maskkit.mirror_points(points, 257) - points).max() < 1e-3  # nothing missed, sides not mixed up
    steps = np.linalg.norm(np.diff(points[:17], axis=0), axis=1)
    assert steps.max() / steps.min() < 1.08  # a corner cut is shorter than the way round it
    for first, row in ((17, [70, 63, 105, 66, 107]), (36, [33, 160, 158, 133, 153, 144]), (60, [78, 81, 13])):
        for offset, index in enumerate(row):
            x, y = CANONICAL[index]
            assert points[first + offset] == pytest.approx((128 + 10 * x, 128 - 10 * y), abs=0.01)
    assert points[48:60, 1].argmin() in (2, 3, 4) and points[48:60, 1].argmax() == 9
    areas = np.bincount(maskkit.rasterize(points, 256).ravel(), minlength=7)
    assert (areas > 0).all() and areas[2] == pytest.approx(areas[3], abs=8)


def test_shares_of_the_picture_become_pixels() -> None:
    mesh = canonical_mesh()
    shares = (mesh[:468, :2] + 0.5) / (200, 300)
    both = maskkit.points_from_mesh(np.stack([shares, shares]), (300, 200))
    assert both.shape == (2, 68, 2)
    assert np.abs(both - maskkit.points_from_mesh(mesh)).max() < 1e-3
    for wrong, message in ((np.zeros((68, 2)), "468 or 478 points"), (np.full((478, 2), np.nan), "NaN"), ("x", "got")):
        with pytest.raises(PointsError, match=message):
            maskkit.points_from_mesh(wrong)
