"""Does stopping lose anything? `python -m benchmarks.resume`, from the project's root; half an hour on a core.

For every system, preset and ablation, cut down to 32 x 32 and an eighth of the width or less, 100 steps against 50 and
50; for SCGAN's preset `paper` as it is, 2 against 1 and 1; and for every system's `tiny` a run that is killed 10 times
at random moments against one that is not. Networks with their spectral vectors, averages, Adam's moments, pools, noise,
data position, scores, logs and pictures are compared bit for bit.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import torch

from gan.runs.checkpoint import checkpoint_paths, load_newest
from gan.settings.run_settings import RunSettings, write_settings
from gan.training.fit import fit
from tests.drawn import write_drawn_shards
from tests.gan.resuming import CASES, ONE_OF, difference, settings_of

# 40 rows in batches of 4: 100 steps of 5 batches are 50 epochs, of which the rates fall in the last.
LONG = ("schedule.epochs=50", "schedule.n_repeat=5", "log.evaluate_every=20", "log.evaluate_rows=8",
        "log.sample_every=50", "log.checkpoint_every=50")  # fmt: skip
KILLED = ("log.checkpoint_every=2", "log.evaluate_every=3", "log.evaluate_rows=4", "log.sample_every=5",
          "log.sample_columns=2", "schedule.decay_epochs=0", "schedule.n_repeat=1")  # fmt: skip


@click.command()
@click.option("--steps", default=100, show_default=True, type=click.IntRange(2), help="Of the cut-down runs.")
@click.option("--kills", default=10, show_default=True, type=click.IntRange(0), help="Of every case with tiny.")
@click.option("--whole/--no-whole", default=True, show_default=True, help="SCGAN's preset paper as it is.")
@click.option("--only", multiple=True, type=click.Choice(list(CASES)), help="Of the cut-down cases; repeatable.")
@click.option("--seed", default=0, show_default=True, help="Decides when to kill.")
def main(steps: int, kills: int, whole: bool, only: tuple[str, ...], seed: int) -> None:
    """Print the table; leave with 1 if anything differs."""
    same = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        counts = {"train": 40, "val": 8}
        shards = write_drawn_shards(folder / "shards", counts)
        one_of = write_drawn_shards(folder / "one-of", counts, names=ONE_OF)
        print(f"{'case':34} {'steps':>13} {'result':28} seconds", flush=True)
        for number, case in enumerate(only or CASES):
            settings = settings_of(case, *LONG)
            used = one_of if settings.attribute_kind == "softmax" else shards
            same &= resume(case, settings, used, folder / f"case-{number}", steps)
        if whole:
            many = write_drawn_shards(folder / "many", {"train": 240, "val": 8})
            settings = settings_of("preset paper", "log.evaluate_every=1", "log.evaluate_rows=8", cut=False)
            same &= resume("preset paper, not cut down", settings, many, folder / "whole", 2)
        for case in only or CASES:
            if kills and CASES[case].preset == "tiny":
                same &= kill(case, shards, folder / f"kill-{case}", kills, random.Random(seed))
    sys.exit(not same)


def resume(case: str, settings: RunSettings, shards: Path, folder: Path, steps: int) -> bool:
    """Compare a run with one that is stopped half-way."""
    start, half = time.monotonic(), steps // 2
    fit(shards, folder / "a", settings, steps=steps, device="cpu")
    fit(shards, folder / "b", settings, steps=half, device="cpu")
    fit(shards, folder / "b", settings, steps=steps, device="cpu", resume=True)
    found = difference(folder / "a", folder / "b", steps)
    return say(case, f"{steps} = {half} + {steps - half}", found, start)


def kill(case: str, shards: Path, folder: Path, kills: int, rng: random.Random) -> bool:
    """Compare a run with one of the command `gan fit` that is killed again and again, at any moment."""
    start, run, settings = time.monotonic(), folder / "b", settings_of(case, *KILLED)
    folder.mkdir()
    write_settings(folder / "settings.toml", settings)
    command = [sys.executable, "-c", "from cli.gan_command import main; main()", "fit", str(shards), "--out", str(run),
               "--device", "cpu", "--steps", "1000000"]  # fmt: skip
    done = 0
    for _ in range(kills):
        more = ["--resume"] if (run / "config.toml").exists() else ["--config", str(folder / "settings.toml")]
        with subprocess.Popen([*command, *more], stderr=subprocess.PIPE) as process:
            _wait_for_a_new_step(run / "metrics.jsonl", process, done)
            time.sleep(rng.uniform(0, 0.5))
            process.send_signal(signal.SIGKILL)
        done = load_newest(run).step if checkpoint_paths(run) else 0
    steps = done + 3
    fit(shards, run, settings, steps=steps, device="cpu", resume=True)
    fit(shards, folder / "a", settings, steps=steps, device="cpu")
    return say(f"{case}, {kills} times killed", str(steps), difference(folder / "a", run, steps), start)


def _wait_for_a_new_step(metrics: Path, process: "subprocess.Popen[bytes]", done: int) -> None:
    """Wait until a process has gone beyond the checkpoint that it started from."""
    before = metrics.stat().st_ino if metrics.exists() else None
    while process.poll() is None:
        # The file is replaced at the start of a run.
        if metrics.exists() and metrics.stat().st_ino != before and metrics.read_bytes().count(b"\n") > done:
            return
        time.sleep(0.01)
    raise SystemExit(f"gan fit ended by itself: {process.stderr.read().decode() if process.stderr else ''}")


def say(case: str, steps: str, found: str | None, start: float) -> bool:
    """Print a line of the table; give whether all was the same."""
    result = "the same bits" if found is None else f"DIFFERS: {found}"
    print(f"{case:34} {steps:>13} {result:28} {time.monotonic() - start:.0f}", flush=True)
    return found is None


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the killed processes; their threads decide the bits
    torch.set_num_threads(1)
    main()
