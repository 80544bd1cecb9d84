"""Kill a build with SIGKILL at random moments and run it again each time: is the result the same, byte for byte?

    python benchmarks/kills.py ROOT [--kills 100] [--workers 2] [--limit 300] [--shard-size 20] [--seed 0]

ROOT is CelebA's folder, as `maskkit build-celeba` takes it. An uninterrupted build is made first and timed. Then builds
are begun and killed after a time drawn between nothing and what that one took; whenever one ends before its kill, its
files are compared with the first build's and a new one is begun. Small shards make many moments between two writes.
Also counted: workers that outlive a killed build by more than five seconds.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def members(group: int) -> int:
    """How many processes of a group are left."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        count += fields[0] != "Z" and int(fields[2]) == group
    return count


def main() -> None:
    """Kill, run again, compare, and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--shard-size", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, out = Path(folder) / "whole", Path(folder) / "killed"
        command = [
            sys.executable,
            "-c",
            "from cli.maskkit_command import main; main()",
            "build-celeba",
            str(asked.root),
        ]
        options = ["--limit", str(asked.limit), "--shard-size", str(asked.shard_size), "--workers", str(asked.workers)]
        start = time.monotonic()
        subprocess.run([*command, str(whole), *options], check=True, capture_output=True)
        usual = time.monotonic() - start
        wanted = contents(whole)
        kills = finished = orphans = 0
        while kills < asked.kills:
            process = subprocess.Popen(
                [*command, str(out), *options],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            try:
                process.wait(rng.uniform(0, usual))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
                orphans += _left_behind(process.pid)
                continue
            _, messages = process.communicate()
            if process.returncode:
                sys.exit(f"after {kills} kills the build failed: {messages.decode()}")
            finished += 1
            _compare(out, wanted, kills)
        subprocess.run([*command, str(out), *options], check=True, capture_output=True)
        _compare(out, wanted, kills, keep=True)
        print(
            f"{kills} kills with {asked.workers} workers: {finished + 1} results, all equal; {orphans} workers stayed"
        )
        if orphans:
            sys.exit(1)


def _compare(out: Path, wanted: dict[str, bytes], kills: int, keep: bool = False) -> None:
    found = contents(out)
    if found != wanted:
        names = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        sys.exit(f"after {kills} kills these differ: {', '.join(names)}")
    if not keep:
        for path in out.iterdir():
            path.unlink()


def _left_behind(group: int) -> int:
    """Workers of a killed build that are still there after five seconds; they are ended then."""
    deadline = time.monotonic() + 5
    while members(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = members(group)
    if left:
        os.killpg(group, signal.SIGKILL)
    return left


if __name__ == "__main__":
    main()
