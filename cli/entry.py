"""Where the console scripts begin: imports nothing that takes long before it answers a Ctrl-C."""

import os
import signal
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130


def maskkit() -> NoReturn:
    """The command `maskkit`."""
    _start("cli.maskkit_command")


def gan() -> NoReturn:
    """The command `gan`."""
    _start("cli.gan_command")


def _start(module: str) -> NoReturn:
    """Import a command and run it. Until then nothing is open, so a Ctrl-C ends the process at once and quietly."""
    waits = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where it is ignored, as behind `&`
    if waits:
        signal.signal(signal.SIGINT, _end)
    main: Callable[[], NoReturn] = import_module(module).main
    if waits:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
