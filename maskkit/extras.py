"""How to get what is not installed: commands that work in a clone, beside a wheel and outside of an environment."""

import importlib.metadata
import shlex
import shutil
import sys
from pathlib import Path


def way_to_get(extra: str = "") -> str:
    """The command that installs what an extra of this project names, or without one what the project itself needs.

    From a clone it names the clone. Elsewhere it names the packages, for no package index need know maskkit.
    """
    clone = Path(__file__).resolve().parent.parent
    if (clone / "pyproject.toml").exists():
        place = "." if clone == Path.cwd() else str(clone)
        return pip_install("-e", f"{place}[{extra}]" if extra else place)
    wanted = f"extra=='{extra}'" if extra else ""
    try:
        requirements = importlib.metadata.requires("maskkit") or []
    except importlib.metadata.PackageNotFoundError:  # a copy without its description
        requirements = []
    parted = [line.replace('"', "'").replace(" ", "").partition(";") for line in requirements]
    return pip_install(*(name for name, _, marker in parted if marker == wanted))


def pip_install(*what: str) -> str:
    """The command by which this Python installs something: the shell's pip may be another Python's."""
    found = shutil.which("pip")
    own = found is not None and Path(found).parent == Path(sys.executable).parent
    return shlex.join([*(["pip"] if own else [sys.executable, "-m", "pip"]), "install", *what])
