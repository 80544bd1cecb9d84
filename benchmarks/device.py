"""What each way of computing a round buys on this device: `python -m benchmarks.device [SHARDS]`, under ten minutes.

Every way starts from the same weights, data and random draws, does a few rounds of SCGAN as the paper has it that are
not timed - kernels are chosen and compiled in them - and then those that are. Ways: Algorithm 1 taken literally; the
same round without what it computes twice, every switch off; each switch alone; all that are on by themselves, in each
precision. Then the fastest way is profiled: a table of what is left. Shown for each way: real photos a second; how
much faster than the literal way; the share of the rate of one large matrix product in its precision, measured in the
same run, by the multiplications of the round with every switch off; the time of 20 epochs of CelebA; the most memory
of the device in use; and the largest relative difference of a first loss from the literal way's.

SHARDS is a data set at 128 pixels or more; without one, 2,048 rows are made of the repository's own photos. On a
processor it takes hours at full size: try --size 32 --width 8 --batch 4.
"""

import argparse
import gc
import json
import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.literal import Literal, literal_batches, literal_round
from benchmarks.measuring import circumstances
from benchmarks.preparing import make_material
from gan.computing.compute import Compute
from gan.computing.device import choose_device, most_memory
from gan.computing.memory import freed_memory_kept
from gan.data.batches import batches
from gan.data.order import BatchOrder
from gan.data.resident import make_resident
from gan.data.rows import Batch, training_rows
from gan.runs.presets import load_preset
from gan.settings.run_settings import RunSettings
from gan.systems.scgan import SCGAN, Losses
from maskkit.files.atomic import write_atomically

CELEBA = 20 * 202_599  # photos of 20 epochs
WARM_UP = 5  # rounds before the clock starts; a graph is captured in the fourth
SWITCHES = ("channels_last", "fused", "fakes_at_once", "compile", "graphs")
OFF = ("compute.precision=32", "data.resident=no", *(f"compute.{name}=off" for name in SWITCHES))
LITERAL, PLAIN = "Algorithm 1 taken literally", "every switch off"


@dataclass(frozen=True)
class Way:
    """A way of computing rounds: its name and the settings that differ from the preset's."""

    name: str
    overrides: tuple[str, ...] = OFF


@dataclass(frozen=True)
class Measured:
    """What a way costs; `memory` in bytes, of the device alone and so 0 on a processor."""

    name: str
    photos_a_second: float
    seconds_a_round: float
    share: float
    memory: int
    first_losses: dict[str, float]

    @property
    def hours(self) -> float:
        """How long 20 epochs of CelebA take."""
        return CELEBA / self.photos_a_second / 3600


def ways(device: torch.device) -> list[Way]:
    """All ways in the order of the table."""
    alone = {
        "precision tf32": ("compute.precision=tf32",),
        "precision bf16": ("compute.precision=bf16",),
        "precision bf16, channels last": ("compute.precision=bf16", "compute.channels_last=on"),
        "resident data": ("data.resident=yes",),
        "fused Adam": ("compute.fused=on",),
        "fakes at once": ("compute.fakes_at_once=on",),
        "compiled networks": ("compute.compile=on",),
        "round as one graph": ("compute.graphs=on",),
    }
    # A processor can compile too, but that takes minutes.
    needs_cuda = ("precision tf32", "compiled networks", "round as one graph")
    graph = ("compute.compile=on", "compute.graphs=on") if device.type == "cuda" else ()
    return [
        Way(LITERAL),
        Way(PLAIN),
        *(
            Way(f"{name} alone", OFF + overrides)
            for name, overrides in alone.items()
            if device.type == "cuda" or name not in needs_cuda
        ),
        *(
            Way(f"all together, {precision}", (f"compute.precision={precision}", *graph))
            for precision in ("32", "tf32", "bf16")
            if device.type == "cuda" or precision != "tf32"
        ),
    ]


