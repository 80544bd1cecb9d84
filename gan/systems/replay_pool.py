"""A pool of earlier fakes, half of which a critic learns from in place of the newest (Shrivastava et al. 2017)."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from gan.errors import CheckpointError


class Decisions(NamedTuple):
    """What becomes of each fake of a batch: the place (N,) int64 it is about, whether it is `kept` there (N,) bool.

    And whether it is `swapped` (N,) bool: what lay there is shown in its stead.
    """

    place: Tensor
    kept: Tensor
    swapped: Tensor


class ReplayPool:
    """Up to `size` earlier fakes of a shape (C, H, W). What becomes of the next ones is decided on the host."""

    def __init__(self, size: int, shape: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> None:
        self.images = torch.zeros(size, *shape, device=device, dtype=dtype)
        self.filled = 0

    def decide(self, count: int, noise: torch.Generator) -> Decisions:
        """Draw for `count` fakes: all are kept until the pool is full, then each with a chance of one half."""
        size = len(self.images)
        place, swapped = torch.randint(size, (count,), generator=noise), torch.rand(count, generator=noise) > 0.5
        new = max(0, min(count, size - self.filled))  # go into places that are empty
        place[:new], swapped[:new] = torch.arange(self.filled, self.filled + new), False
        self.filled += new
        kept = swapped.clone()
        kept[:new] = True
        return Decisions(place, kept, swapped)

    def query(self, fakes: Tensor, decisions: Decisions) -> Tensor:
        """Give what is shown in place of fakes (N, C, H, W), which are kept as decided; one after the other."""
        shown = []
        for i in range(len(fakes)):
            place, kept, swapped = (tensor[i : i + 1] for tensor in decisions)
            old, new = self.images.index_select(0, place), fakes[i : i + 1]
            shown.append(torch.where(swapped[:, None, None, None], old, new))
            self.images.index_copy_(0, place, torch.where(kept[:, None, None, None], new, old))
        return torch.cat(shown)

    def state(self, name: str) -> dict[str, Tensor]:
        """Give what a resume needs."""
        return {f"{name}/images": self.images, f"{name}/filled": torch.tensor(self.filled)}

    def load_state(self, name: str, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave. Raises CheckpointError."""
        images, filled = state.get(f"{name}/images"), state.get(f"{name}/filled")
        if images is None or filled is None or images.shape != self.images.shape or filled.numel() != 1:
            shape = None if images is None else tuple(images.shape)
            raise CheckpointError(
                f"the checkpoint's pool {name} has the shape {shape}, and {tuple(self.images.shape)} is needed, with "
                "a number of images"
            )
        if not 0 <= int(filled) <= len(images):
            raise CheckpointError(f"the checkpoint's pool {name} of {len(images)} holds {int(filled)} images")
        self.images.copy_(images)
        self.filled = int(filled)
