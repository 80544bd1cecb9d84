"""The device to compute on."""

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
