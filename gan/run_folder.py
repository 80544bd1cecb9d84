"""The folder of a run: settings, environment, metrics, checkpoints and samples."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import maskkit
from gan.config import Settings, first_difference, load_settings
from gan.errors import RunError

# Where the data lies and how many processes read it changes nothing that is computed.
FREE_ON_RESUME = ("data.shards", "data.workers")


def start_run(run: Path) -> None:
    """Make the folder of a new run. Raises RunError where it holds something, maskkit's OutputError."""
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise RunError(f"{run} is there and not empty; take another name, or --resume to go on with the run in it")
    maskkit.files.make_folder(run / "checkpoints")
    maskkit.files.make_folder(run / "samples")


def read_settings(run: Path) -> Settings:
    """Read a run's config.toml. Raises RunError where there is no run, SettingsError."""
    config = run / "config.toml"
    if not config.is_file():
        raise RunError(f"{run} is not the folder of a run: there is no {config.name} in it")
    return load_settings(config)


def check_resumable(run: Path, settings: Settings) -> None:
    """Check that a run can go on with these settings. Raises RunError naming the first key that differs."""
    if difference := first_difference(settings, read_settings(run), ignore=FREE_ON_RESUME):
        key, asked, stored = difference
        raise RunError(
            f"{run} was made with {key} = {stored!r}, and {asked!r} is asked for; "
            "resume with the run's own settings, or start another run"
        )


def note_environment(run: Path, step: int, device: torch.device) -> None:
    """Append what this start runs on to environment.json: a list with an entry for each start and resume."""
    path = run / "environment.json"
    try:
        starts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); delete it to go on") from error
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    starts.append(
        {
            "from_step": step,
            "device": str(device),
            "device_name": name,
            "threads": torch.get_num_threads(),
            "versions": library_versions(),
        }
    )
    text = json.dumps(starts, indent=1) + "\n"
    maskkit.files.write_atomically(path, lambda file: file.write(text.encode()))


def library_versions() -> dict[str, str]:
    """Give the versions of what decides a result."""
    libraries = {name: version(name) for name in ("maskkit", "numpy", "torch")}
    return {"python": platform.python_version(), **libraries}


class Metrics:
    """metrics.jsonl: one JSON object for each step, contents free of clocks so that equal runs have equal files."""

    def __init__(self, run: Path, step: int) -> None:
        """Open for appending after `step` lines; later ones, which no checkpoint knows of, are cut off."""
        self.path = run / "metrics.jsonl"
        kept = self.path.read_bytes().splitlines(keepends=True)[:step] if self.path.exists() else []
        if len(kept) < step or (kept and not kept[-1].endswith(b"\n")):
            raise RunError(f"{self.path} has fewer lines than the {step} steps of the checkpoint; it was cut")
        maskkit.files.write_atomically(self.path, lambda file: file.writelines(kept))
        self._file = self.path.open("a", encoding="utf-8")

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one step."""
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()  # a watcher sees each step, and a kill loses none

    def close(self) -> None:
        """Close the file."""
        self._file.close()
