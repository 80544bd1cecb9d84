"""The two functions of torchvision that facenet-pytorch's MTCNN uses, for machines where torchvision is not there.

facenet-pytorch asks for torchvision and takes only these: `to_tensor`, which it imports and does not need to find
faces, and `batched_nms`. torchvision's builds fit one build of torch each, and a broken one breaks others too, so it is
not asked for. `stand_in` shows the two to an import and takes them away again, so that nobody else takes them for
torchvision.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch

NAMES = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.ops",
         "torchvision.ops.boxes")  # fmt: skip


def to_tensor(picture: Any) -> torch.Tensor:
    """A picture (H, W, C), uint8 in 0 .. 255 or float, as a float tensor (C, H, W), uint8 brought to 0 .. 1."""
    array = np.array(picture)
    tensor = torch.from_numpy(array).permute(2, 0, 1).contiguous()
    return tensor.float() / 255 if array.dtype == np.uint8 else tensor


def batched_nms(boxes: torch.Tensor, scores: torch.Tensor, groups: torch.Tensor, limit: float) -> torch.Tensor:
    """Keep the best of boxes that overlap by an IoU above `limit`, each group for itself; indices by falling score.

    Boxes (N, 4) left, top, right, bottom; scores and groups (N,). As torchvision does: greedy, no + 1 to the sides.
    """
    left, top, right, bottom = boxes.unbind(1)
    area = (right - left) * (bottom - top)
    order = torch.argsort(scores, descending=True, stable=True)
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        width = (torch.minimum(right[best], right[rest]) - torch.maximum(left[best], left[rest])).clamp(min=0)
        height = (torch.minimum(bottom[best], bottom[rest]) - torch.maximum(top[best], top[rest])).clamp(min=0)
        shared = width * height
        same = groups[rest] == groups[best]
        order = rest[~(same & (shared / (area[best] + area[rest] - shared) > limit))]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64)


@contextmanager
def stand_in() -> Iterator[None]:
    """Let an import find torchvision: the real one where it can be imported, else these two functions."""
    try:
        importlib.import_module("torchvision.ops.boxes")
    except (ImportError, RuntimeError):  # RuntimeError: a build for another torch
        broken = [name for name in sys.modules if name.split(".")[0] == "torchvision"]
        for name in broken:
            del sys.modules[name]
    else:
        yield
        return
    modules: dict[str, Any] = {name: ModuleType(name) for name in NAMES}
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    modules["torchvision.transforms.functional"].to_tensor = to_tensor
    modules["torchvision.ops.boxes"].batched_nms = batched_nms
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in NAMES:
            sys.modules.pop(name, None)
