"""Weights of the public SCGAN release: its files `*_G.pth`, `*_D.pth`, `*_A.pth` in this package's networks."""

import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import maskkit
from gan.computing.device import choose_device
from gan.data.description import DataDescription
from gan.errors import CheckpointError, InputError
from gan.runs.checkpoint import check_tensors
from gan.runs.generator_file import About
from gan.runs.loading import LoadedGenerator
from gan.runs.presets import load_preset
from gan.systems.scgan import build_critic, build_generator, build_segmentor
from gan.systems.scgan_settings import ScganSettings
from maskkit.building.celeba import ATTRIBUTES
from maskkit.files.regular import open_regular

# Layers of ours by the release's names. G joins s, z, c in this order; so does ours.
_GENERATOR = {
    **{f"encoder.{i}.{j}": f"model_s.{3 * i + j}" for i in range(4) for j in (0, 1)},
    **{f"blocks.{i}.main.{j}": f"model1.{i}.model.{j}" for i in range(4) for j in (0, 1, 4, 5)},
    **{f"blocks.{i}.shortcut.0": f"model1.{i}.bypass.1" for i in range(4)},
    "blocks.4.0": "model1.4",
    "to_image.0": "model1.6",
}
# The release's modules keep some layers under two names, and so do its files.
_TWINS = {
    **{f"model1.{i}.conv1": f"model1.{i}.model.0" for i in range(4)},
    **{f"model1.{i}.conv2": f"model1.{i}.model.4" for i in range(4)},
    **{f"model1.{i}.conv_sc": f"model1.{i}.bypass.1" for i in range(4)},
    "final": "model1.6",
}
_CRITIC = {**{f"trunk.{i}.0": f"main.{2 * i}" for i in range(6)}, "score": "conv1", "attributes": "conv2"}
_SEGMENTOR = {
    **{f"stem.{j}": f"main.{j}" for j in (0, 1)},
    **{f"down.{i}.{j}": f"main.{3 + 3 * i + j}" for i in range(2) for j in (0, 1)},
    **{f"blocks.{i}.main.{j}": f"main.{9 + i}.main.{j}" for i in range(4) for j in (0, 1, 3, 4)},
    **{f"up.{i}.{j}": f"main.{13 + 3 * i + j}" for i in range(2) for j in (0, 1)},
    "out": "main.19",
}


def load_release(
    path: str | Path, attributes: Sequence[str] = ATTRIBUTES, scheme: str = "scgan", device: str = "cpu"
) -> LoadedGenerator:
    """Load the release's generator, `*_G.pth`; `attributes` names its n_c attributes in order.

    Which index its layouts give to which region is not documented: `scheme` is an assumption, and the channels of
    layouts may have to be reordered. With "deepfashion" the attributes are colours, of which an image has exactly one.
    Raises CheckpointError naming file and key, InputError or maskkit's SchemeError.
    """
    path, data = Path(path), _describe(attributes, scheme)
    settings = _settings(["loss.cls=softmax"] if data.scheme.name == "deepfashion" else [])
    state = _read(path)
    _check_attributes(path, state.get("model1.0.model.0.weight"), data, settings.n_z)
    network = _fill(f"{path}: network G", build_generator, settings, data, _without_twins(path, state), _GENERATOR)
    note = (
        f"Converted from {path.name} of the public SCGAN release after an unknown number of steps. The order of its "
        f"regions is not documented; the scheme {data.scheme.name} is assumed."
    )
    return LoadedGenerator(network, About(settings, data, step=0, note=note), choose_device(device))


def load_release_segmentor(path: str | Path, scheme: str = "scgan", device: str = "cpu") -> nn.Module:
    """Load the release's segmentor, `*_A.pth`, by which it scores: images (N, 3, H, W) in [-1, 1] -> (N, n_s, H, W).

    The order of its regions is that of `load_release`'s layouts. Raises CheckpointError naming file and key.
    """
    path, data = Path(path), _describe((), scheme)
    network = _fill(f"{path}: network A", build_segmentor, _settings(), data, _read(path), _SEGMENTOR)
    return network.to(choose_device(device)).eval().requires_grad_(False)


def load_release_critic(path: str | Path, attributes: Sequence[str] = ATTRIBUTES, device: str = "cpu") -> nn.Module:
    """Load the release's critic, `*_D.pth`: images (N, 3, 128, 128) -> score map (N, 1, 2, 2), logits (N, n_c).

    Raises CheckpointError naming file and key.
    """
    path, data = Path(path), _describe(attributes, "scgan")
    network = _fill(f"{path}: network D", build_critic, _settings(), data, _read(path), _CRITIC)
    return network.to(choose_device(device)).eval().requires_grad_(False)


def _settings(overrides: Sequence[str] = ()) -> ScganSettings:
    return ScganSettings.model_validate(load_preset("release", overrides).model_dump())


def _describe(attributes: Sequence[str], scheme: str) -> DataDescription:
    names = tuple(attributes)
    if len(set(names)) < len(names):
        raise InputError(f"two attributes have the same name: {', '.join(names)}")
    return DataDescription(_settings().data.size, maskkit.load_scheme(scheme), names, rows=0)


def _read(path: Path) -> dict[Any, Any]:
    try:
        with open_regular(path) as file:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path} is no file of tensors and plain types alone and is not opened") from error
    except Exception as error:  # the readers of torch's two formats stumble over damage in their own many ways
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path} is damaged or no file of weights ({reason})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is no file of weights: it holds a {type(content).__name__}")
    return content


def _check_attributes(path: Path, first: Any, data: DataDescription, n_z: int) -> None:
    """Say how many attributes the file's generator takes, where that is not as many as are named."""
    if not isinstance(first, Tensor) or first.ndim != 4:
        return  # the check of all tensors has a sentence for it
    n_c = first.shape[1] - first.shape[0] - n_z
    if n_c != data.n_c:
        named = ", ".join(data.attribute_names) or "none"
        raise InputError(f"{path}: this generator takes {n_c} attributes, and {data.n_c} are named ({named})")


def _without_twins(path: Path, state: Mapping[Any, Any]) -> dict[Any, Any]:
    """Drop what a file holds a second time. Raises CheckpointError where the two differ."""
    kept = {}
    for key, tensor in state.items():
        layer, _, kind = str(key).rpartition(".")
        if layer not in _TWINS:
            kept[key] = tensor
            continue
        original = state.get(f"{_TWINS[layer]}.{kind}")
        if not (isinstance(tensor, Tensor) and isinstance(original, Tensor) and torch.equal(tensor, original)):
            raise CheckpointError(f"{path}: the key {key} must equal {_TWINS[layer]}.{kind}, and does not")
    return kept


def _fill(
    where: str,
    build: Callable[[ScganSettings, DataDescription], nn.Module],
    settings: ScganSettings,
    data: DataDescription,
    state: dict[Any, Any],
    names: Mapping[str, str],
) -> nn.Module:
    """Build a network and give it the release's weights; errors name the release's keys."""
    with torch.device("meta"):
        network = build(settings, data)
    theirs = {}
    for key in network.state_dict():
        layer, _, kind = key.rpartition(".")
        theirs[key] = f"{names[layer]}.{kind}"
    check_tensors(where, state, {theirs[key]: tensor for key, tensor in network.state_dict().items()})
    network.load_state_dict({key: state[theirs[key]].float() for key in theirs}, assign=True)
    return network
