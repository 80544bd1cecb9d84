"""Tables between label sets against tables written out by hand."""

import numpy as np
import pytest

import maskkit
from maskkit.errors import SchemeError

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
