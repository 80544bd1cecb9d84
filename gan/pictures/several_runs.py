"""Several trained runs in one picture, film or table: what they are called, and that they can stand side by side."""

from collections.abc import Sequence
from pathlib import Path

import maskkit
from gan.errors import InputError
from gan.pictures.sheets import Words
from gan.runs.loading import LoadedGenerator, load_generator


def run_names(runs: Sequence[str | Path], names: Sequence[str]) -> list[str]:
    """Give the names asked for, one a run, or without any the names of the runs' folders. Raises InputError."""
    if not runs:
        raise InputError("name at least one run")
    if names and len(names) != len(runs):
        raise InputError(f"{len(names)} names are given for {len(runs)} runs; name each of them or none")
    return [*names] if names else [Path(run).name or Path(run).resolve().name for run in runs]


def distinct_names(runs: Sequence[str | Path], names: Sequence[str]) -> list[str]:
    """Give names as `run_names`, and raise InputError where two are the same: nobody could tell the runs apart."""
    found = run_names(runs, names)
    if len(set(found)) < len(found):
        raise InputError(f"two runs have the name {max(found, key=found.count)}; give each a name of its own")
    return found


def load_alike(runs: Sequence[str | Path], device: str = "cpu") -> list[LoadedGenerator]:
    """Load generators that have the same attributes and layouts. Raises InputError naming what differs, RunError."""
    generators = [load_generator(run, device) for run in runs]
    for run, generator in zip(runs, generators, strict=True):
        _check_same_kind(runs[0], generators[0], run, generator)
    return generators


def need_any(generators: Sequence[LoadedGenerator], name: str, *, what: str) -> None:
    """Raise InputError where none of the generators takes what something is about."""
    if not any(name in generator.takes for generator in generators):
        generators[0].need(name, what=what)


def headings(names: Sequence[str], generators: Sequence[LoadedGenerator]) -> list[Words]:
    """Give the words over the pictures of each run: its name, and its system where the name does not tell."""
    pairs = zip(names, (generator.title for generator in generators), strict=True)
    return [(name,) if title.lower() in name.lower() else (name, title) for name, title in pairs]


def titles(generators: Sequence[LoadedGenerator]) -> str:
    """Name the systems that made something together, each once."""
    return ", ".join(dict.fromkeys(generator.title for generator in generators))


def _check_same_kind(first_run: str | Path, first: LoadedGenerator, run: str | Path, other: LoadedGenerator) -> None:
    """Raise InputError naming the first thing that keeps two generators from having the same input."""
    differences = {
        "data.size": (first.size, other.size),
        "the scheme": (first.scheme, other.scheme),
        "the attributes": (first.attribute_names, other.attribute_names),
        "the kind of attributes": (first.settings.attribute_kind, other.settings.attribute_kind),
    }
    for what, (ours, theirs) in differences.items():
        if ours != theirs:
            raise InputError(
                f"{run} cannot be compared with {first_run}: {what} is {_shown(theirs)} and not {_shown(ours)}; "
                "both need the same attributes and layouts"
            )


def _shown(value: object) -> str:
    if isinstance(value, maskkit.RegionScheme):
        return f"{value.name} ({', '.join(value.names)})"
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)
