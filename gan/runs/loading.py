"""Trained networks from a run folder, a checkpoint file or an exported file, with what is needed to use them."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

import maskkit
from gan.computing.device import choose_device
from gan.errors import InputError, RunError
from gan.runs.checkpoint import Checkpoint, check_tensors, load_checkpoint, load_newest
from gan.runs.generator_file import About, read_generator
from gan.runs.run_folder import read_settings
from gan.settings.run_settings import Settings
from gan.systems.latents import draw_latents
from gan.systems.scgan import build_generator, build_segmentor

EXPORTED = ".safetensors"


class LoadedGenerator(nn.Module):
    """A trained generator with its settings, to be called as `generator(z, c, s)`.

    `z` float (N, n_z), `c` float (N, n_c), `s` one-hot (N, n_s, size, size) -> float32 (N, 3, size, size) in [-1, 1],
    on the generator's device and without gradients. Takes `network` over: moves it to `device` and freezes it.
    """

    def __init__(self, network: nn.Module, about: About, device: torch.device) -> None:
        super().__init__()
        self.about = about
        self.settings = about.settings
        self.scheme: maskkit.RegionScheme = about.data.scheme
        self.attribute_names = about.data.attribute_names
        self.size = about.data.size
        self.step = about.step
        self.network = network
        self.to(device).eval().requires_grad_(False)

    @property
    def n_z(self) -> int:
        """Length of the latent vector."""
        return self.settings.generator.n_z

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """What the weights are, and the inputs are turned into."""
        return next(self.parameters()).dtype

    @torch.no_grad()
    def forward(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        """Make images. Raises InputError where a shape does not fit."""
        wanted = {
            "z": (z, (len(z), self.n_z)),
            "c": (c, (len(z), len(self.attribute_names))),
            "s": (s, (len(z), len(self.scheme), self.size, self.size)),
        }
        for name, (tensor, shape) in wanted.items():
            if tensor.shape != shape:
                raise InputError(f"{name} has the shape {tuple(tensor.shape)}, and this generator needs {shape}")
        images: Tensor = self.network(*(tensor.to(self.device, self.dtype) for tensor in (z, c, s)))
        return images

    def draw_z(self, count: int, seed: int) -> Tensor:
        """Draw standard normal latents (count, n_z), the same on every device. Raises InputError for a wrong seed."""
        return draw_latents(count, self.n_z, seed)

    def attributes(self, present: Iterable[str]) -> Tensor:
        """Give c (n_c,) with 1 for the named attributes and 0 for the others. Raises InputError for unknown names."""
        names = tuple(present)
        for name in names:
            if name not in self.attribute_names:
                known = ", ".join(self.attribute_names) or "none"
                raise InputError(f"the generator knows no attribute {name!r}; it knows {known}")
        return torch.tensor([float(name in names) for name in self.attribute_names])


def load_generator(run_or_file: str | Path, device: str = "cpu") -> LoadedGenerator:
    """Load the generator of a run folder (its newest checkpoint), a checkpoint file or an exported `.safetensors` file.

    Its averaged weights where there are any, as float32. Raises RunError where there is nothing, CheckpointError naming
    file and key where it does not fit.
    """
    path, target = Path(run_or_file), choose_device(device)
    if _is_exported(path):
        return _load_exported(path, target)
    checkpoint, settings = _load(path)
    network = build_generator(settings, checkpoint.data)
    checkpoint.fill_generator(network)
    return LoadedGenerator(
        network, About(settings, checkpoint.data, checkpoint.step, checkpoint.versions), target
    )  # fmt: skip


def load_segmentor(run_or_file: str | Path, device: str = "cpu") -> nn.Module:
    """Load the segmentor that a run trained: images (N, 3, H, W) in [-1, 1] -> logits (N, n_s, H, W).

    Raises RunError where there is none.
    """
    path = Path(run_or_file)
    if _is_exported(path):
        raise RunError(f"{path} holds a generator and no segmentor; name the run's folder or a checkpoint of it")
    checkpoint, settings = _load(path)
    if settings.segmentor.training == "none":
        raise RunError(f"{path} was trained without a segmentor (segmentor.training = none); take that of another run")
    segmentor = build_segmentor(settings, checkpoint.data)
    checkpoint.fill_network("S", segmentor)
    return segmentor.to(choose_device(device)).eval().requires_grad_(False)


def _is_exported(path: Path) -> bool:
    return path.suffix.lower() == EXPORTED and path.is_file()


def _load_exported(path: Path, device: torch.device) -> LoadedGenerator:
    weights, about = read_generator(path)
    with torch.device("meta"):  # without memory, for the file may claim any size
        network = build_generator(about.settings, about.data)
    check_tensors(f"{path}: network G", weights, network.state_dict())
    network.load_state_dict(weights, assign=True)
    return LoadedGenerator(network, about, device)


def _load(path: Path) -> tuple[Checkpoint, Settings]:
    """Give a checkpoint and its settings; of a run's config.toml only where its shards lie now."""
    if not path.exists():
        raise RunError(f"there is no run and no checkpoint at {path}")
    if path.is_dir():
        shards = read_settings(path).data.shards
        checkpoint = load_newest(path)
        return checkpoint, checkpoint.settings.with_shards(Path(shards))
    checkpoint = load_checkpoint(path)
    return checkpoint, checkpoint.settings
