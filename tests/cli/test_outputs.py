"""Outputs of every command: nothing of a user's is lost, status 0 means all of it is there, and a second one is told.

The cases are those of `python -m tests.outputs`, here with few moments; all commands come from click's own trees.
"""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.outputs.recipes import READ_ONLY, RECIPES, SERVED, commands, writes


@pytest.fixture(scope="session")
def failures() -> dict[str, list[str]]:
    """What the cases of each command found wrong, in one process for all: it has loaded torch and the models."""
    command = [sys.executable, "-m", "tests.outputs", "--quick", "--json"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.stdout, result.stderr
    found: dict[str, list[str]] = json.loads(result.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", list(commands()))
def test_nothing_is_lost_and_done_means_all_there(name: str, failures: dict[str, list[str]]) -> None:
    assert writes(name) == (name in RECIPES), f"{name} needs a recipe in tests/outputs/recipes.py"
    assert (name in READ_ONLY | SERVED) != (name in RECIPES)
    assert failures.get(name, []) == []


FIT = ["--preset", "tiny", "--steps", "100000", "--device", "cpu", "--set", "data.size=32"]


def begin_fit(shards: Path, run: Path, *, ignoring: bool = False, terminal: int | None = None) -> subprocess.Popen[str]:
    """Start a training that does not end by itself, in a session of its own, and wait for its first steps."""
    how = "SIG_IGN" if ignoring else "SIG_DFL"
    code = f"import signal; signal.signal(signal.SIGHUP, signal.{how}); from cli.gan_command import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "fit", str(shards), "--out", str(run), *FIT], text=True, start_new_session=True,
        stdin=terminal, stdout=terminal or subprocess.PIPE, stderr=terminal or subprocess.PIPE,
        preexec_fn=None if terminal is None else _take_terminal,
    )  # fmt: skip
    while process.poll() is None and not _steps(run):
        time.sleep(0.05)
    assert process.poll() is None
    return process


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _steps(run: Path) -> int:
    metrics = run / "metrics.jsonl"
    return len(metrics.read_text().splitlines()) if metrics.exists() else 0


def test_a_closed_terminal_saves_a_checkpoint(drawn_shards: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = begin_fit(drawn_shards, tmp_path / "run", terminal=theirs)
    os.close(theirs)
    os.close(ours)  # the terminal is gone: SIGHUP, and nobody to write to
    assert process.wait(60) == 129
    assert list((tmp_path / "run" / "checkpoints").glob("step-*.pt"))
    assert not list((tmp_path / "run").rglob("*.lock"))


def test_a_second_training_is_told_and_nohup_goes_on(drawn_shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = begin_fit(drawn_shards, run, ignoring=True)
    os.killpg(process.pid, signal.SIGHUP)
    code = "from cli.gan_command import main; main()"
    command = [sys.executable, "-c", code, "fit", str(drawn_shards), "--out", str(run), "--resume", "--device", "cpu"]
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 1
    assert f"is being written by process {process.pid} on " in second.stderr
    seen = _steps(run)
    while process.poll() is None and _steps(run) < seen + 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
