"""The folder of a run: settings, environment, metrics, checkpoints and samples."""

import json
import logging
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from gan.computing.compute import Compute
from gan.errors import RunError
from gan.names import Precision
from gan.runs.checked_json import decode_line, encode_line, with_checksum, without_checksum
from gan.runs.presets import load_settings
from gan.settings.run_settings import RunSettings, first_difference, write_settings
from maskkit.files.atomic import make_folder, write_atomically
from maskkit.files.hidden import clear_files, is_hidden
from maskkit.files.outputs import lies_in, owned_folder, refuse_inputs
from maskkit.files.regular import read_regular

_CONFIG, _METRICS = "config.toml", "metrics.jsonl"
OWN_FILES = (_CONFIG, _METRICS, "environment.json", "checkpoints", "samples", "tensorboard", "judges")

log = logging.getLogger(__name__)


def check_startable(run: Path) -> None:
    """Check that a new run can have this folder. Raises RunError where it holds something."""
    # A kill right at the start leaves no more than a lock and the partial file of the settings.
    if run.exists() and (not run.is_dir() or any(not is_hidden(path.name) for path in run.iterdir())):
        raise RunError(f"{run} is there and not empty; take another name, or --resume to go on with the run in it")


@contextmanager
def owned_run(run: Path, inputs: Iterable[str | Path]) -> Iterator[None]:
    """Have a run's folder alone while it is trained. Raises maskkit's OutputError that names who has it."""
    refuse_inputs(run, inputs)
    with owned_folder(run):
        yield


def check_beside(path: Path, runs: Iterable[str | Path]) -> None:
    """Raise RunError where a result would have the place of something that one of the runs itself consists of."""
    for run in map(Path, runs):
        for own in OWN_FILES if (run / _CONFIG).is_file() else ():
            if lies_in(path, run / own):
                raise RunError(f"{path}: {own} belongs to the run {run}, which is read here; give another name")


def prepare_folder(run: Path, settings: RunSettings) -> None:
    """Make what is missing of a run's folder and note the settings in it. Raises maskkit's OutputError."""
    make_folder(run)
    write_settings(run / _CONFIG, settings)  # first: a folder without it can be neither started nor resumed
    for folder in (run / "checkpoints", run / "samples"):
        make_folder(folder)
        clear_files(folder)  # what a kill left


def has_settings(run: Path) -> bool:
    """Say whether there is a run in the folder to go on with."""
    return (run / _CONFIG).is_file()


def read_settings(run: Path) -> RunSettings:
    """Read a run's config.toml. Raises RunError where there is no run, or less of its settings; SettingsError."""
    config = run / _CONFIG
    if not config.is_file():
        raise RunError(f"{run} is not the folder of a run: there is no {config.name} in it")
    settings = load_settings(config)
    if not settings.data.shards:  # what is missing came from a preset, and this comes from none
        raise RunError(
            f"{config} is damaged: every run notes its data.shards, and this names none; take it from a copy"
        )
    return settings


def check_resumable(source: Path, stored: RunSettings, settings: RunSettings) -> None:
    """Check that a run can go on with these settings instead of those stored in `source`: its folder or a checkpoint.

    Raises RunError naming the first key that differs and that a resume may not change.
    """
    if difference := first_difference(settings, stored):
        key, asked, kept = difference
        raise RunError(
            f"{source} was made with {key} = {kept!r}, and {asked!r} is asked for; "
            "resume with the run's own settings, or start another run"
        )


def note_environment(
    run: Path, step: int, compute: Compute, switches: str, tried: Mapping[Precision, float] | None = None
) -> None:
    """Append what this start runs on to environment.json, a list with an entry for each start and resume.

    `switches` names those of `[compute]` that are on, `tried` the seconds a step took in each precision, where the
    fastest was chosen.
    """
    path = run / "environment.json"
    starts = read_environment(path)
    device = compute.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    starts.append(
        {
            "from_step": step,
            "device": str(device),
            "device_name": name,
            "processes": compute.processes,
            "threads": torch.get_num_threads(),
            "switches": switches,
            **({"seconds_per_step_by_precision": dict(tried)} if tried else {}),
            "versions": library_versions(),
        }
    )
    text = json.dumps([*map(with_checksum, starts)], indent=1) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def read_environment(path: Path) -> list[dict[str, Any]]:
    """Read what `note_environment` has noted, nothing where it has not. Raises RunError for a damaged file."""
    if not path.exists():
        return []
    try:
        starts = json.loads(_content(path))
        if not isinstance(starts, list):
            raise ValueError("it holds no list")
        return [*map(without_checksum, starts)]
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged ({error}); delete it to go on") from error


def library_versions() -> dict[str, str]:
    """Give the versions of what decides a result."""
    libraries = {name: version(name) for name in ("maskkit", "numpy", "torch")}
    return {"python": platform.python_version(), **libraries}


class Metrics:
    """metrics.jsonl: one JSON object for each step, contents free of clocks so that equal runs have equal files.

    Raises RunError where it cannot be read.
    """

    def __init__(self, run: Path, step: int) -> None:
        """Open for appending after `step`; lines of later steps, which no checkpoint knows of, are cut off."""
        self.path = run / _METRICS
        kept = [line for line in _lines(self.path) if 0 < _step_of(line) <= step]
        if len(kept) < step:
            log.warning(
                "%s holds %d of the %d steps of the checkpoint; the others stay lost", self.path, len(kept), step
            )
        write_atomically(self.path, lambda file: file.writelines(kept))
        self._file = self.path.open("a", encoding="utf-8")

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one step."""
        self._file.write(encode_line(line))
        self._file.flush()  # a watcher sees each step, and a kill loses none

    def sync(self) -> None:
        """Make the steps so far survive a power cut."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def steps_noted(run: Path) -> int:
    """Give the last step that a run's metrics know of, 0 where they know none. Raises RunError if unreadable."""
    return max(map(_step_of, _lines(run / _METRICS)), default=0)


def _lines(path: Path) -> list[bytes]:
    """Give the whole lines of a file, none where it is missing."""
    return [line for line in _content(path).splitlines(keepends=True) if line.endswith(b"\n")]


def _content(path: Path) -> bytes:
    try:
        return read_regular(path)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror or error}); move it away to go on") from error


def _step_of(line: bytes) -> int:
    """Give the step that a line of metrics.jsonl is about, 0 if it cannot be read."""
    try:
        return int(decode_line(line)["step"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return 0
