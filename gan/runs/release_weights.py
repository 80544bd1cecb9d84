"""Weights that the public SCGAN release saves, `{epoch}_{iteration}_{G,D,A}.pth`, in this package's networks."""

import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
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
from gan.settings.run_settings import RunSettings
from gan.systems import system_class
from gan.systems.scgan_release import RELEASED, attributes_taken
from maskkit.building.celeba import ATTRIBUTES
from maskkit.files.regular import open_regular
from maskkit.files.zip_checksums import damaged_part

_NAME = re.compile(r"(\d{1,9})_(\d{1,9})_[GDA]\.pth")
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_FASHION = "deepfashion"


def load_release(
    path: str | Path, attributes: Sequence[str] = ATTRIBUTES, scheme: str = "scgan", device: str = "cpu"
) -> LoadedGenerator:
    """Load the release's generator, `*_G.pth`; `attributes` names its n_c attributes in order.

    Which index its layouts give to which region is not documented: `scheme` is an assumption, and the channels of
    layouts may have to be reordered. With "deepfashion" the attributes are colours, of which an image has exactly one,
    and layouts and images lie on their side: `generator(z, c, s.mT).mT`.
    Raises CheckpointError naming file and key, InputError or maskkit's SchemeError.
    """
    path, data = Path(path), _describe(attributes, scheme)
    settings = _settings(["loss.cls=softmax"] if data.scheme.name == _FASHION else [])
    state = _read(path)
    n_c = attributes_taken(state, settings.n_z)
    if n_c not in (None, data.n_c):  # where there is none, the check of all tensors has a sentence for it
        named = ", ".join(data.attribute_names) or "none"
        raise InputError(f"{path}: this generator takes {n_c} attributes, and {data.n_c} are named ({named})")
    network = _fill(path, "G", settings, data, state)
    return LoadedGenerator(network, About(settings, data, step=0, note=_note(path, data)), choose_device(device))


def load_release_segmentor(path: str | Path, scheme: str = "scgan", device: str = "cpu") -> nn.Module:
    """Load the release's segmentor, `*_A.pth`, by which it scores: images (N, 3, H, W) in [-1, 1] -> (N, n_s, H, W).

    The order of its regions is that of `load_release`'s layouts. Raises CheckpointError naming file and key.
    """
    path, data = Path(path), _describe((), scheme)
    network = _fill(path, "A", _settings(), data, _read(path))
    return network.to(choose_device(device)).eval().requires_grad_(False)


def load_release_critic(path: str | Path, attributes: Sequence[str] = ATTRIBUTES, device: str = "cpu") -> nn.Module:
    """Load the release's critic, `*_D.pth`: images (N, 3, 128, 128) -> score map (N, 1, 2, 2), logits (N, n_c).

    Raises CheckpointError naming file and key.
    """
    path, data = Path(path), _describe(attributes, "scgan")
    network = _fill(path, "D", _settings(), data, _read(path))
    return network.to(choose_device(device)).eval().requires_grad_(False)


def _settings(overrides: Sequence[str] = ()) -> RunSettings:
    return load_preset("release", overrides)


def _describe(attributes: Sequence[str], scheme: str) -> DataDescription:
    names = tuple(attributes)
    if len(set(names)) < len(names):
        raise InputError(f"two attributes have the same name: {', '.join(names)}")
    return DataDescription(_settings().data.size, maskkit.load_scheme(scheme), names, rows=0)


def _note(path: Path, data: DataDescription) -> str:
    """Say where the weights come from, how long they have learned, and what is assumed."""
    name = _NAME.fullmatch(path.name)
    learned = "after an unknown number of steps"
    if name:
        # How many make an epoch depends on data and batch, which no file tells; five are a step.
        learned = f"after iteration {int(name[2])} of epoch {int(name[1])}, by the file's name"
    lying = "; trained as the release reads that data, it takes layouts and gives pictures that lie on their side"
    return (
        f"Converted from {path.name} of the public SCGAN release, saved {learned}. The order of its regions is not "
        f"documented; the scheme {data.scheme.name} is assumed{lying if data.scheme.name == _FASHION else ''}."
    )


def _read(path: Path) -> dict[Any, Any]:
    try:
        # torch warns of a TorchScript archive, which is refused.
        with open_regular(path) as file, warnings.catch_warnings(action="ignore"):
            if damaged := damaged_part(file):
                raise CheckpointError(f"{path} is damaged: its part {damaged} is not what was written")
            content = torch.load(file, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # the readers of torch's two formats stumble over damage in their own many ways
        # To the option that would run the code in a file, torch's own words are an invitation.
        if isinstance(error, pickle.UnpicklingError) or "weights_only" in str(error):
            raise CheckpointError(f"{path} is no file of tensors and plain types alone and is not opened") from error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path} is damaged or no file of weights ({reason})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is no file of weights: it holds a {type(content).__name__}")
    for key, tensor in content.items():
        if isinstance(tensor, Tensor) and (kind := _unusual(tensor)):
            raise CheckpointError(f"{path}: the key {key} holds a {kind} tensor; weights are saved dense")
    return content


def _unusual(tensor: Tensor) -> str:
    """Name what keeps a tensor from being compared and computed with; empty for a usual one."""
    if tensor.is_meta:
        return "meta"
    if tensor.is_nested:
        return "nested"
    return "" if tensor.layout is torch.strided else str(tensor.layout).removeprefix("torch.")


def _fill(path: Path, letter: str, settings: RunSettings, data: DataDescription, state: Mapping[Any, Any]) -> nn.Module:
    """Build a network and give it the release's weights; errors name the release's keys."""
    where, released = f"{path}: network {letter}", RELEASED[letter]
    with torch.device("meta"):
        network = system_class(settings.system).build(settings, data)[released.name]()
    unused, ours = released.unused(network), network.state_dict()
    twins = {key: twin for key in state if (twin := released.twin(key))}
    given = {key: tensor for key, tensor in state.items() if key not in unused and key not in twins}
    check_tensors(where, given, {released.key(key): tensor for key, tensor in ours.items()})
    for key, twin in twins.items():
        if twin not in given:
            raise CheckpointError(f"{where}: the key {key} is foreign")
        if not (isinstance(state[key], Tensor) and torch.equal(state[key].to(given[twin].dtype), given[twin])):
            raise CheckpointError(f"{where}: the key {key} must equal {twin}, and does not")
    weights = {key: _as_float(f"{where}: the key {released.key(key)}", given[released.key(key)]) for key in ours}
    network.load_state_dict(weights, assign=True)
    return network


def _as_float(where: str, tensor: Tensor) -> Tensor:
    if tensor.dtype not in _FLOATS:
        raise CheckpointError(f"{where} holds {str(tensor.dtype).removeprefix('torch.')}, not floats of 16 to 64 bits")
    weights = tensor.float()
    finite = weights.isfinite()
    if not finite.all():
        raise CheckpointError(f"{where} holds {tensor[~finite][0].item():g}, and weights must be finite as float32")
    return weights
