"""python -m tests.fuzz TARGET [--seconds 600] [--work FOLDER] | python -m tests.fuzz TARGET --replay FILE

Feeds the readers of one target with inputs that atheris and libFuzzer grow by coverage of maskkit's own code. An
exception that is none of ours is written to WORK/TARGET/found with its traceback, once for each place it came from,
and fuzzing goes on; what ends the process itself (a crash of a C library, more than a time or memory limit) is written
there by libFuzzer, and the next process goes on with what was learned. At the end these are tried once more, because a
machine that stands still makes any input late. Then a line with executions, coverage and finds. Exit status 1 if
anything was found. --replay runs one input, so that its traceback is seen.
"""

import argparse
import hashlib
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random

NAMES = ("points", "tables", "shards", "manifests", "masks")
SECONDS_EACH = 60  # for one input; a machine that others use may stand still
MEMORY = 1024  # MiB in use
ADDRESSES = 6 << 30  # bytes that may be asked for: a wild claim ends in a MemoryError, which is a find
ENDS = ("crash-", "timeout-", "oom-", "leak-", "slow-unit-")  # of a process, as libFuzzer names the inputs
OWN_MUTATIONS = 0.6  # the rest are libFuzzer's


def main() -> int:
    """Run processes one after another until the time is over; sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "maskkit-fuzz")
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.replay:
        return replay(options.target, options.replay)
    place = options.work / options.target
    corpus, found = place / "corpus", place / "found"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    if options.child:
        fuzz(options.target, corpus, found, options.seconds)
    started, executions, figures = time.monotonic(), 0, "no coverage"
    command = [sys.executable, "-m", "tests.fuzz", options.target, "--work", str(options.work), "--child", "--seconds"]
    with (place / "log.txt").open("a", buffering=1) as log:
        while (left := options.seconds - (time.monotonic() - started)) > 1:
            child = subprocess.Popen([*command, str(int(left))], stderr=subprocess.PIPE, text=True, errors="replace")
            assert child.stderr is not None
            counted = 0
            for line in child.stderr:
                log.write(line)
                if match := re.match(r"#(\d+)\s.*?(cov: \d+ ft: \d+ corp: \d+)", line):
                    counted, figures = int(match[1]), match[2]
                elif match := re.match(r"stat::number_of_executed_units:\s*(\d+)", line):
                    counted = int(match[1])
            executions += counted
            child.wait()
    for path in found.glob("*-*"):
        if path.name.startswith(ENDS) and passes(options.target, path):
            path.unlink()
    finds = sorted(path.name for path in found.iterdir() if path.suffix != ".txt")
    seconds = time.monotonic() - started
    print(f"{options.target}: {executions:,} executions in {seconds:.0f} s, {figures}, {len(finds)} finds {finds}")
    return 1 if finds else 0


def replay(name: str, path: Path) -> int:
    """Run one input in this process."""
    from tests.fuzz.targets import TARGETS

    _limit_memory()
    with tempfile.TemporaryDirectory() as folder:
        TARGETS[name].run(path.read_bytes(), Path(folder))
    return 0


def passes(name: str, path: Path) -> bool:
    """Whether an input does no harm to a process of its own."""
    try:
        command = [sys.executable, "-m", "tests.fuzz", name, "--replay", str(path)]
        return subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))


def fuzz(name: str, corpus: Path, found: Path, seconds: int) -> None:
    """Fuzz in this process, which libFuzzer ends."""
    _limit_memory()
    import atheris

    with atheris.instrument_imports(include=["maskkit"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS, kept_inputs

    target = TARGETS[name]
    inputs = [*target.starts(), *kept_inputs(name)]
    for data in inputs:
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    memory = Path("/dev/shm")  # thousands of small files a second
    folder = Path(tempfile.mkdtemp(prefix=f"maskkit-fuzz-{name}-", dir=memory if memory.is_dir() else None))
    seen = {path.name for path in found.iterdir()}

    def run(data: bytes) -> None:
        try:
            target.run(data, folder)
        except Exception as error:
            signature = _signature(error)
            if signature not in seen:
                seen.add(signature)
                (found / signature).write_bytes(data)
                (found / f"{signature}.txt").write_bytes(traceback.format_exc().encode(errors="backslashreplace"))

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        rng = Random(seed)
        changed = target.mutate(data, rng) if rng.random() < OWN_MUTATIONS else None
        return changed if changed is not None and len(changed) <= most else atheris.Mutate(data, most)

    flags = {
        "max_total_time": seconds,
        "timeout": SECONDS_EACH,
        "rss_limit_mb": MEMORY,
        "max_len": target.longest,
        "len_control": 0,
        "artifact_prefix": f"{found}/",
        "print_final_stats": 1,
    }
    arguments = [f"-{flag}={value}" for flag, value in flags.items()]
    atheris.Setup([sys.argv[0], *arguments, str(corpus)], run, custom_mutator=mutate)
    atheris.Fuzz()


def _signature(error: BaseException) -> str:
    """The kind of an error and the innermost place in maskkit that it came through, as a file's name."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/maskkit/" in frame.filename]
    frames = frames or traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__}-{Path(frames[-1].filename).stem}-{frames[-1].name}"


if __name__ == "__main__":
    sys.exit(main())
