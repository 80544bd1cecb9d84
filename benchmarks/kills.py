"""Kill a build with SIGKILL at random moments and run it again each time: is the result the same, byte for byte?

    python benchmarks/kills.py [ROOT] [--run 2:100 --run 1:10 --run 4:10 --run ray:10] [--limit 200] [--shard-size 4]
                               [--seed 0]

ROOT is CelebA's folder, as `maskkit build-celeba` takes it; without it the project's own 72 photos. Each `--run` is a
series of WORKERS:KILLS; `ray` is a Ray with two processors. A series begins with a build that is left alone. Then one
is begun, killed and begun again; when it ends before its kill, its files are compared with the first's, and the next
one begins.

One kill in six falls into the start-up; the others come up to a third of the work's time after the first shard that a
run finishes, so that a build is killed some times on its way. Small shards make many moments between two writes. The
kills hit, in turn, the command alone and all of its processes at once. The next run starts at once, while processes
that the first kind left behind may still be ending; how long they take is told, and three minutes are too long.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from maskkit.files.hidden import LOCK_INSIDE
from maskkit.shards.description import FILE_NAME, read_dataset

OWN_PHOTOS = Path(__file__).parent.parent / "fixtures" / "celeba"
START_UP_SHARE = 1 / 6  # of the kills
DELAY_SHARE = 1 / 3  # of the work's time, at most
PATIENCE = 180.0  # seconds for what a killed command left behind; Ray's agents need more than one minute


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but a lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != LOCK_INSIDE}


def members(session: int) -> list[int]:
    """The processes of a session that are left; Ray's workers have process groups of their own in it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if fields[0] != "Z" and int(fields[3]) == session:
            found.append(int(folder.name))
    return found


class Orphans:
    """What killed commands left behind, until it has ended by itself."""

    def __init__(self) -> None:
        self.killed: dict[int, float] = {}  # session -> when
        self.longest = 0.0

    def add(self, session: int) -> None:
        """Watch what is left of a session from now on."""
        self.killed[session] = time.monotonic()

    def look(self) -> None:
        """Forget the sessions that have ended; leave with 1 where one takes too long."""
        for session, when in list(self.killed.items()):
            lived = time.monotonic() - when
            if not members(session):
                self.longest = max(self.longest, lived)
                del self.killed[session]
            elif lived > PATIENCE:
                left = members(session)
                for process in left:
                    os.kill(process, signal.SIGKILL)
                sys.exit(f"{len(left)} processes outlived their build by {PATIENCE:.0f} s")

    def wait(self) -> None:
        """Until all have ended."""
        while self.killed:
            self.look()
            time.sleep(0.1)


def series(command: list[str], folder: Path, kills: int, rng: random.Random, name: str) -> None:
    """One series: kill, run again, compare, and print what happened."""
    start, out, whole = time.monotonic(), folder / "killed", folder / "whole"
    process = _begin(command, whole)
    first = _first_shard(process, whole, 0, None)
    _finish(process, f"the first build with {name}")
    work = time.monotonic() - start - first
    wanted, total = contents(whole), len(read_dataset(whole).shards)
    orphans, moments, tenths = Orphans(), Counter[str](), Counter[int]()
    done = results = 0
    while done < kills:
        before = _shards(out)
        process = _begin(command, out)
        if rng.random() < START_UP_SHARE:
            _wait(process, rng.uniform(0, first))
        else:
            _first_shard(process, out, before, 30 + 10 * first)
            _wait(process, rng.uniform(0, DELAY_SHARE * work))
        if process.poll() is not None:
            _finish(process, f"after {done} kills the build with {name}")
            results += _compare(out, wanted, done)
            continue
        everybody = members(process.pid) if done % 2 else [process.pid]
        for one in everybody:
            _kill(one)
        process.communicate()
        orphans.add(process.pid)
        orphans.look()
        done += 1
        moments[_moment(out, before)] += 1
        tenths[10 * _shards(out) // total] += 1
    _finish(_begin(command, out), f"the last build with {name}")
    results += _compare(out, wanted, done)
    orphans.wait()
    print(
        f"{name}: {done} kills, {results} results, all equal to that of a build left alone ({total} shards); "
        f"{time.monotonic() - start:.0f} s\n"
        f"  fell into: {', '.join(f'{what} {times}' for what, times in moments.most_common())}\n"
        f"  at tenths of the work: {' '.join(f'{tenths[tenth]}' for tenth in range(11))}\n"
        f"  the last process left behind ended after {orphans.longest:.1f} s",
        flush=True,
    )


def _begin(command: list[str], out: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*command, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def _first_shard(process: "subprocess.Popen[bytes]", out: Path, before: int, patience: float | None) -> float:
    """Wait until a run has finished a shard, or has ended; the seconds that it took."""
    start = time.monotonic()
    while process.poll() is None and _shards(out) <= before:
        if patience is not None and time.monotonic() - start > patience:
            sys.exit(f"a run again made no shard within {patience:.0f} s")
        time.sleep(0.001)
    return time.monotonic() - start


def _shards(out: Path) -> int:
    """Finished shards, by their names alone."""
    return len(list(out.glob("*.h5")))


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended meanwhile


def _finish(process: "subprocess.Popen[bytes]", what: str) -> None:
    _, messages = process.communicate()
    if process.returncode:
        sys.exit(f"{what} failed: {messages.decode()}")


def _moment(out: Path, before: int) -> str:
    """What a killed run was at, by what it left."""
    if not (out / FILE_NAME).exists():
        return "start-up"
    dataset = read_dataset(out)
    if dataset.complete:
        return "ledger and preview"
    if any(out.glob(".*.h5.*.partial")):
        return "writing a shard"
    if any(out.glob(".*.partial")) or _shards(out) > len(dataset.shards):
        return "between a shard and dataset.json"
    return "start-up" if _shards(out) <= before else "working"


def _compare(out: Path, wanted: dict[str, bytes], kills: int) -> int:
    found = contents(out)
    if found != wanted:
        names = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        sys.exit(f"after {kills} kills these differ: {', '.join(names)}")
    for path in out.iterdir():
        path.unlink()
    return 1


def _series(text: str) -> tuple[str, int]:
    workers, _, kills = text.partition(":")
    if not (workers == "ray" or workers.isdecimal()) or not kills.isdecimal():
        raise argparse.ArgumentTypeError("WORKERS:KILLS is expected, such as 2:100 or ray:10")
    return workers, int(kills)


def main() -> None:
    """Run the series in turn; leave with 1 and a sentence if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, nargs="?", default=OWN_PHOTOS)
    parser.add_argument("--run", type=_series, action="append", help="WORKERS:KILLS or ray:KILLS")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--shard-size", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    code = "from cli.maskkit_command import main; main()"
    command = [sys.executable, "-c", code, "build-celeba", str(asked.root)]
    command += ["--limit", str(asked.limit), "--shard-size", str(asked.shard_size)]
    for workers, kills in asked.run or [("2", 100), ("1", 10), ("4", 10), ("ray", 10)]:
        who = ["--engine", "ray", "--workers", "2"] if workers == "ray" else ["--workers", workers]
        name = "Ray" if workers == "ray" else f"{workers} worker{'s' if workers != '1' else ''}"
        with tempfile.TemporaryDirectory() as folder:
            series([*command, *who], Path(folder), kills, rng, name)


if __name__ == "__main__":
    main()
