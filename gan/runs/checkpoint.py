"""Checkpoints: one file with everything a run needs to go on, made of tensors and plain types only."""

import logging
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gan.data.description import DataDescription
from gan.errors import CheckpointError, IncompleteCheckpointError, RunError
from gan.runs.presets import settings_from
from gan.settings.run_settings import RunSettings
from gan.systems import system_class
from maskkit.errors import DamageError
from maskkit.files.regular import open_regular
from maskkit.files.seal import check_seal, write_sealed
from maskkit.files.zip_checksums import damaged_part

FORMAT_VERSION = 2
_NAME = re.compile(r"step-(\d+)\.pt")
_KEYS = {
    "format_version", "step", "batches", "settings", "data", "networks", "averages", "optimisers", "noise", "versions",
}  # fmt: skip
_BEST_KEY = "best"  # only in those of a run that has been evaluated
_STATE_KEY = "state"  # only in those of a system that has any beside weights
# What an optimiser keeps for a parameter: of the parameter's shape, or a number.
_MOMENTS: dict[type[torch.optim.Optimizer], tuple[str, ...]] = {
    torch.optim.Adam: ("step", "exp_avg", "exp_avg_sq"),
    torch.optim.RMSprop: ("step", "square_avg"),
}

log = logging.getLogger(__name__)


class Best(NamedTuple):
    """The best evaluation of a run so far: after which step, and its score."""

    step: int
    score: float


