"""The averaged generator: weights that follow those in training slowly, and make calmer pictures."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """The exponential moving average of a network's weights, which starts from them."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network, self.decay = network, decay
        self.weights: dict[str, Tensor] = copy.deepcopy(network.state_dict())

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the weights after `step` steps.

        The decay rises to the one asked for as (1 + step) / (10 + step), so that the first weights are soon forgotten.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, now in self.network.state_dict().items():
            if now.is_floating_point():
                self.weights[name].lerp_(now, 1 - decay)
            else:
                self.weights[name].copy_(now)  # a count, such as of batches seen, has no mean

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the network compute with the average while the block runs."""
        learned = copy.deepcopy(self.network.state_dict())
        self.network.load_state_dict(self.weights)
        try:
            yield
        finally:
            self.network.load_state_dict(learned)
