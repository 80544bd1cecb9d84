"""Fill the disk in the middle of a build, make room and run it again: is the result the same, byte for byte?

    python benchmarks/full_disk.py FOLDER [--root ROOT] [--times 10] [--limit 200] [--shard-size 4] [--workers 2]
    python benchmarks/full_disk.py --mount tmpfs|ext4 ...

FOLDER lies on a small file system that holds nothing else and at least 30 MB; with --mount one is made for the time of
the run, which needs root. ROOT is CelebA's folder; without it the project's own 72 photos. A build elsewhere is made
first. Then builds into FOLDER are begun, and after a shard drawn at random a file takes all the room that is left.
The build must end with status 1 and a sentence, `dataset.json` must name whole shards alone, and once the room is there
again the same command must go on to the same bytes. Told is which file there was no room for.
"""

import argparse
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskkit.shards.description import FILE_NAME, read_dataset

OWN_PHOTOS = Path(__file__).parent.parent / "fixtures" / "celeba"
MOUNTED_BYTES = 48 << 20
LARGEST_SPACE = 1 << 30  # bytes; a disk with more is not small, and filling it would trouble others
PATIENCE = 300.0  # seconds for one build
SENTENCE = re.compile(r"error: \S*/([\w.-]+) could not be written: No space left on device")
REFUSAL = re.compile(r"error: \S+: about [\d.,]+ MB are needed and [\d.,]+ MB are free")


@contextmanager
def mounted(kind: str) -> Iterator[Path]:
    """A small file system of its own; needs root."""
    with tempfile.TemporaryDirectory() as name:
        place, image = Path(name) / "disk", Path(name) / "image"
        place.mkdir()
        if kind == "tmpfs":
            command = ["mount", "-t", "tmpfs", "-o", f"size={MOUNTED_BYTES}", "tmpfs", str(place)]
        else:
            with image.open("wb") as file:
                file.truncate(MOUNTED_BYTES)
            subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
            command = ["mount", "-o", "loop", str(image), str(place)]
        if subprocess.run(command).returncode:
            sys.exit("mounting is not allowed here; give a FOLDER on a small file system instead of --mount")
        try:
            yield place
        finally:
            subprocess.run(["umount", str(place)], check=True)


def fill(path: Path) -> None:
    """Take all the room that is left, to the last byte that the system gives."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            while True:
                try:
                    file.write(bytes(size))
                    os.fsync(file.fileno())
                except OSError:
                    break


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check_promises(out: Path) -> None:
    """Leave with 1 unless every shard that `dataset.json` names is there and whole; before the first there is none."""
    for entry in read_dataset(out).shards if (out / FILE_NAME).exists() else []:
        if hashlib.sha256((out / entry.file).read_bytes()).hexdigest() != entry.sha256:
            sys.exit(f"{out / entry.file} is not what {FILE_NAME} promises")


def fail_once(command: list[str], out: Path, shards: int) -> str:
    """Begin or go on with a build, fill the disk when there are that many shards; the file that found no room.

    "the start" where the build saw it before it worked, "" where it was done before.
    """
    ballast = out.parent / "ballast"
    process = subprocess.Popen([*command, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    start = time.monotonic()
    while process.poll() is None and len(list(out.glob("*.h5"))) < shards:
        time.sleep(0.001)
        if time.monotonic() - start > PATIENCE:
            sys.exit(f"there were no {shards} shards within {PATIENCE:.0f} s")
    fill(ballast)
    _, messages = process.communicate(timeout=PATIENCE)
    ballast.unlink()
    if not process.returncode:
        return ""
    told = SENTENCE.search(messages)
    if process.returncode != 1 or not (told or REFUSAL.search(messages)) or "Traceback" in messages:
        sys.exit(f"the build ended with status {process.returncode}: {messages}")
    if told is None:
        return "the start"
    check_promises(out)
    return told[1]


def run(place: Path, command: list[str], times: int, rng: random.Random) -> None:
    """Fill, make room, go on and compare, that many times."""
    start, out = time.monotonic(), place / "shards"
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        subprocess.run([*command, str(whole)], check=True, capture_output=True)
        wanted, total = contents(whole), len(read_dataset(whole).shards)
        room = shutil.disk_usage(place).free
        needed = sum(map(len, wanted.values()))
        if not 2 * needed < room < LARGEST_SPACE:
            sys.exit(f"{place} has {room / 1e6:,.0f} MB of room; {2 * needed / 1e6:,.0f} to 1,000 are wanted")
    full, results, early = Counter[str](), 0, 0
    while full.total() < times:
        found = fail_once(command, out, rng.randrange(total + 1))
        if found:
            full["a shard" if found.endswith(".h5") else found] += 1
        else:
            early += 1
        if not found or rng.random() < 0.5:  # the others fill it again, further on
            subprocess.run([*command, str(out)], check=True, capture_output=True)
            if contents(out) != wanted:
                sys.exit(f"after {full.total()} times the result differs")
            shutil.rmtree(out)
            results += 1
    told = ", ".join(f"{what} {count}" for what, count in full.most_common())
    print(
        f"{full.total()} times without room for: {told}; {early} builds were done before; {results} results, all equal "
        f"to that of a build with room ({total} shards); {time.monotonic() - start:.0f} s"
    )


def main() -> None:
    """Leave with 1 and a sentence if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--mount", choices=("tmpfs", "ext4"))
    parser.add_argument("--root", type=Path, default=OWN_PHOTOS)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--shard-size", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if (asked.folder is None) == (asked.mount is None):
        parser.error("give a FOLDER on a small file system, or --mount")
    code = "from cli.maskkit_command import main; main()"
    command = [sys.executable, "-c", code, "build-celeba", str(asked.root), "--limit", str(asked.limit)]
    command += ["--shard-size", str(asked.shard_size), "--workers", str(asked.workers)]
    if asked.mount is None:
        run(asked.folder, command, asked.times, random.Random(asked.seed))
        return
    with mounted(asked.mount) as place:
        run(place, command, asked.times, random.Random(asked.seed))


if __name__ == "__main__":
    main()
