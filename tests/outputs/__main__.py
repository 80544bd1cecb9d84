"""Run every command that writes through the odd moments of its output, and say what was lost or half.

    python -m tests.outputs [COMMAND ...] [--moments 20] [--offsets 10] [--json] [--work FOLDER]

COMMAND is one such as "maskkit export"; all of them without. Each is run in forked processes: with something in the
way before it starts, with something that appears at its output while it works, stopped by SIGINT, SIGTERM, SIGHUP and
SIGKILL at so many of its steps on the disk, its renames among them, and beside a second one that starts at so many of
them. After each: nothing that was there is lost unless it was ours and named; status 0 means that all of it is there;
the next start ends well and leaves nothing behind. Exit status 1 if anything failed.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

LOADED = (
    "gan.evaluation.measures", "gan.evaluation.work", "gan.experiments.compare", "gan.experiments.reproduce",
    "gan.figures.comparison", "gan.figures.label_panels", "gan.figures.loss_curves", "gan.figures.sequence_grids",
    "gan.pictures.rendering", "gan.runs.export", "gan.runs.release_weights", "gan.training.fit",
    "torch.utils.tensorboard", "torchmetrics.image",
)  # fmt: skip
os.environ["OMP_NUM_THREADS"] = "1"  # before torch: a forked process must not wait for threads that it has not


def main() -> int:
    """Run the cases of the commands asked for."""
    import cv2

    from maskkit.detection.cascade import detect
    from maskkit.photos.images import read_image
    from tests.outputs.cases import Bench, appearing, meeting, quick, standing, stopping
    from tests.outputs.forks import in_fork
    from tests.outputs.recipes import RECIPES, ROOT, make_inputs

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", metavar="COMMAND")
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--offsets", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="one or two of each kind, for the test suite")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", type=Path, help="keeps the cases there")
    asked = parser.parse_args()
    for module in LOADED:  # once for all the forked processes
        import_module(module)
    cv2.setNumThreads(1)
    detect(read_image(ROOT / "fixtures" / "faces" / "hopper.jpg"), "hog")  # the models are loaded once for all
    memory = Path("/dev/shm")  # thousands of small folders
    work = asked.work or Path(tempfile.mkdtemp(prefix="maskkit-outputs-", dir=memory if memory.is_dir() else None))
    inputs, found = work / "inputs", {}
    inputs.mkdir(parents=True)
    make_inputs(inputs, in_fork)
    for name in asked.commands or RECIPES:
        start = time.monotonic()
        benches = [Bench(name, recipe, inputs, work / f"{name} {i}") for i, recipe in enumerate(RECIPES[name])]
        for bench in benches:
            if asked.quick:
                quick(bench)
            else:
                standing(bench)
                appearing(bench)
                stopping(bench, asked.moments)
                meeting(bench, asked.offsets)
            if not asked.work:
                shutil.rmtree(bench.work)
        failures = [failure for bench in benches for failure in bench.failures]
        found[name] = failures
        if not asked.json:
            results: dict[str, int] = {}
            for bench in benches:
                for status, times in bench.results.items():
                    results[status] = results.get(status, 0) + times
            ends = ", ".join(f"{status}: {times}" for status, times in sorted(results.items()))
            cases = sum(bench.cases for bench in benches)
            print(f"{name}: {cases} cases, ends {ends}, {len(failures)} failures, {time.monotonic() - start:.0f} s")
            for failure in failures:
                print(f"  {failure}")
            sys.stdout.flush()
    if asked.json:
        print(json.dumps(found))
    if not asked.work:
        shutil.rmtree(work)
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
