"""Weights alone in a safetensors file, with one JSON text in its metadata and the SHA-256 of both in it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from gan.errors import CheckpointError
from maskkit.files.regular import open_regular

_DIGEST = "sha256"


def encode_weights(weights: dict[str, Tensor], key: str, about: dict[str, Any]) -> bytes:
    """Give the bytes of a file, the same for the same tensors; `key` names the text in its metadata.

    It is the only one, because safetensors writes several in an order that changes from run to run.
    """
    return safetensors.torch.save(weights, {key: json.dumps({**about, _DIGEST: _digest(weights, about)})})


def read_weights(path: Path, key: str) -> tuple[dict[str, Tensor], Any]:
    """Read a file: its tensors on the CPU, and what its metadata say under `key`, None where they say nothing.

    Raises CheckpointError where it cannot be read, or is not what its SHA-256 says; files of old have none.
    """
    try:
        # Checked on the open file; safetensors opens it anew, and what it reads is compared with the digest.
        with open_regular(path), safetensors.safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(key)
            # Copied, or the weights would change with the file.
            weights = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is cut short or no safetensors file ({error})") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    if text is None:
        return weights, None
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the metadata {key} are not JSON ({error})") from error
    if isinstance(about, dict) and _DIGEST in about and about.pop(_DIGEST) != _digest(weights, about):
        raise CheckpointError(f"{path} is damaged: it is not what was written, by the SHA-256 in it")
    return weights, about


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """Give the SHA-256 of weights as safetensors stores them, without metadata."""
    return hashlib.sha256(safetensors.torch.save(weights)).hexdigest()


def _digest(weights: dict[str, Tensor], about: dict[str, Any]) -> str:
    return hashlib.sha256(f"{weights_sha256(weights)} {json.dumps(about, sort_keys=True)}".encode()).hexdigest()
