"""Commands in forked processes, which end, wait or meet with something at a chosen one of their steps."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.shared import run
from maskkit.files import renames
from tests.outputs.recipes import GROUPS

STEPS = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}
RENAMES = {"os.rename", "os.link", "renameat2", "renamed"}
PATIENCE = 120  # seconds for one command


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status (minus the signal's number where it was killed), and what it said."""

    status: int
    said: str


class Process:
    """A command in a forked process, with the case's folder for its working folder.

    Before each step that changes something on the disk there it calls `at_step(number, what)`. That comes before the
    system's call, and for renameat2 after it as well.
    """

    def __init__(self, folder: Path, line: list[str], at_step: Callable[[int, str], object] = lambda *_: None) -> None:
        self.output = Path(tempfile.mkstemp(prefix="said-")[1])
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os._exit(self._be(folder, line, at_step))

    def _be(self, folder: Path, line: list[str], at_step: Callable[[int, str], object]) -> int:
        signal.alarm(PATIENCE)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        descriptor = os.open(self.output, os.O_WRONLY)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.chdir(folder)
        os.sync = os.fsync = lambda *_: None  # what a power cut leaves is another test's matter
        _watch(folder, at_step)
        sys.argv = line
        try:
            run(GROUPS[line[0]])
        except SystemExit as end:
            return int(end.code or 0)
        except BaseException as error:
            print(f"Traceback: {error!r}", file=sys.stderr)
            return 99
        finally:
            sys.stdout.flush()
            sys.stderr.flush()

    def wait_until_stopped(self) -> bool:
        """Wait for a SIGSTOP that the process sends itself; False where it ended instead."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return True
        self._status = status
        return False

    def go_on(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def wait(self) -> Ended:
        """Wait for its end."""
        status = self.__dict__.get("_status")
        if status is None:
            _, status = os.waitpid(self.pid, 0)
        said = self.output.read_text(errors="replace")
        self.output.unlink()
        return Ended(os.waitstatus_to_exitcode(status), said)


def _watch(folder: Path, at_step: Callable[[int, str], object]) -> None:
    count, inside = 0, f"{folder}/"

    def step(what: str, *paths: Any) -> None:
        nonlocal count
        names = [os.path.join(folder, os.fsdecode(path)) for path in paths if isinstance(path, str | bytes | Path)]  # noqa: PTH118
        if any(name.startswith(inside) for name in names):
            count += 1
            at_step(count, what)

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event in STEPS:
            step(event, *arguments[:2])
        elif event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            step(event, arguments[0])

    def renameat2(old: Path, new: Path, flags: int) -> bool:
        step("renameat2", old, new)
        done = call(old, new, flags)
        step("renamed", old, new)
        return done

    call, renames._renameat2 = renames._renameat2, renameat2
    sys.addaudithook(heard)


def in_fork(work: Callable[[], object]) -> None:
    """Do something in a process of its own, whose threads end with it."""
    if (child := os.fork()) == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
