"""Whether imported labels mean what their scheme says: another known order may fit better, or sides be exchanged."""

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from maskkit.exchange.grid import nearest
from maskkit.exchange.incoming import Incoming, Pair
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import RegionScheme, load_scheme
from maskkit.photos.images import Picture

KNOWN_ORDERS = ("celebamask-hq", "face-parsing", "facer", "lapa", "secgan", "scgan")
MAPS, SIDE = 64, 64  # so many label maps are looked at, at so many pixels
LEAST_SHARE = 1e-4  # of a class whose place is asked for
# Of the statements below, the right order held 0.89 to 1 of those on three faces of CelebAMask-HQ, the wrong ones of
# 19 classes 0.30 to 0.89.
RIGHT_ENOUGH, BETTER_BY = 0.9, 0.1

LOWERED = {"left_eye": "l_eye", "right_eye": "r_eye", "inner_mouth": "mouth"}  # SCGAN's names
EYES, BROWS, EARS = ("l_eye", "r_eye", "eyes"), ("l_brow", "r_brow", "brows"), ("l_ear", "r_ear", "ears")
LIPS, BELOW = ("u_lip", "l_lip", "lips", "mouth"), ("neck", "neck_l", "cloth")
SMALL = ("nose", *EYES, *BROWS, *EARS, *LIPS, "ear_r", "neck_l")
# What holds of every upright face: the first lies above the second.
ABOVE = (
    *product(BROWS, EYES), *product(EYES, ("nose",)), *product(("nose",), LIPS), *product(LIPS, BELOW),
    ("u_lip", "l_lip"), ("u_lip", "mouth"), ("mouth", "l_lip"), *product(("hair", "hat"), (*LIPS, "nose")),
    *product(EARS, BELOW), *product(("neck", "neck_l"), ("cloth",)), ("hat", "skin"), ("hair", "skin"),
)  # fmt: skip


class Census:
    """The place of each label value in the first maps of an import, taken while they go by."""

    def __init__(self, incoming: Incoming) -> None:
        self.scheme, self._maps = incoming.scheme, list[LabelMap]()
        self._load: Callable[[Pair], tuple[Picture, LabelMap]] = incoming.load
        incoming.load = self._watched

    def _watched(self, pair: Pair) -> tuple[Picture, LabelMap]:
        image, mask = self._load(pair)
        if len(self._maps) < MAPS:
            self._maps.append(nearest(mask, SIDE))
        return image, mask

    def doubts(self) -> tuple[str, ...]:
        """Sentences on what speaks against the scheme; none for one with classes that are not of a face."""
        if not self._maps or "nose" not in _parts(self.scheme):
            return ()
        layers = np.stack(self._maps)[..., None] == np.arange(256)
        places = _Places(layers.mean(axis=0))
        own = places.fit(_parts(self.scheme))
        orders = {name: load_scheme(name) for name in KNOWN_ORDERS}
        fits = {
            name: places.fit(_parts(order)) for name, order in orders.items()
            if len(order) > places.largest and order.names != self.scheme.names
        }  # fmt: skip
        best = max(fits, key=lambda name: fits[name], default="")
        if best and fits[best] >= max(own + BETTER_BY, RIGHT_ENOUGH):
            return (
                f"the labels fit the order of {best} better than that of {self.scheme.name}: of what holds of a face "
                f"(skin in the middle, brows above eyes), {fits[best]:.0%} holds in the one and {own:.0%} in the "
                f"other; import with the scheme {best}, or look at preview.png",
            )
        if places.sides_exchanged(_parts(self.scheme)):
            return (
                f"the left and right eyes of {self.scheme.name} seem to be exchanged: left is the subject's, which is "
                "seen at the right",
            )
        return ()


class _Places:
    """The share of each label at each pixel, float (S, S, 256), and what can be said of it."""

    def __init__(self, shares: NDArray[np.float64]) -> None:
        self.area = shares.mean(axis=(0, 1))
        at = np.arange(SIDE) / SIDE
        with np.errstate(invalid="ignore"):  # of values that no map holds
            self.x, self.y = (at @ shares.mean(axis=axis) / self.area for axis in (0, 1))
        middle, edge = slice(SIDE // 4, -SIDE // 4), slice(SIDE // 16, -SIDE // 16)
        self.middle = shares[middle, middle].sum(axis=(0, 1))
        self.rim = shares.sum(axis=(0, 1)) - shares[edge, edge].sum(axis=(0, 1))
        self.largest = int(np.flatnonzero(self.area).max(initial=0))

    def fit(self, parts: dict[str, int]) -> float:
        """The share of statements on faces that hold where the labels mean these parts."""
        there = {name: label for name, label in parts.items() if self.area[label] > LEAST_SHARE}
        skin = there.get("skin")
        held = [skin is not None and bool(self.middle[skin] >= self.middle.max()), "nose" in there]
        held += [self.y[there[a]] < self.y[there[b]] for a, b in ABOVE if a in there and b in there]
        if skin is not None:
            held += [self.area[label] < self.area[skin] for name, label in there.items() if name in SMALL]
        inner = [label for name, label in there.items() if name in (*SMALL, "skin") and name not in EARS]
        held += [self.rim[label] < 0.2 * self.rim.sum() for label in inner]
        return float(np.mean(held))

    def sides_exchanged(self, parts: dict[str, int]) -> bool:
        """Whether the subject's left eye lies at the left of its right one."""
        left, right = parts.get("l_eye"), parts.get("r_eye")
        if left is None or right is None or min(self.area[[left, right]]) <= LEAST_SHARE:
            return False
        return bool(self.x[left] < self.x[right])


def _parts(scheme: RegionScheme) -> dict[str, int]:
    return {LOWERED.get(name, name): label for label, name in enumerate(scheme.names)}