class Bench:
    """The device, the rows of the shards, the size of the networks, and what all ways are compared with."""

    def __init__(self, shards: Path, device: torch.device, sizes: Sequence[str], rounds: int) -> None:
        self.shards, self.device, self.sizes, self.rounds = shards, device, tuple(sizes), rounds
        self.rates = {name: self._matrix_rate(name) for name in ("32", "tf32", "bf16")}
        self.flops = 0  # of a round with every switch off

    def settings(self, way: Way) -> RunSettings:
        """The settings of a way."""
        return load_preset("paper", [*self.sizes, *way.overrides])

    def rounds_of(self, way: Way) -> Callable[[], Losses]:
        """The rounds of a way from fresh weights: each call does the next one, reading what it needs."""
        settings = self.settings(way)
        rows = training_rows(self.shards, settings)
        compute = Compute(self.device, settings.compute.precision)
        system = SCGAN(settings, rows.description, compute)
        order = BatchOrder(len(rows), settings.schedule.batch, settings.seed)
        noise = torch.Generator().manual_seed(settings.seed)
        if way.name == LITERAL:
            literal, items = Literal(system), literal_batches(rows, order)
            return lambda: literal_round(literal, items, noise)
        resident = make_resident(rows, settings.data.resident, compute)
        if resident is not None:
            resident.load(0, lambda done, total: None)
        stream: Iterator[Batch] = batches(resident or rows, order, 0, self.device)
        return lambda: system.train_round(stream, noise)

    def measure(self, way: Way) -> Measured:
        """Do the rounds of a way and time them."""
        settings = self.settings(way)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        one = self.rounds_of(way)
        if way.name == PLAIN:
            with FlopCounterMode(display=False) as counter:
                first = one()
            self.flops = counter.get_total_flops()
        else:
            first = one()
        first_losses = {name: value.item() for name, value in first.items()}
        for _ in range(WARM_UP - 1):
            one()
        self.wait()
        start = time.perf_counter()
        for _ in range(self.rounds):
            one()
        self.wait()
        seconds = (time.perf_counter() - start) / self.rounds
        photos = settings.schedule.batch * settings.schedule.n_repeat
        share = self.flops / seconds / self.rates[settings.compute.precision]
        memory = most_memory(self.device) if self.device.type == "cuda" else 0
        return Measured(way.name, photos / seconds, seconds, share, memory, first_losses)

    def profile(self, way: Way, rows: int = 25) -> str:
        """The table of what the device does in two rounds of a way."""
        one = self.rounds_of(way)
        for _ in range(WARM_UP):
            one()
        self.wait()
        cuda = self.device.type == "cuda"
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
        with profile(activities=activities) as recorded:
            one(), one()
            self.wait()
        by = "self_cuda_time_total" if cuda else "self_cpu_time_total"
        return recorded.key_averages().table(sort_by=by, row_limit=rows, max_name_column_width=70)

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _matrix_rate(self, precision: str) -> float:
        """Floating-point operations a second of a large matrix product, the best of several."""
        cuda = self.device.type == "cuda"
        side, kind = 8192 if cuda else 1024, torch.bfloat16 if precision == "bf16" else torch.float32
        factor = torch.randn(side, side, generator=torch.Generator().manual_seed(0)).to(self.device, kind)
        seconds = []
        with Compute(self.device, precision).arithmetic():
            for _ in range(10):
                self.wait()
                start = time.perf_counter()
                torch.mm(factor, factor)
                self.wait()
                seconds.append(time.perf_counter() - start)
        return 2 * side**3 / min(seconds)


def line(measured: Measured, literal: Measured) -> str:
    """A way's line of the table, compared with the literal way."""
    wanted = literal.first_losses
    differs = max(abs(measured.first_losses[name] - value) / (abs(value) + 0.01) for name, value in wanted.items())
    memory = f"{measured.memory / 1e9:7.1f}" if measured.memory else f"{'-':>7}"
    share = f"{measured.share:6.1%}" if measured.share else f"{'-':>6}"
    return (
        f"{measured.name:42} {measured.photos_a_second:9.1f} "
        f"{measured.photos_a_second / literal.photos_a_second:7.2f} {share} {measured.hours:9.2f} {memory} "
        f"{differs:9.1e}"
    )


def forget() -> None:
    """Free what the last way held, so that it does not weigh on the next."""
    torch.compiler.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def run(bench: Bench, only: str) -> tuple[list[Measured], str]:
    """Measure all ways, printing a line for each, and profile the fastest; a way that fails is named and passed over.

    The machine may be lent for an hour, and one way that this device cannot do must not cost the others.
    """
    print(f"{'way':42} {'photos/s':>9} {'faster':>7} {'share':>6} {'20 ep., h':>9} {'mem, GB':>7} {'differs':>9}")
    done: list[tuple[Measured, Way]] = []
    for way in ways(bench.device):
        if only not in way.name and way.name not in (LITERAL, PLAIN):
            continue
        try:
            measured = bench.measure(way)
        except Exception:
            traceback.print_exc()
            print(f"{way.name:42} failed, as the lines above say", flush=True)
        else:
            done.append((measured, way))
            print(line(measured, done[0][0]), flush=True)
        forget()
    if not done:
        return [], ""
    fastest = max(done, key=lambda pair: pair[0].photos_a_second)[1]
    print(f"\nwhat is left in two rounds of: {fastest.name}")
    table = bench.profile(fastest)
    print(table)
    return [measured for measured, _ in done], table


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; exit status 1 where a way failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path, nargs="?", help="folder of a data set")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--rounds", type=int, default=20, help="that are timed, of each way")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="beside the first two, the ways whose names hold these"
    )
    parser.add_argument("--out", type=Path, help="a file for the figures as JSON and the profile")
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    device = choose_device(asked.device)
    widths = (f"{network}.width={asked.width}" for network in ("generator", "critic", "segmentor"))
    sizes = [f"data.size={asked.size}", f"schedule.batch={asked.batch}", *widths]
    with tempfile.TemporaryDirectory() as folder, freed_memory_kept(device):
        shards = asked.shards or make_material(Path(folder)).folder
        bench = Bench(shards, device, sizes, asked.rounds)
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        here = circumstances(threads=torch.get_num_threads(), device=name)
        print(f"{name}; {', '.join(sizes)}; {asked.rounds} rounds timed; torch {torch.__version__}")
        rates = ", ".join(f"{name} {rate / 1e12:.2f}" for name, rate in bench.rates.items())
        print(f"one large matrix product, TFLOP/s: {rates}")
        measured, table = run(bench, asked.only)
        print(f"a round with {PLAIN}: {bench.flops / 1e12:.3g} TFLOP")
    if asked.out:
        figures = [asdict(one) | {"hours": one.hours} for one in measured]
        content = {"circumstances": here, "rates": bench.rates, "flops": bench.flops, "ways": figures, "profile": table}
        text = json.dumps(content, indent=1) + "\n"
        write_atomically(asked.out, lambda file: file.write(text.encode()))
    expected = [way for way in ways(device) if asked.only in way.name or way.name in (LITERAL, PLAIN)]
    sys.exit(len(measured) < len(expected))


if __name__ == "__main__":
    main()
