"""A whole build with two workers against bare dlib in one process, and the memory of all its processes together.

    python benchmarks/build.py IMAGES [--rounds 5] [--limit N] [--memory 12000,24000]

IMAGES is a folder of aligned photos as JPEG files, as CelebA's img_align_celeba. The floor reads every photo with
OpenCV, runs dlib's HOG detector on RGB without upsampling and its predictor on the first box (the usual one on a miss).
Rounds alternate floor, build and build with --quality, each in a process of its own; the floor's clock stops at its own
start-up, the build's is that of `maskkit.build_celeba`, worker processes included. The median of the rounds is printed,
with the smallest and the largest. Memory is the largest sum of the proportional set sizes (PSS) of the build's
processes, read every 0.2 seconds from /proc in a build that is not timed; `--memory` builds that many photos, the same
ones under other names. Processor seconds tell what a busy machine hides.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

WORKERS = 2
USUAL_BOX = (45, 93, 131, 179)


def floor(images: Path, limit: int | None) -> dict[str, float]:
    """Seconds and processor seconds of bare dlib and JPEG decoding, models loaded before."""
    import cv2
    import dlib

    from maskkit.detection.dlib_models import find_model

    cv2.setNumThreads(1)
    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(find_model()))
    paths = sorted(images.glob("*.jpg"))[:limit]
    used, start = _processor(), time.perf_counter()
    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        boxes = detector(image, 0)
        predictor(image, boxes[0] if boxes else dlib.rectangle(*USUAL_BOX))
    return {"seconds": time.perf_counter() - start, "processor": _processor() - used}


def build(root: Path, quality: bool, limit: int | None, watched: bool) -> dict[str, float]:
    """Seconds, processor seconds and, if `watched`, the peak memory (MB) of all processes of a whole build."""
    import maskkit

    peak = [0.0]
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(os.getpid(), peak, stop))
    if watched:
        watcher.start()
    with tempfile.TemporaryDirectory() as folder:
        options = maskkit.BuildOptions(attributes=(), quality=quality, limit=limit)
        used, start = _processor(), time.perf_counter()
        maskkit.build_celeba(root, folder, options, workers=WORKERS)
        seconds, used = time.perf_counter() - start, _processor() - used
    stop.set()
    if watched:
        watcher.join()
    return {"seconds": seconds, "processor": used, "memory": peak[0]}


def _processor() -> float:
    """Processor seconds of this process and of its children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _watch(process: int, peak: list[float], stop: threading.Event) -> None:
    while not stop.wait(0.2):
        peak[0] = max(peak[0], sum(map(_pss, _family(process))) / 1e3)


def _family(process: int) -> list[int]:
    """A process and all its descendants."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    family = [process]
    for one in family:
        family += [child for child, parent in parents.items() if parent == one]
    return family


def _pss(process: int) -> int:
    """Proportional set size in kB; 0 for a process that ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def make_root(images: Path, folder: Path, count: int | None = None) -> Path:
    """CelebA's layout round the photos: hard links under new names, `count` of them, and a table without attributes."""
    paths = sorted(images.resolve().glob("*.jpg"))
    if not paths:
        sys.exit(f"{images}: no .jpg photos")
    (folder / "img_align_celeba").mkdir()
    names = [f"{number:06d}.jpg" for number in range(1, (count or len(paths)) + 1)]
    for number, name in enumerate(names):
        source, target = paths[number % len(paths)], folder / "img_align_celeba" / name
        try:
            os.link(source, target)
        except OSError:  # another file system, or more links than it allows
            target.write_bytes(source.read_bytes())
    rows = "".join(f"{name}  1\n" for name in names)
    (folder / "list_attr_celeba.txt").write_text(f"{len(names)}\nMale\n{rows}")
    return folder


def _apart(*arguments: str) -> dict[str, float]:
    """Run one measurement of this script in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, check=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def report(name: str, values: list[float], unit: str) -> None:
    """Print the median with the smallest and the largest."""
    ordered = sorted(values)
    print(f"{name:44} {ordered[len(ordered) // 2]:8.2f} {unit}   {ordered[0]:.2f} .. {ordered[-1]:.2f}", flush=True)


def compare(images: Path, count: int, limit: tuple[str, ...]) -> None:
    """Print `count` alternating rounds of floor and builds, and the memory of one more build."""
    with tempfile.TemporaryDirectory() as folder:
        root = make_root(images, Path(folder))
        rounds = []
        for _ in range(count):
            bare = _apart(str(images), "--one", "floor", *limit)
            rounds.append((bare, *(_apart(str(root), "--one", kind, *limit) for kind in ("build", "quality"))))
        report("bare dlib and JPEG decoding, one process", [bare["seconds"] for bare, _, _ in rounds], "s")
        report("build, 2 workers", [plain["seconds"] for _, plain, _ in rounds], "s")
        report("build with --quality, 2 workers", [scored["seconds"] for _, _, scored in rounds], "s")
        report("build over bare dlib", [plain["seconds"] / bare["seconds"] for bare, plain, _ in rounds], "x")
        report("with --quality", [scored["seconds"] / bare["seconds"] for bare, _, scored in rounds], "x")
        report("processor seconds, bare dlib", [bare["processor"] for bare, _, _ in rounds], "s")
        report("processor seconds, build", [plain["processor"] for _, plain, _ in rounds], "s")
        watched = _apart(str(root), "--one", "memory", *limit)
        report("peak memory of all processes (PSS)", [watched["memory"]], "MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--rounds", type=int, default=5, help="0 measures memory alone")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--memory", default="", help="numbers of photos, such as 12000,24000")
    parser.add_argument("--one", choices=("floor", "build", "quality", "memory"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one == "floor":
        print(json.dumps(floor(asked.images, asked.limit)))
        return
    if asked.one:
        print(json.dumps(build(asked.images, asked.one == "quality", asked.limit, asked.one == "memory")))
        return
    if asked.rounds:
        compare(asked.images, asked.rounds, ("--limit", str(asked.limit)) if asked.limit else ())
    for count in filter(None, asked.memory.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            root = make_root(asked.images, Path(folder), int(count))
            report(f"peak memory, {int(count):,} photos", [_apart(str(root), "--one", "memory")["memory"]], "MB")


if __name__ == "__main__":
    main()
