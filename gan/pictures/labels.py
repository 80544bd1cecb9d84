"""Attributes as a person names them: what may be asked of a generator, and the labels that its panels show."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from gan.errors import InputError
from gan.runs.loading import LoadedGenerator
from maskkit.building.celeba import ATTRIBUTES

HAIR = {"Black_Hair": "black hair", "Blond_Hair": "blond hair", "Brown_Hair": "brown hair"}


class Label(NamedTuple):
    """Attributes `c` float32 (n_c,) with the words that stand for them, a line each."""

    words: tuple[str, ...]
    c: Tensor


def one_of_n(generator: LoadedGenerator) -> bool:
    """Say whether every image has exactly one of the attributes (DeepFashion's colours) and not any of them."""
    return generator.settings.attribute_kind == "softmax"


def chosen_attributes(generator: LoadedGenerator, names: Iterable[str]) -> Tensor:
    """Give c (n_c,) with 1 for the named attributes. Raises InputError for unknown names, or not one of n classes."""
    c = generator.attributes(names)
    if one_of_n(generator) and c.sum() != 1:
        raise InputError(
            f"an image has exactly one of this run's attributes, and {int(c.sum())} are named; "
            f"name one of {', '.join(generator.attribute_names)}"
        )
    return c


def label_panel(generator: LoadedGenerator) -> list[Label]:
    """Give the labels that a panel goes through.

    For CelebA's five attributes the 12 of the SCGAN paper, hair x gender x age; otherwise each attribute alone, which
    for one-of-n data is each class. One empty label where there are no attributes.
    """
    names = generator.attribute_names
    if not one_of_n(generator) and sorted(names) == sorted(ATTRIBUTES):
        return [
            Label(
                (HAIR[hair], "male" if male else "female", "young" if young else "old"),
                generator.attributes([hair, *["Male"] * male, *["Young"] * young]),
            )
            for hair, male, young in product(HAIR, (True, False), (True, False))
        ]
    if not names:
        return [Label(("no attributes",), torch.zeros(0))]
    return [Label((name,), generator.attributes([name])) for name in names]


def labels_of(generator: LoadedGenerator, asked: Sequence[Sequence[str]], count: int) -> list[Label]:
    """Give a label for each list of names asked for; if none are, `count` spread evenly over the panel's.

    A generator that takes no attributes has `count` empty labels, or one where it takes no z either, for all pictures
    would be the same. Raises InputError where some are asked for.
    """
    if "c" not in generator.takes:
        if asked:
            generator.need("c", what="none can be asked for")
        return [Label((f"{i + 1}",), torch.zeros(0)) for i in range(count if "z" in generator.takes else 1)]
    if asked:
        return [Label(tuple(names) or ("no attribute",), chosen_attributes(generator, names)) for names in asked]
    panel = label_panel(generator)
    return [panel[i * len(panel) // count] for i in range(count)]
