"""What runs are called in a figure."""

from collections.abc import Sequence
from pathlib import Path

from gan.errors import InputError


def run_names(runs: Sequence[str | Path], names: Sequence[str]) -> list[str]:
    """Give the names asked for, one a run, or without any the names of the runs' folders. Raises InputError."""
    if not runs:
        raise InputError("a figure of runs needs at least one run")
    if names and len(names) != len(runs):
        raise InputError(f"{len(names)} names are given for {len(runs)} runs; name each of them or none")
    return [*names] if names else [Path(run).name or Path(run).resolve().name for run in runs]
