"""What both commands share, where only an odd moment shows it."""

import os
import signal
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
