"""The systems that can be trained, by name, and what the training loop knows of them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from gan.computing.compute import Compute
from gan.computing.switches import Switches
from gan.data.batches import Rows
from gan.data.rows import Batch, DataDescription
from gan.names import SystemName
from gan.settings.run_settings import Settings
from gan.systems.scgan import SCGAN


class System(Protocol):
    """Networks, optimisers of those that learn in rounds, a round and a way to generate; the loop knows no loss."""

    optimisers: dict[str, torch.optim.Adam]
    base_rates: dict[str, float]
    switches: Switches

    @property
    def networks(self) -> Mapping[str, nn.Module]: ...

    def prepare(self, rows: Rows, on_step: Callable[[int, int], None]) -> bool:
        """Do what comes before the first round; give whether there was anything. `on_step` gets done and total."""

    def train_round(self, stream: Iterator[Batch], noise: torch.Generator) -> dict[str, Tensor]:
        """Do one round: batches in, weighted loss components by name out (scalars on the device)."""

    def generate(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        """Make images (N, 3, H, W) in [-1, 1]."""


SYSTEMS: dict[SystemName, type[SCGAN]] = {"scgan": SCGAN}


def build_system(settings: Settings, data: DataDescription, compute: Compute) -> System:
    """Make the untrained system that the settings name."""
    return SYSTEMS[settings.system](settings, data, compute)
