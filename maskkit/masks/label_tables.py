"""Tables between label sets: which class of one scheme becomes which class of another, where that has a meaning."""

from functools import lru_cache
from itertools import pairwise, permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskkit.errors import SchemeError
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import RegionScheme, load_scheme

# What is not listed keeps its name. SCGAN's skin ends at the jaw and the brows, so ears, neck and hair are its
# background, and glasses lie on its skin. CelebAMask-HQ has no line at the brows: its forehead stays skin.
TO_SCGAN = {
    "l_eye": "left_eye", "r_eye": "right_eye", "u_lip": "lips", "l_lip": "lips", "mouth": "inner_mouth",
    "l_brow": "skin", "r_brow": "skin", "eye_g": "skin",
    **dict.fromkeys(("l_ear", "r_ear", "ear_r", "hair", "hat", "neck", "neck_l", "cloth"), "background"),
}  # fmt: skip
# SeCGAN paper, data: left and right and both lips are merged; necklace, cloth, hat and background are "others".
TO_SECGAN = {
    "l_eye": "eyes", "r_eye": "eyes", "l_brow": "brows", "r_brow": "brows", "l_ear": "ears", "r_ear": "ears",
    "u_lip": "lips", "l_lip": "lips", **dict.fromkeys(("background", "neck_l", "cloth", "hat"), "others"),
}  # fmt: skip
# facer's order is that of github.com/FacePerceiver/facer, facer/face_parsing/farl.py. Its names say right ("re") where
# the network was trained on CelebAMask-HQ's left (FacePerceiver/FaRL, farl/datasets/celebamask_hq.py: l_eye), so the
# scheme has the names of CelebAMask-HQ. For LaPa's left brow its name is "rb" as well, which makes LaPa's left the
# same side (names by github.com/jd-opensource/lapa-dataset; FaRL, farl/datasets/lapa.py).
STEPS: dict[tuple[str, str], dict[str, str]] = {
    ("celebamask-hq", "face-parsing"): {},
    ("face-parsing", "celebamask-hq"): {},
    ("celebamask-hq", "facer"): {},
    ("facer", "celebamask-hq"): {},
    ("celebamask-hq", "scgan"): TO_SCGAN,
    ("celebamask-hq", "secgan"): TO_SECGAN,
    ("lapa", "scgan"): TO_SCGAN,
}
WAYS = {
    **{ends: [*ends] for ends in STEPS},
    **{
        (start, end): [start, "celebamask-hq", end]
        for start, end in permutations(("face-parsing", "facer", "scgan", "secgan"), 2)
        if start in ("face-parsing", "facer")
    },
}


@lru_cache(maxsize=64)
def label_table(source: str, target: str) -> NDArray[np.uint8]:
    """The class of `target` for each class of `source`, both names of built-in schemes: uint8 (K_source,).

    Raises SchemeError where no table has a meaning, as from one class for both eyes to two.
    """
    if (source, target) not in WAYS:
        known = ", ".join(f"{a} to {b}" for a, b in WAYS)
        raise SchemeError(f"there is no table from the labels of {source} to those of {target}: there are {known}")
    table = np.arange(len(load_scheme(source)), dtype=np.uint8)
    for start, end in pairwise(WAYS[source, target]):
        names, renamed = load_scheme(end).names, STEPS[start, end]
        step = [names.index(renamed.get(name, name)) for name in load_scheme(start).names]
        table = np.array(step, dtype=np.uint8)[table]
    table.setflags(write=False)  # it is shared by all callers
    return table


def translate_labels(label_map: ArrayLike, source: str | RegionScheme, target: str) -> LabelMap:
    """Give a label map (..., H, W) of the scheme `source` the classes of the scheme `target`: uint8 (..., H, W).

    Raises SchemeError where there is no such table, a label is outside of `source`, or `source` is a scheme of your
    own that only has the name of a built-in one.
    """
    name = source if isinstance(source, str) else source.name
    table, labels = label_table(name, target), np.asarray(label_map)
    if isinstance(source, RegionScheme) and source.names != load_scheme(name).names:
        raise SchemeError(f"the classes of this scheme {name} are not those of the built-in {name}")
    if labels.dtype.kind not in "iu" or (labels.size and not 0 <= labels.min() <= labels.max() < len(table)):
        raise SchemeError(f"the label map holds values outside of the classes 0 to {len(table) - 1} of {name}")
    return np.asarray(table[labels])
