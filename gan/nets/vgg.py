"""VGG19's maps, which tell how far apart two pictures look; the weights are torchvision's published ones."""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from gan.computing.published_files import broken_promise
from gan.errors import InputError
from maskkit.files.regular import read_regular
from maskkit.files.zip_checksums import damaged_part

# Channels of the convolutions up to the fifth group's first, "M" a halving; numbered as torchvision's `features`.
_LAYERS = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512)
_SHOWN = (1, 6, 11, 20, 29)  # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1
WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)  # of these maps in SPADE's loss


class VGG19(nn.Module):
    """Give five maps of pictures (N, 3, H, W) in [-1, 1], which SPADE's code does not norm further; never trained."""

    def __init__(self) -> None:
        super().__init__()
        rows: list[nn.Module] = []
        channels = 3
        for layer in _LAYERS:
            if isinstance(layer, str):
                rows.append(nn.MaxPool2d(2, 2))
            else:
                rows += [nn.Conv2d(channels, layer, 3, padding=1), nn.ReLU()]
                channels = layer
        self.features = nn.Sequential(*rows)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for number, row in enumerate(self.features):
            x = row(x)
            if number in _SHOWN:
                maps.append(x)
        return maps


def load_vgg19(path: Path) -> tuple[VGG19, Tensor]:
    """Load torchvision's state dict of vgg19, `.pth` or `.safetensors`; give the file's SHA-256 uint8 (32,) as well.

    Nothing in the file is executed. Raises InputError where it is something else, or not what its name promises:
    torchvision's files are called after their SHA-256, as vgg19-dcbb9e9d.pth.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        raise InputError(f"loss.vgg_weights: {path} cannot be read: {error.strerror or error}") from error
    digest = hashlib.sha256(content)
    if broken := broken_promise(path.name, digest.hexdigest()):
        raise InputError(
            f"loss.vgg_weights: {path} is damaged: {broken}; get it again, or rename it to have it read as it is"
        )
    given = _tensors(path, content)
    with torch.device("meta"):
        network = VGG19()
    weights = {}
    for key, expected in network.state_dict().items():
        found = given.get(key) if isinstance(given, dict) else None
        if not isinstance(found, Tensor) or found.shape != expected.shape or not _is_plain(found):
            shape = tuple(found.shape) if isinstance(found, Tensor) else "missing"
            raise InputError(
                f"loss.vgg_weights: {path} is no state dict of torchvision's vgg19: {key} is {shape}, and floats of "
                f"{tuple(expected.shape)} are needed"
            )
        weights[key] = found.float()
        if not weights[key].isfinite().all():
            raise InputError(f"loss.vgg_weights: {path} is damaged: {key} holds NaN or infinite values")
    network.load_state_dict(weights, assign=True)
    network.requires_grad_(False)
    return network, torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)


def _is_plain(tensor: Tensor) -> bool:
    """Say whether it holds floats one after the other: a file may also name tensors that are sparse, or have none."""
    return tensor.is_floating_point() and tensor.layout is torch.strided and tensor.device.type == "cpu"


def _tensors(path: Path, content: bytes) -> Any:
    try:
        if path.suffix.lower() == ".safetensors":
            return safetensors.torch.load(content)
        file = io.BytesIO(content)
        if damaged := damaged_part(file):
            raise ValueError(damaged)
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(f"loss.vgg_weights: {path} is no file of tensors alone and is not opened") from error
    except Exception as error:  # the readers of torch's two formats stumble over damage in their own many ways
        raise InputError(f"loss.vgg_weights: {path} is damaged or holds no tensors") from error