@dataclass
class Checkpoint:
    """The state of a run after `step` rounds, in which `batches` real batches were used; tensors on the CPU."""

    path: Path
    step: int
    batches: int
    settings: RunSettings
    data: DataDescription
    networks: dict[str, dict[str, Tensor]]
    averages: dict[str, dict[str, Tensor]]  # of what generates, where averaging is on, else empty
    optimisers: dict[str, dict[str, Any]]
    noise: Tensor
    versions: dict[str, str]
    best: Best | None = None
    state: dict[str, Tensor] = field(default_factory=dict)  # of a system, beside its weights

    def save(self) -> None:
        """Write the file atomically, sealed by its SHA-256. Raises CheckpointError or maskkit's OutputError."""
        content: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "step": self.step,
            "batches": self.batches,
            "settings": self.settings.model_dump(),
            "data": self.data.to_dict(),
            "networks": self.networks,
            "averages": self.averages,
            "optimisers": self.optimisers,
            "noise": self.noise,
            "versions": self.versions,
        }
        if self.best is not None:
            content[_BEST_KEY] = self.best._asdict()
        if self.state:
            content[_STATE_KEY] = self.state
        try:
            write_sealed(self.path, lambda file: torch.save(content, file))
        except RuntimeError as error:  # what torch makes of a full disk
            raise CheckpointError(f"{self.path} could not be written; is the disk full? ({error})") from error

    def fill_network(self, name: str, network: nn.Module) -> None:
        """Load one network's weights. Raises CheckpointError naming the first key that is foreign or does not fit."""
        if name not in self.networks:
            raise CheckpointError(f"{self.path}: it holds no network {name}")
        _fill(f"{self.path}: network {name}", network, self.networks[name])

    def load_generator(self, settings: RunSettings) -> nn.Module:
        """Give what generates, with averaged weights where there are any. Raises CheckpointError."""
        system = system_class(settings.system)
        builders = system.build(settings, self.data)
        networks = {name: builders[name]() for name in system.generating}
        for name, network in networks.items():
            if name in self.averages:
                _fill(f"{self.path}: averaged network {name}", network, self.averages[name])
            else:
                self.fill_network(name, network)
        return system.generator(networks)

    def fill(
        self,
        networks: Mapping[str, nn.Module],
        averages: Mapping[str, Mapping[str, Tensor]],
        optimisers: Mapping[str, torch.optim.Optimizer],
    ) -> None:
        """Load all networks, averages and optimisers. Raises CheckpointError naming what is foreign or missing."""
        parts: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
            ("network", self.networks, networks),
            ("averaged network", self.averages, averages),
            ("optimiser", self.optimisers, optimisers),
        ]
        for kind, held, wanted in parts:
            if foreign := set(held) - set(wanted):
                raise CheckpointError(f"{self.path}: the {kind} {min(foreign, key=str)} is foreign")
            if missing := set(wanted) - set(held):
                raise CheckpointError(f"{self.path}: it holds no {kind} {min(missing)}")
        for name, network in networks.items():
            self.fill_network(name, network)
        for name, weights in averages.items():
            check_tensors(f"{self.path}: averaged network {name}", self.averages[name], weights)
            for key, tensor in weights.items():
                tensor.copy_(self.averages[name][key])
        for name, optimiser in optimisers.items():
            self._fill_optimiser(name, optimiser)

    def _fill_optimiser(self, name: str, optimiser: torch.optim.Optimizer) -> None:
        """Load one optimiser's moments; rates and betas stay those of the settings."""
        where = f"{self.path}: optimiser {name}"
        held = self.optimisers[name]
        moments = held.get("state") if isinstance(held, dict) else None
        if not isinstance(moments, dict):
            raise CheckpointError(f"{where}: it holds no state")
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        # Nothing is kept before the first step, and something for every parameter after it.
        expected = range(len(parameters) if self.step else 0)
        if set(moments) != set(expected):
            raise CheckpointError(
                f"{where} knows {len(moments)} parameters, and {len(expected)} are needed at step {self.step}"
            )
        for number in expected:
            like = {key: torch.zeros(()) if key == "step" else parameters[number] for key in _MOMENTS[type(optimiser)]}
            check_tensors(f"{where}, parameter {number}", moments[number], like)
            # Fused Adam walks through weights and moments side by side, so they must lie alike in memory.
            for key in [key for key in like if key != "step"]:
                moments[number][key] = torch.empty_like(parameters[number]).copy_(moments[number][key])
        optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})

    def fill_noise(self, noise: torch.Generator) -> None:
        """Put a CPU generator into the saved state. Raises CheckpointError where it is none."""
        try:
            noise.set_state(self.noise)
        except (RuntimeError, TypeError) as error:
            raise CheckpointError(f"{self.path}: the key noise is no state of a random generator ({error})") from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check a file. Raises IncompleteCheckpointError if it is cut short, CheckpointError if it is foreign."""
    content = _read(path)
    if not isinstance(content, dict) or "format_version" not in content:
        raise CheckpointError(f"{path} is no checkpoint of a run: the key format_version is missing")
    if content["format_version"] != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {content['format_version']!r}, and this program reads {FORMAT_VERSION}"
        )
    missing, foreign = _KEYS - set(content), set(content) - _KEYS - {_BEST_KEY, _STATE_KEY}
    if missing or foreign:
        key = min(missing | foreign, key=str)
        raise CheckpointError(f"{path}: the key {key} is {'missing' if key in missing else 'foreign'}")
    for key, kind in {"step": int, "batches": int, "settings": dict, "networks": dict, "averages": dict,
                      "optimisers": dict, "noise": Tensor, "versions": dict}.items():  # fmt: skip
        if not isinstance(content[key], kind):
            raise CheckpointError(f"{path}: the key {key} holds a {type(content[key]).__name__}, not a {kind.__name__}")
    return Checkpoint(
        path=path,
        step=content["step"],
        batches=content["batches"],
        settings=settings_from(content["settings"], source=str(path)),
        data=DataDescription.from_dict(content["data"], str(path)),
        networks=content["networks"],
        averages=content["averages"],
        optimisers=content["optimisers"],
        noise=content["noise"],
        versions=content["versions"],
        best=_best_from(content[_BEST_KEY], path) if _BEST_KEY in content else None,
        state=_state_from(content.get(_STATE_KEY, {}), path),
    )


def _best_from(values: Any, path: Path) -> Best:
    try:
        return Best(int(values["step"]), float(values["score"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: the key {_BEST_KEY} is damaged ({error!r})") from error


def _state_from(values: Any, path: Path) -> dict[str, Tensor]:
    if not isinstance(values, dict) or not all(isinstance(tensor, Tensor) for tensor in values.values()):
        raise CheckpointError(f"{path}: the key {_STATE_KEY} holds no tensors by name")
    return values


def checkpoint_path(run: Path, step: int) -> Path:
    """Name the file of a step."""
    return run / "checkpoints" / f"step-{step:06d}.pt"


def best_path(run: Path) -> Path:
    """Name the file of the best evaluated step."""
    return run / "checkpoints" / "best.pt"


def failed_path(run: Path, step: int) -> Path:
    """Name the file of a step whose losses are not finite; no run goes on from it."""
    return run / "checkpoints" / f"failed-step-{step:06d}.pt"


def checkpoint_paths(run: Path) -> list[Path]:
    """List a run's checkpoints, newest first."""
    # A user's own copy, such as step-000200-good.pt, is neither taken as one nor deleted.
    named = ((_NAME.fullmatch(path.name), path) for path in (run / "checkpoints").glob("step-*.pt"))
    return [path for _, path in sorted(((int(name[1]), path) for name, path in named if name), reverse=True)]


