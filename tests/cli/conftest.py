"""The commands are tried on the same small runs as the package, and in this process."""

from collections.abc import Callable

import pytest

from cli.gan_command import group as gan_group
from cli.maskkit_command import group as maskkit_group
from cli.shared import run
from tests.gan.conftest import one_thread, small_run, small_settings

__all__ = ["one_thread", "small_run", "small_settings"]

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process: its exit status, and what it said."""

    def call(name: str, *arguments: object) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", [name, *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run(gan_group if name == "gan" else maskkit_group)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err and "unexpected" not in captured.err
        return int(end.value.code or 0), captured.out + captured.err

    return call
