"""Where and how a run computes: device, precision, and its place among processes that train together."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn


class Compute:
    """What a system needs to know of device, precision and processes, and all it may ask of them.

    Random draws and data come for the whole batch in every process, and each takes its share, so that several
    processes follow one (to rounding).
    """

    def __init__(self, device: torch.device, precision: str = "32") -> None:
        self.device, self.precision = device, precision
        self.dtype = torch.float64 if precision == "64" else torch.float32

    def share(self, whole: Tensor) -> Tensor:
        """Give this process's rows of a tensor that holds the whole batch, on the device; floats in `dtype`."""
        return whole.to(self.device, self.dtype) if whole.is_floating_point() else whole.to(self.device)

    def autocast(self) -> AbstractContextManager[None]:
        """Let networks compute in bfloat16 where the precision says so."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def average_gradients(self, network: nn.Module) -> None:
        """Average a network's gradients over the processes."""
