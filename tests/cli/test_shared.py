"""What both commands share, where only an odd moment shows it."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import weakref

import click
import pytest

from cli.shared import progress, run


class Thing:
    """Something that can be weakly referenced."""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_that_python_drops_is_not_lost(
    number: int, status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # An exception raised in a weak reference's callback goes nowhere; a signal may well arrive in one.
    monkeypatch.setattr("sys.argv", ["work"])
    steps = []

    @click.command()
    def work() -> None:
        with progress("working", 9) as advance:
            for step in range(1, 10):
                if step == 3:
                    thing = Thing()
                    keep = weakref.ref(thing, lambda _: os.kill(os.getpid(), number))
                    del thing
                    assert keep() is None
                advance(step)
                steps.append(step)

    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as end:
        run(work)
    assert end.value.code == status
    assert steps == [1, 2]
    assert "Traceback" not in capsys.readouterr().err
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("columns", [80, 120])
def test_a_bar_with_its_times_fits_a_terminal_and_losses_stand_below(columns: int) -> None:
    losses = "D 2.31 (real 0.12 fake -0.4 cls 1.69 gp 0.9)  S 0.532 (seg 0.53)  G 3.21 (fake 1.2 cls 0.69 seg 1.3)"
    code = (
        "import time\nfrom cli.shared import progress\nwith progress('finding faces') as advance:\n"
        f" advance(100000, {losses!r}, 202599); advance(100032, {losses!r}); time.sleep(1.1)\n"
        f" advance(100042, {losses!r}); time.sleep(0.3)"
    )
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"TERM": "xterm"}
    with subprocess.Popen([sys.executable, "-c", code], stderr=terminal, env=environment) as process:
        os.close(terminal)
        shown = b""
        while part := _read(screen):
            shown += part
    os.close(screen)
    assert process.returncode == 0
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).replace("\r", "\n").split("\n")
    bars = [number for number, line in enumerate(lines) if "/202599" in line]
    assert max(map(len, lines)) <= columns
    assert re.fullmatch(
        r"finding faces \S+ +100042/202599 +9\.\d/s  elapsed 0:00:0\d  left 3:\d\d:\d\d *", lines[bars[-1]]
    )
    assert " ".join(lines[bars[-1] + 1 :]).split() == losses.split()


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 65536)
    except OSError:  # Linux's end of a terminal that nobody has open any more
        return b""
