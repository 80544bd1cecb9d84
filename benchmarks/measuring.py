"""Roads timed against their floors, a table of the ratios, and what earlier runs on the same machine measured."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from maskkit.files.atomic import write_atomically

KEPT = Path(__file__).parent / "kept"
SHORTEST = 0.03  # seconds of one timing; shorter work is repeated
LONGEST = 10  # seconds after which no third round is begun
LIBRARIES = ("maskkit", "numpy", "opencv-python-headless", "h5py", "pillow", "dlib-bin", "numba", "simplejpeg", "torch")


@dataclass(frozen=True)
class Road:
    """Work on `count` items and the least that it could cost, its floor; both without arguments."""

    name: str
    count: int
    work: Callable[[], object]
    floor: Callable[[], object]
    against: str
    rounds: int = 7
    warm: bool = True


@dataclass(frozen=True)
class Figure:
    """Seconds an item, median of the rounds, of a road and its floor; their ratio with the smallest and largest."""

    name: str
    seconds: float
    floor_seconds: float
    ratio: float
    lowest: float
    highest: float
    against: str

    def worse_than(self, last: "Figure") -> bool:
        """Whether it lost ground by more than the spread of both measurements."""
        return self.ratio > last.highest and self.lowest > last.ratio


def measure(road: Road) -> Figure:
    """Time a road and its floor in alternating rounds in this process."""
    start, times, pairs = time.perf_counter(), (1, 1), []
    if road.warm:
        times = _repetitions(road.work), _repetitions(road.floor)
    for _ in range(road.rounds):
        pairs.append((_timed(road.work, times[0]) / road.count, _timed(road.floor, times[1]) / road.count))
        if len(pairs) > 1 and time.perf_counter() - start > LONGEST:
            break
    ratios = [own / bare for own, bare in pairs]
    own, bare = (median(pair[i] for pair in pairs) for i in (0, 1))
    return Figure(road.name, own, bare, median(ratios), min(ratios), max(ratios), road.against)


def show(roads: Iterable[Road], last: dict[str, Figure]) -> list[Figure]:
    """Measure roads one after the other, printing a line for each as it is done."""
    print(f"{'road':46} {'an item':>9} {'floor':>9} {'ratio':>6}  {'spread':13} {'last':>6}    floor is", flush=True)
    figures = []
    for road in roads:
        print(f"{road.name:46} ", end="", flush=True)  # what is being measured
        figure = measure(road)
        figures.append(figure)
        before = last.get(figure.name)
        spread = f"{figure.lowest:.2f} .. {figure.highest:.2f}"
        beside = f"{before.ratio:6.2f}" if before else f"{'-':>6}"
        mark = "!" if before and figure.worse_than(before) else " "
        print(
            f"{_shown(figure.seconds):>9} {_shown(figure.floor_seconds):>9} {figure.ratio:6.2f}  {spread:13} "
            f"{beside} {mark}  {figure.against}",
            flush=True,
        )
    worse = [figure.name for figure in figures if figure.name in last and figure.worse_than(last[figure.name])]
    if worse:
        print(f"! worse than the last kept result by more than the spread: {', '.join(worse)}")
    return figures


def circumstances(**more: Any) -> dict[str, Any]:
    """What the figures depend on: code version, library versions, processor, threads; `more` is added."""
    return {
        "code": _code_version(),
        "python": platform.python_version(),
        "libraries": {name: _installed(name) for name in LIBRARIES},
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        **more,
    }


def last_kept(here: dict[str, Any], folder: Path = KEPT) -> dict[str, Figure]:
    """The newest kept figures of this machine by name: the same processor, cores, threads and device."""
    for path in sorted(folder.glob("*.json"), reverse=True):
        content = json.loads(path.read_text())
        there = content["circumstances"]
        if all(there.get(key) == here.get(key) for key in ("processor", "cores", "threads", "device")):
            return {entry["name"]: Figure(**entry) for entry in content["figures"]}
    return {}


def keep(figures: list[Figure], here: dict[str, Any], folder: Path = KEPT) -> Path:
    """Write figures and circumstances as JSON in the folder of kept results; the names sort by time."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{here['code'].split('+')[0]}.json"
    text = json.dumps({"circumstances": here, "figures": [asdict(figure) for figure in figures]}, indent=1) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))
    return path


def _repetitions(work: Callable[[], object]) -> int:
    """Warm the work up, and say how often it must be done to take long enough."""
    if _timed(work) >= SHORTEST:
        return 1
    return max(1, round(SHORTEST / _timed(work)))


def _timed(work: Callable[[], object], times: int = 1) -> float:
    """Seconds that one call takes, averaged over `times`."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


def _shown(seconds: float) -> str:
    """Seconds with the unit that gives a number from 1 to 1000."""
    for factor, unit in ((1e6, "us"), (1e3, "ms")):
        if seconds * factor < 1000:
            return f"{seconds * factor:.1f} {unit}"
    return f"{seconds:.2f} s"


def _code_version() -> str:
    """The git commit, with +changes where files differ from it; outside of a checkout the package's version."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return _installed("maskkit")
    return commit.stdout.strip() + ("+changes" if changes.stdout.strip() else "")


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
