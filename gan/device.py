"""The device to compute on."""

import resource
import sys

import torch

from gan.errors import InputError


def choose_device(name: str = "auto") -> torch.device:
    """Give the named device; "auto" is the first CUDA device if there is one, else the CPU. Raises InputError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"there is no device {name!r}; take auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"the device {name!r} is not supported; take auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"the device {name!r} is not there: {torch.cuda.device_count()} CUDA devices are found")
    return device


def most_memory(device: torch.device) -> int:
    """Give the most bytes in use so far: by tensors on a CUDA device, or by the whole process for the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
