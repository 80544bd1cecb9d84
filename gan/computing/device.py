"""The device to compute on."""

import os
import resource
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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


def free_memory(device: torch.device) -> int:
    """Give the bytes that can still be taken: of a CUDA device, or of the machine for the CPU."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")  # counts what Linux would give up for it, such as files it remembers
    if meminfo.exists():
        lines = dict(line.split(":") for line in meminfo.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def sent(content: Tensor | NDArray[np.generic], device: torch.device) -> Tensor:
    """Give what lies on the host on the device; the host does not wait until a CUDA device has it."""
    there = torch.as_tensor(content)
    if device.type != "cuda" or there.numel() == 0:
        return there.to(device)
    return there.pin_memory().to(device, non_blocking=True)
