"""Where the console scripts begin: a name of their own, so that nobody's folder `cli` or `gan` is taken for ours."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NoReturn

HOME = Path(__file__).resolve().parent


def maskkit() -> NoReturn:
    """The command `maskkit`."""
    _start("maskkit")


def gan() -> NoReturn:
    """The command `gan`."""
    _start("gan")


def _start(command: str) -> NoReturn:
    """Run a command from this installation, whatever PYTHONPATH names before it; worker processes inherit the path."""
    sys.path[:0] = [str(HOME / "maskkit_commands"), str(HOME)]  # `cli` is in the first if installed, else in the second
    run: Callable[[], NoReturn] = getattr(import_module("cli.entry"), command)
    run()
