"""A Ctrl-C while Python still imports what a command needs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def test_a_stop_while_importing_is_quiet(tmp_path: Path) -> None:
    reached = tmp_path / "reached"
    # An import that takes as long as it likes, in the place of one that takes a second.
    (tmp_path / "numpy.py").write_text(
        f"import pathlib, time\npathlib.Path({str(reached)!r}).touch()\ntime.sleep(60)\n"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    for name in ("maskkit", "gan"):
        reached.unlink(missing_ok=True)
        code = f"from cli.entry import {name}; {name}()"
        if name == "gan":
            code = f"import sys; sys.argv = ['gan', 'fit', 'x', '--out', 'y', '--dry-run']; {code}"
        with subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True
        ) as process:
            while not reached.exists():
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            assert (process.wait(timeout=20), process.stderr.read() if process.stderr else "") == (130, "")
