"""How fast batches come, and whether training waits for them: `python -m benchmarks.loading SHARDS`.

Three minutes on two cores. The loader alone, in images a second for each number of workers, stands beside what training
needs; then training with the loader beside training on one batch held in memory, in alternating stretches of one
process, so that what else runs on the machine falls on both.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path

import torch

from gan.computing.compute import Compute
from gan.computing.device import choose_device
from gan.data.batches import Rows, batches
from gan.data.order import BatchOrder
from gan.data.resident import ResidentRows
from gan.data.rows import Batch, training_rows
from gan.runs.presets import load_preset
from gan.training.job import Job, Request, set_up

ALTERED = ("augmentation.mirror=true", "augmentation.layouts=0.5")


@dataclass(frozen=True)
class Stretch:
    """The rate of training in images a second, by the clock and by the processor time of this process alone."""

    by_clock: float
    by_processor: float


def loading_rate(rows: Rows, workers: int, device: torch.device, count: int = 120, batch: int = 16) -> float:
    """Give the images a second that `batches` makes on a device, the start of its workers left out."""
    stream = batches(rows, BatchOrder(len(rows), batch, seed=0), workers, device)
    for _ in islice(stream, 2 * workers + 1):  # what workers have ready before the clock starts is used up
        pass
    start = time.perf_counter()
    for made in islice(stream, count):
        made.x[0, 0, 0, 0].item()  # wait for the device
    return count * batch / (time.perf_counter() - start)


def trainer_on(shards: Path, preset: str, device: torch.device, overrides: Sequence[str] = ()) -> Job:
    """Set up training of a preset, of which nothing is written."""
    settings = load_preset(preset, overrides)
    with tempfile.TemporaryDirectory() as folder:
        job = set_up(Compute(device, settings.compute.precision), Request(shards, Path(folder) / "run", settings))
    job.load(lambda done, total: None)
    return job


def train(job: Job, stream: Iterator[Batch], rounds: int) -> Stretch:
    """Train some rounds and give the rate."""
    clock, processor, before = time.perf_counter(), time.process_time(), job.progress.batches_used
    for _ in range(rounds):
        job.progress.advance(stream)  # ends when the device is done
    images = (job.progress.batches_used - before) * job.progress.settings.schedule.batch
    return Stretch(images / (time.perf_counter() - clock), images / (time.process_time() - processor))


def loaded_and_constant(job: Job, stretches: int, rounds: int) -> list[tuple[Stretch, Stretch]]:
    """Train in alternating stretches on batches from the loader and on one batch held in memory."""
    loaded = job.stream()
    constant = repeat(next(loaded))
    for stream in (loaded, constant):
        train(job, stream, 2)
    return [(train(job, loaded, rounds), train(job, constant, rounds)) for _ in range(stretches)]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--stretches", type=int, default=15, help="pairs of them")
    parser.add_argument("--rounds", type=int, default=6, help="of training in a stretch")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, help="of torch on a CPU")
    parser.add_argument("--no-paper", action="store_true", help="do not train `paper`: a round takes half a minute")
    chosen = parser.parse_args()
    device = choose_device(chosen.device)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)

    needed = {}
    for preset, rounds in (("tiny", 20), ("paper", 1)):
        if preset == "paper" and chosen.no_paper:
            continue
        job = trainer_on(chosen.shards, preset, device, ["data.resident=no"])
        constant = repeat(next(job.stream()))
        train(job, constant, 1)
        needed[preset] = train(job, constant, rounds).by_clock
    print(f"{'loader alone, images/s':34}" + "".join(f"{f'{workers} workers':>12}" for workers in chosen.workers)
          + f"{'resident':>12}{'training':>12}")  # fmt: skip
    for preset, rate in needed.items():
        for name, overrides in (("", ()), (", mirrored, half fresh", ALTERED)):
            settings = load_preset(preset, overrides)
            rows = training_rows(chosen.shards, settings)
            resident = ResidentRows(rows, device)
            resident.load(0, lambda done, total: None)
            rates = [loading_rate(rows, workers, device) for workers in chosen.workers]
            rates += [loading_rate(resident, 0, device), rate]
            print(f"{preset + name:34}" + "".join(f"{rate:12,.1f}" for rate in rates), flush=True)

    print(f"\n{'tiny: loader / one batch held':34}{'images/s':>12}{'by clock':>12}{'spread':>16}{'by processor':>14}")
    for workers in chosen.workers:
        job = trainer_on(chosen.shards, "tiny", device, [f"data.workers={workers}", "data.resident=no"])
        pairs = loaded_and_constant(job, chosen.stretches, chosen.rounds)
        clock = sorted(loaded.by_clock / constant.by_clock for loaded, constant in pairs)
        processor = statistics.median(loaded.by_processor / constant.by_processor for loaded, constant in pairs)
        rate = statistics.median(loaded.by_clock for loaded, _ in pairs)
        spread = f"{clock[len(clock) // 4]:.3f} .. {clock[-1 - len(clock) // 4]:.3f}"
        print(f"{f'{workers} workers':34}{rate:12,.1f}{statistics.median(clock):12.3f}{spread:>16}{processor:14.3f}")


if __name__ == "__main__":
    main()
