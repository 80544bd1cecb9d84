"""CUDA without a GPU: tensors that have a shape, a type and the device cuda:0, and no values.

PyTorch's dispatcher checks and computes these three for every operation under `FakeTensorMode`, as it would for real
tensors on a GPU, in a build of torch for CUDA on any machine. What asks the driver of a GPU is answered here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.autograd.graph import Node, get_gradient_edge

CUDA = torch.device("cuda", 0)
NEEDS_CUDA_BUILD = pytest.mark.skipif(
    torch.version.cuda is None, reason="needs a build of torch for CUDA, with or without a GPU (docs/performance.md)"
)
ROOM = 2**36  # bytes of memory, free and in all

Grads = list[Tensor | None]


@contextmanager
def fake_cuda() -> Iterator[FakeTensorMode]:
    """Let what the block makes be without values, and a CUDA device be there for it.

    Tensors made before count as what they are, so that one on the host is refused beside one on the device. Reading a
    value (`item`) raises DataDependentOutputException: a round must ask nothing of the device.
    """
    stream = SimpleNamespace(wait_event=lambda event: None, record_event=lambda: None, wait_stream=lambda other: None)
    answers: list[tuple[Any, str, Any]] = [
        (torch.Tensor, "pin_memory", _pinned),
        (torch.Tensor, "record_stream", lambda tensor, stream: None),
        # torch would copy the mode with the tensor, and the garbage collector then falls over the copy.
        (FakeTensor, "__deepcopy__", lambda tensor, memo: tensor.detach().clone()),
        (torch.cuda, "Stream", lambda device: stream),
        (torch.cuda, "current_stream", lambda device: stream),
        (torch.cuda, "stream", lambda stream: nullcontext()),
        (torch.cuda, "CUDAGraph", SimpleNamespace),
        (torch.cuda, "mem_get_info", lambda device: (ROOM, ROOM)),
        (torch.cuda, "get_device_capability", lambda device: (9, 0)),
        # Without these two, autocast is off where no GPU is found, and says so in a warning only.
        (torch.cuda.amp.common, "amp_definitely_not_available", lambda: False),
        (torch.cuda, "is_bf16_supported", lambda: True),
        (torch.autograd, "_engine_run_backward", run_backward),
        (nn.Module, "_apply", _apply),
    ]
    with pytest.MonkeyPatch.context() as patch, FakeTensorMode(allow_non_fake_inputs=True) as mode:
        for owner, name, answer in answers:
            patch.setattr(owner, name, answer)
        yield mode


@contextmanager
def values_read_as(number: float) -> Iterator[None]:
    """Let reading tensors without values, of up to one dimension, give the number; outside of rounds it is no fault."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "item", lambda tensor: number)
        patch.setattr(Tensor, "__bool__", lambda tensor: bool(number))
        patch.setattr(Tensor, "tolist", lambda tensor: [number] * len(tensor))
        yield


def _pinned(tensor: Tensor) -> Tensor:
    if tensor.device.type != "cpu":
        raise RuntimeError(f"only tensors on the host can be pinned, not on {tensor.device}")
    return tensor


def _apply(module: nn.Module, act: Any, recurse: bool = True) -> nn.Module:
    """Do what `Module.to` needs: torch would swap a parameter's content, and refuses that for fakes it remembers."""
    for child in module.children() if recurse else ():
        child._apply(act)
    with torch.no_grad():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(act(parameter), parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = act(buffer)
    return module


def run_backward(
    outputs: Sequence[Tensor],
    slopes: Sequence[Tensor],
    keep_graph: bool,
    create_graph: bool,
    inputs: Sequence[Tensor],
    allow_unreachable: bool = True,
    accumulate_grad: bool = True,
) -> tuple[Tensor | None, ...]:
    """Go back through the graph node by node, as autograd's engine does, which waits on streams of a real device.

    Every node is the real one. Hooks of tensors are not called, and nothing is freed.
    """
    start = [get_gradient_edge(output) for output in outputs]
    wanted = [get_gradient_edge(tensor) for tensor in inputs]
    waiting = _edges_into([edge.node for edge in start])
    arrived: defaultdict[Node, dict[int, Tensor]] = defaultdict(dict)
    for edge, slope in zip(start, slopes, strict=True):
        _add(arrived[edge.node], edge.output_nr, _fitting(slope, edge.node, edge.output_nr))
    ready = list(dict.fromkeys(edge.node for edge in start if not waiting[edge.node]))
    with torch.set_grad_enabled(create_graph):
        while ready:
            node = ready.pop()
            for (following, place), grad in zip(node.next_functions, _called(node, arrived[node], inputs), strict=True):
                if following is None:
                    continue
                if grad is not None:
                    _add(arrived[following], place, _fitting(grad, following, place))
                waiting[following] -= 1
                if not waiting[following]:
                    ready.append(following)
    found = tuple(arrived[edge.node].get(edge.output_nr) for edge in wanted)
    if None in found and not allow_unreachable:
        raise RuntimeError("One of the differentiated Tensors appears to not have been used in the graph")
    return () if accumulate_grad else found


def _edges_into(roots: Sequence[Node]) -> Counter[Node]:
    """Count for each node of the graph the edges that lead to it; what holds it keeps all nodes alive."""
    edges, left = Counter[Node](dict.fromkeys(roots, 0)), list(dict.fromkeys(roots))
    while left:
        for following, _ in left.pop().next_functions:
            if following is not None:
                if following not in edges:
                    left.append(following)
                edges[following] += 1
    return edges


def _called(node: Node, arrived: dict[int, Tensor], inputs: Sequence[Tensor]) -> Grads:
    """Give the gradients that a node sends on; one that fills `.grad` only does it where no inputs are asked for."""
    is_leaf = not node.next_functions
    if not arrived or (is_leaf and inputs):
        return [None] * len(node.next_functions)
    grads = [arrived.get(place) for place in range(len(node._input_metadata))]
    written_in_python = isinstance(node, torch.autograd.function.BackwardCFunction)
    given = node.apply(*grads) if written_in_python else node(*grads)
    return list(given) if isinstance(given, tuple) else [] if is_leaf else [given]


def _add(grads: dict[int, Tensor], place: int, grad: Tensor) -> None:
    grads[place] = grads[place] + grad if place in grads else grad


def _fitting(grad: Tensor, node: Node, place: int) -> Tensor:
    """Give a gradient the shape and type of the tensor it belongs to, as the engine does, and refuse another device."""
    expected = node._input_metadata[place]
    if grad.device != expected.device and grad.dim():
        raise RuntimeError(f"{node.name()} got a gradient on {grad.device}, and its tensor lies on {expected.device}")
    if grad.shape != expected.shape:
        grad = grad.sum_to_size(expected.shape)
    return grad.to(expected.device, expected.dtype)
