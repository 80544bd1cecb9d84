"""What generators are fed."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gan.errors import InputError

WORDS = {"z": "latents", "c": "attributes", "s": "layouts", "x": "pictures"}


class Given(NamedTuple):
    """What a generator may be fed, a batch: each of its own kind, or None.

    `z` latents (N, n_z); `c` attributes (N, n_c); `s` one-hot layouts (N, n_s, H, W); `x` pictures (N, 3, H, W) in
    [-1, 1]. A generator takes some of them, always in this order.
    """

    z: Tensor | None = None
    c: Tensor | None = None
    s: Tensor | None = None
    x: Tensor | None = None

    def inputs(self, takes: Sequence[str]) -> tuple[Tensor, ...]:
        """Give those that a generator takes, in its order. Raises InputError where one is missing."""
        found = []
        for name in takes:
            tensor: Tensor | None = getattr(self, name)
            if tensor is None:
                raise InputError(f"this generator takes {WORDS[name]} ({name}), and none are given")
            found.append(tensor)
        return tuple(found)

    def part(self, rows: slice) -> "Given":
        """Give some of the rows."""
        return Given(*(None if tensor is None else tensor[rows] for tensor in self))


def draw_latents(count: int, n_z: int, seed: int) -> Tensor:
    """Draw standard normal latents (count, n_z), the same on every device. Raises InputError for a wrong seed."""
    if not 0 <= seed < 2**63:
        raise InputError(f"the seed {seed} is out of range; take one from 0 to 2**63 - 1")
    return torch.randn(count, n_z, generator=torch.Generator().manual_seed(seed))
