"""A kind of file, and digests of what its users get from it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Kind:
    """A kind of file. `use(folder)` gives all that its users get from `folder/file`, or raises a MaskkitError.

    `own` ones are a user's, in a format without checksums: there another value may pass for what the user wrote.
    """

    name: str
    file: str
    use: Callable[[Path], Any]
    own: bool = False


def digest(value: Any) -> str:
    """A SHA-256 of arrays, tensors and plain types in lists and dictionaries."""
    return hashlib.sha256(repr(_plain(value)).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest())
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
