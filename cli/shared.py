"""What both commands share: errors as sentences, exit statuses, progress on standard error, JSON on standard output."""

import io
import json
import logging
import math
import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, Protocol

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from cli.pace import Pace
from maskkit.errors import MaskkitError
from maskkit.files.plain_text import for_terminal, plain, shortened

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object of results on standard output.")
EXIT_FAILED, EXIT_USAGE = 1, 2
# What a stop says at last. As shells have it, its exit status is 128 and the signal's number.
STOPS: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
TRACEBACK_VARIABLE = "MASKKIT_TRACEBACK"
LONGEST_NOTE = 300  # characters below a bar: the losses of all networks
FIXED_SPACE = "\xa0"
PLAIN_SECONDS = 5.0  # between two progress lines where standard error is no terminal


class Terminated(BaseException):
    """SIGTERM or SIGHUP arrived; a BaseException, as KeyboardInterrupt is, so that no handler takes it for a failure.

    The signal's number is the argument.
    """


def stop_error(number: int) -> BaseException:
    """What a stop by a signal raises."""
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)


def stop_status(number: int) -> int:
    """The exit status after a stop by a signal."""
    return 128 + number


@contextmanager
def stops_go_to(note: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have `note` called when the user, the system or a closed terminal wants an end, while the block lasts."""
    # What nohup has told to be ignored stays ignored.
    numbers = [one for one in STOPS if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN]
    handlers = {number: signal.signal(number, note) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def leave_closed_terminal() -> None:
    """Let what is printed from now on go nowhere where the terminal is gone: writing there fails, and ends the work."""
    for descriptor in (1, 2):
        try:
            os.write(descriptor, b"")
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


def run(command: click.Command) -> NoReturn:
    """Run a command and leave with its exit status: 0 done, 1 failed, 2 usage; 129, 130 or 143 stopped (`STOPS`)."""
    _signals.clear()
    hook, sys.unraisablehook = sys.unraisablehook, _pass_over_signals
    said = _Said(logging.WARNING)
    logging.getLogger().addHandler(said)
    try:
        with stops_go_to(_note_signal):
            _run(command)
    finally:
        logging.getLogger().removeHandler(said)
        sys.unraisablehook = hook
        _signals.clear()  # a caller in the same process may go on


def _run(command: click.Command) -> NoReturn:
    try:
        status = command(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        say(text.getvalue().removesuffix("\n"), err=True)
        sys.exit(EXIT_USAGE)
    except (KeyboardInterrupt, click.exceptions.Abort):
        fail(STOPS[signal.SIGINT], stop_status(signal.SIGINT))
    except Terminated as stop:
        fail(STOPS[stop.args[0]], stop_status(stop.args[0]))
    except MaskkitError as error:
        fail(str(error), EXIT_FAILED)
    except BrokenPipeError:
        sys.exit(EXIT_FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}", EXIT_FAILED)
    except MemoryError:
        fail("there is not enough memory; take fewer workers, or a smaller size or batch", EXIT_FAILED)
    except Exception as error:
        # A mistake of the program's own, but a person in the middle of work is still owed a sentence.
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        fail(f"unexpected {type(error).__name__}: {error} ({TRACEBACK_VARIABLE}=1 shows where)", EXIT_FAILED)


# Signals that arrived. Python drops an exception raised inside a destructor or a weak reference's callback, so a
# signal is also kept here, and every advance of a progress bar looks.
_signals: list[int] = []


def _note_signal(number: int, frame: FrameType | None) -> None:
    _signals.append(number)
    if number == signal.SIGHUP:
        leave_closed_terminal()
    _raise_noted_signal()


def _raise_noted_signal() -> None:
    if _signals:
        raise stop_error(_signals[0])


def _pass_over_signals(dropped: "sys.UnraisableHookArgs") -> None:
    if not issubclass(dropped.exc_type, KeyboardInterrupt | Terminated):
        sys.__unraisablehook__(dropped)


def fail(message: str, status: int) -> NoReturn:
    """Say why on standard error and leave; a failure after a signal, as in an import it broke, is the signal's end."""
    if status == EXIT_FAILED and _signals:
        message, status = STOPS[_signals[0]], stop_status(_signals[0])
    if status == EXIT_FAILED:
        say_error(message)
    else:
        say(message, err=True)
    sys.exit(status)


def say(text: str, err: bool = False) -> None:
    """Print text on standard output or standard error. A name from a stranger's file must not steer the terminal."""
    click.echo(for_terminal(text), err=err)


def say_error(message: str) -> None:
    """Say what is wrong on standard error."""
    say_note(f"error: {message}")


def say_note(message: str) -> None:
    """Say something on standard error, in at most 2,000 characters."""
    say(shortened(message), err=True)


class _Said(logging.Handler):
    """The log's warnings on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        say_note(f"{record.levelname.lower()}: {record.getMessage()}")


def print_json(result: dict[str, Any]) -> None:
    """Print one JSON object on standard output; a figure that is not finite becomes null, as JSON has no NaN."""
    click.echo(json.dumps(_finite(result), allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Advance(Protocol):
    """Report that `done` of `total` is finished, with a short text such as losses or the last file."""

    def __call__(self, done: int, note: str = "", total: int | None = None) -> None: ...


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Advance]:
    """Show a bar with rate and time left on standard error, notes on a line below it; plain lines where no terminal is.

    `total` may come with the first advance, where only the work itself knows it. The first advance says where the work
    begins, from which rate and time are counted.
    """
    console, pace = Console(stderr=True), Pace()
    if not console.is_terminal:
        yield _plain_progress(title, total, pace)
        return
    with _Bar(title, total, pace, console) as bar:
        yield bar.advance_to


class _Bar(Progress):
    """A bar, and what is noted beside it on lines of its own: it would push the times out of a narrow terminal."""

    def __init__(self, title: str, total: int | None, pace: Pace, console: Console) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(None, table_column=Column(ratio=1)),  # as long as the rest leaves room for
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            _PaceColumn(pace),
        )
        self.pace, self.noted, self.terminal = pace, "", console
        super().__init__(*columns, console=console, expand=True)
        self.task = self.add_task(title, total=total)

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        # Broken between what two spaces part: the losses of a network stay together.
        whole = "  ".join(part.replace(" ", FIXED_SPACE) for part in self.noted.split("  "))
        for line in textwrap.wrap(whole, self.terminal.width):
            yield Text(line.replace(FIXED_SPACE, " "))

    def advance_to(self, done: int, note: str = "", total: int | None = None) -> None:
        _raise_noted_signal()
        self.pace.note(done)
        self.noted = plain(note, LONGEST_NOTE)
        self.update(self.task, total=total, completed=done)


class _PaceColumn(ProgressColumn):
    """Rich's own would tell the rate of the first burst, and of what a build found done."""

    def __init__(self, pace: Pace) -> None:
        super().__init__(Column(no_wrap=True))
        self.pace = pace

    def render(self, task: Task) -> Text:
        return Text(self.pace.text(None if task.total is None else int(task.total)))


def _plain_progress(title: str, total: int | None, pace: Pace) -> Advance:
    last_line = time.monotonic()
    planned = total

    def advance(done: int, note: str = "", total: int | None = None) -> None:
        nonlocal last_line, planned
        _raise_noted_signal()
        planned = total or planned or done
        pace.note(done)
        now = time.monotonic()
        if now - last_line < PLAIN_SECONDS and done < planned:
            return
        last_line = now
        about = f"  {plain(note, LONGEST_NOTE)}" if note else ""
        say(f"{title}: {done}/{planned}, {pace.text(planned).strip()}{about}", err=True)

    return advance