def load_newest(run: Path) -> Checkpoint:
    """Load a run's newest whole checkpoint; one that is cut short is passed over with a warning in the log.

    Raises RunError where there is none, CheckpointError where the newest whole one is foreign.
    """
    paths = checkpoint_paths(run)
    if not paths:
        raise RunError(f"{run} holds no checkpoint; `gan fit SHARDS --out {run}` makes one")
    for path in paths[:-1]:
        try:
            return load_checkpoint(path)
        except IncompleteCheckpointError as error:
            log.warning("%s; the one before it is taken", error)
    return load_checkpoint(paths[-1])


def remove_old(run: Path, keep: int, step: int) -> None:
    """Delete all but the `keep` newest checkpoints up to `step`; of later ones this training knows nothing."""
    for path in [path for path in checkpoint_paths(run) if step_named(path) <= step][keep:]:
        path.unlink(missing_ok=True)


def set_aside_later(run: Path, step: int) -> None:
    """Rename the checkpoints after `step`, which a run that goes on from there has passed over."""
    for path in checkpoint_paths(run):
        if step_named(path) > step:
            aside = path.with_name(f"passed-over-{path.name}")
            path.replace(aside)
            log.warning("%s is passed over and kept as %s", path, aside.name)


def step_named(path: Path) -> int:
    """Give the step in the name of a checkpoint, 0 for another name."""
    name = _NAME.fullmatch(path.name)
    return int(name[1]) if name else 0


def _read(path: Path) -> Any:
    try:
        with open_regular(path) as file:
            if not zipfile.is_zipfile(file):
                raise IncompleteCheckpointError(f"{path} is cut short or no checkpoint")
            # torch does not look at the checksums of its archive. A file of old has no seal, but it has those.
            # A checkpoint of the paper's networks has 0.7 GB: half a second for its seal, a whole one to read it.
            if not check_seal(file, path) and (damaged := damaged_part(file)):
                raise IncompleteCheckpointError(f"{path} is damaged: its part {damaged} is not what was written")
            return torch.load(file, map_location="cpu", weights_only=True)
    except DamageError as error:
        raise IncompleteCheckpointError(str(error)) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path} holds more than tensors and plain types and is not opened") from error
    except (RuntimeError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        if "weights_only" in str(error):  # of a TorchScript archive; torch's advice would run the code in it
            raise CheckpointError(f"{path} holds more than tensors and plain types and is not opened") from error
        raise IncompleteCheckpointError(f"{path} is damaged or no checkpoint ({str(error).splitlines()[0]})") from error


def _fill(where: str, network: nn.Module, weights: Any) -> None:
    check_tensors(where, weights, network.state_dict())
    network.load_state_dict(weights)


def check_tensors(where: str, given: Any, expected: Mapping[str, Tensor]) -> None:
    """Check that there is a tensor of each expected name and shape and no other, and that all of them are finite.

    Raises CheckpointError, which begins with `where` and names the tensor.
    """
    if not isinstance(given, dict):
        raise CheckpointError(f"{where} is a {type(given).__name__}, not a dictionary of tensors")
    for key in given:
        if key not in expected:
            raise CheckpointError(f"{where}: the key {key} is foreign")
    for key, tensor in expected.items():
        if key not in given:
            raise CheckpointError(f"{where}: the key {key} is missing")
        _check_tensor(f"{where}: the key {key}", given[key], tensor)


def _check_tensor(where: str, given: Any, expected: Tensor) -> None:
    if not isinstance(given, Tensor) or given.shape != expected.shape:
        shape = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
        raise CheckpointError(f"{where} has the shape {shape}, and {tuple(expected.shape)} is needed")
    # A sum is finite only where all are, and takes a thirtieth of the time; where good ones overflow, each is asked.
    if given.is_floating_point() and not given.sum().isfinite() and not given.isfinite().all():
        raise CheckpointError(f"{where} holds NaN or infinite values; such weights make no pictures")
