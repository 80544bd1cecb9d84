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
from gan.settings.run_settings import RunSettings
from gan.systems import system_class
from gan.systems.given import WORDS, Given, draw_latents

EXPORTED = ".safetensors"


class LoadedGenerator(nn.Module):
    """A trained generator with its settings, to be called with what it takes, such as `generator(z, c, s)`.

    `takes` names that, some of `z` float (N, n_z), `c` float (N, n_c), `s` one-hot (N, n_s, size, size) and `x` float
    (N, 3, size, size) in [-1, 1], in this order; -> float32 (N, 3, size, size) in [-1, 1], on the generator's device
    and without gradients. Takes `network` over: moves it to `device` and freezes it.
    """

    def __init__(self, network: nn.Module, about: About, device: torch.device) -> None:
        super().__init__()
        self.about = about
        self.settings = about.settings
        self.system = about.settings.system
        self.title = system_class(self.system).title
        self.takes = about.settings.takes
        self.scheme: maskkit.RegionScheme = about.data.scheme
        self.attribute_names = about.data.attribute_names
        self.size = about.data.size
        self.step = about.step
        self.network = network
        self.to(device).eval().requires_grad_(False)

    def __repr__(self) -> str:
        takes = ", ".join(self.takes)
        size = f"{self.size} x {self.size}"
        return f"LoadedGenerator({self.title}, step {self.step}: {takes} -> {size}, scheme {self.scheme.name})"

    @property
    def n_z(self) -> int:
        """Length of the latent vector; 0 where it takes none."""
        return self.settings.n_z

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """What the weights are, and the inputs are turned into."""
        return next(self.parameters()).dtype

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        """Make images of what the generator takes, in its order or by name. Raises InputError for what does not fit."""
        given = dict(zip(self.takes, inputs, strict=False)) | named
        if len(inputs) > len(self.takes) or len(given) < len(inputs) + len(named) or set(given) != set(self.takes):
            found = ", ".join([*self.takes[: len(inputs)], *named]) or "nothing"
            raise InputError(f"this generator takes {', '.join(self.takes)}, each once; {found} was given")
        return self.make(Given(**given))

    @torch.no_grad()
    def make(self, given: Given) -> Tensor:
        """Make images of those that the generator takes. Raises InputError where one is missing or does not fit."""
        inputs = given.inputs(self.takes)
        count = len(inputs[0])
        shapes = {
            "z": (count, self.n_z),
            "c": (count, len(self.attribute_names)),
            "s": (count, len(self.scheme), self.size, self.size),
            "x": (count, 3, self.size, self.size),
        }
        for name, tensor in zip(self.takes, inputs, strict=True):
            if tensor.shape != shapes[name]:
                shape = tuple(tensor.shape)
                raise InputError(f"{name} has the shape {shape}, and this generator needs {shapes[name]}")
        images: Tensor = self.network(*(tensor.to(self.device, self.dtype) for tensor in inputs))
        return images

    @torch.no_grad()
    def layouts(self, x: Tensor) -> Tensor:
        """Give the layouts int64 (N, size, size) of pictures `x` (N, 3, size, size) in [-1, 1].

        The other direction of a system that learns both, CycleGAN. Raises InputError for another, or another shape.
        """
        other = getattr(self.network, "layouts", None)
        if other is None:
            raise InputError(f"{self.title} has learned no way from pictures to layouts; CycleGAN learns both ways")
        if x.shape[1:] != (3, self.size, self.size):
            raise InputError(f"x has the shape {tuple(x.shape)}, and (N, 3, {self.size}, {self.size}) is needed")
        found: Tensor = other(x.to(self.device, self.dtype))
        return found

    def need(self, *names: str, what: str) -> None:
        """Raise InputError where the generator does not take what something is about."""
        for name in names:
            if name not in self.takes:
                raise InputError(f"{self.title} takes no {WORDS[name]}, so {what}")

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
    about = About(settings, checkpoint.data, checkpoint.step, checkpoint.versions)
    return LoadedGenerator(checkpoint.load_generator(settings), about, target)


def load_segmentor(run_or_file: str | Path, device: str = "cpu") -> nn.Module:
    """Load the segmentor that a run trained: images (N, 3, H, W) in [-1, 1] -> logits (N, n_s, H, W).

    Raises RunError where there is none.
    """
    path = Path(run_or_file)
    if _is_exported(path):
        raise RunError(f"{path} holds a generator and no segmentor; name the run's folder or a checkpoint of it")
    checkpoint, settings = _load(path)
    name = settings.segmentor_name
    if name is None:
        raise RunError(f"{path} was trained without a segmentor; take that of another run")
    segmentor = system_class(settings.system).build(settings, checkpoint.data)[name]()
    checkpoint.fill_network(name, segmentor)
    return segmentor.to(choose_device(device)).eval().requires_grad_(False)


def _is_exported(path: Path) -> bool:
    return path.suffix.lower() == EXPORTED and path.is_file()


def _load_exported(path: Path, device: torch.device) -> LoadedGenerator:
    weights, about = read_generator(path)
    system = system_class(about.settings.system)
    with torch.device("meta"):  # without memory, for the file may claim any size
        builders = system.build(about.settings, about.data)
        network = system.generator({name: builders[name]() for name in system.generating})
    check_tensors(f"{path}: network G", weights, network.state_dict())
    network.load_state_dict(weights, assign=True)
    return LoadedGenerator(network, about, device)


def _load(path: Path) -> tuple[Checkpoint, RunSettings]:
    """Give a checkpoint and its settings; of a run's config.toml only where its shards lie now."""
    if not path.exists():
        raise RunError(f"there is no run and no checkpoint at {path}")
    if path.is_dir():
        shards = read_settings(path).data.shards
        checkpoint = load_newest(path)
        return checkpoint, checkpoint.settings.with_shards(Path(shards))
    checkpoint = load_checkpoint(path)
    return checkpoint, checkpoint.settings
