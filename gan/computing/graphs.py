"""A round's work on a CUDA device as one graph, which costs the host one launch in place of thousands."""

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

WARM_UP = 3  # rounds that run as they are: kernels are chosen and compiled, Adam makes its moments

Inputs = TypeVar("Inputs", bound=tuple[Tensor, ...])

log = logging.getLogger(__name__)


class GraphedRound(Generic[Inputs]):
    """Computes rounds as `learn` does: the first ones by it, then by replaying what a capture of it has recorded.

    `learn` works on the device alone, on tensors whose shapes never change, and always with the same weights and
    moments in the same places; a checkpoint must have been restored before the first round. It gives scalars by name.
    """

    def __init__(self, learn: Callable[[Inputs], dict[str, Tensor]], device: torch.device) -> None:
        self.learn, self.device = learn, device
        self.rounds = 0
        self.refused = False
        # Capturing is not allowed on the stream that all work is on by default.
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.graph = torch.cuda.CUDAGraph()
        self.inputs: Inputs | None = None
        self.names: list[str] = []
        self.values: Tensor | None = None

    def __call__(self, inputs: Inputs) -> dict[str, Tensor]:
        """Compute one round."""
        self.rounds += 1
        if self.rounds <= WARM_UP or self.refused:
            return self._warm_up(inputs)
        if self.inputs is None:
            try:
                self._capture(inputs)
            except RuntimeError as error:  # nothing was computed, so the round can still be
                self.refused = True
                log.warning("a round cannot be captured as a CUDA graph (%s); rounds run step by step", error)
                return self._warm_up(inputs)
        else:
            for place, tensor in zip(self.inputs, inputs, strict=True):
                place.copy_(tensor, non_blocking=True)
        self.graph.replay()
        if self.values is None:
            raise RuntimeError("nothing was captured")
        # The next replay writes to the same place.
        return dict(zip(self.names, self.values.clone().unbind(), strict=True))

    def _warm_up(self, inputs: Inputs) -> dict[str, Tensor]:
        """Compute a round as it is, on the stream that the capture will be on."""
        outside = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(outside)
        with torch.cuda.stream(self.stream):
            found = self.learn(inputs)
        outside.wait_stream(self.stream)
        for tensor in found.values():
            tensor.record_stream(outside)
        return found

    def _capture(self, inputs: Inputs) -> None:
        """Record a round; nothing is computed yet."""
        self.inputs = type(inputs)(*(tensor.clone() for tensor in inputs))
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        # Other threads, such as a loader's that pins memory, may go on meanwhile.
        with torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"):
            found = self.learn(self.inputs)
            self.values = torch.stack(list(found.values()))
        self.names = list(found)
