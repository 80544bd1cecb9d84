"""The roads from rows of shards to a trained generator and its pictures, and their floors."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import gan
from benchmarks.literal import Literal, literal_round
from benchmarks.loading import train, trainer_on
from benchmarks.measuring import Road
from gan.computing.compute import Compute
from gan.computing.memory import freed_memory_kept
from gan.data.batches import batches
from gan.data.order import NumberedRows
from gan.data.rows import Batch, RowsAtSize, one_hot, training_rows
from gan.nets import losses
from gan.pictures.tiles import generate_pictures
from gan.runs.generator_file import About, encode_generator
from gan.runs.loading import load_generator
from gan.runs.presets import load_preset
from gan.settings.run_settings import RunSettings
from gan.systems.scgan import SCGAN

SIDE = 1024  # of the square matrices whose products are the networks' floor
FRAMES = 24


class Bench:
    """What the roads share: the shards, the device, and settings that differ from those of the presets."""

    def __init__(self, shards: Path, device: torch.device, overrides: Sequence[str] = ()) -> None:
        self.shards, self.device, self.overrides = shards, device, tuple(overrides)

    def settings(self, preset: str, *overrides: str) -> RunSettings:
        """A preset's settings with those of the bench, and then those of a road."""
        return load_preset(preset, [*self.overrides, *overrides])

    def rows(self, settings: RunSettings) -> RowsAtSize:
        """The rows at the size of the settings."""
        return training_rows(self.shards, settings)

    def system(self, settings: RunSettings) -> tuple[SCGAN, Batch]:
        """A fresh system, and a batch of real faces on its device."""
        rows = self.rows(settings)
        system = SCGAN(settings, rows.description, Compute(self.device, settings.compute.precision))
        return system, rows.read(range(settings.schedule.batch)).to(self.device)

    def done(self, work: Callable[[], object]) -> Callable[[], None]:
        """The work with the wait for the device at its end."""

        def whole() -> None:
            work()
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)

        return whole

    def road(self, name: str, count: int, work: Callable[[], object], floor: Callable[[], object], against: str,
             rounds: int = 5, warm: bool = True) -> Road:  # fmt: skip
        """A road whose work and floor run on the device."""
        return Road(name, count, self.done(work), self.done(floor), against, rounds, warm)


def loader_roads(bench: Bench) -> Iterator[Road]:
    """Rows of shards to batches on the device, and training that waits for them."""
    rows = bench.rows(bench.settings("paper"))
    numbers = np.random.default_rng(0).permutation(len(rows))[:512].tolist()
    order = [NumberedRows(k, numbers[start : start + 16]) for k, start in enumerate(range(0, len(numbers), 16))]
    reader = rows.reader
    yield bench.road("loader -> batch, no workers", len(numbers),
                     lambda: [batch.x for batch in batches(rows, order, 0, bench.device)],
                     lambda: [reader[i] for i in numbers], "the same rows read")  # fmt: skip
    job = trainer_on(bench.shards, "tiny", bench.device, ["data.resident=no", *bench.overrides])
    loaded = job.stream()
    held = repeat(next(loaded))
    photos = 2 * job.progress.settings.schedule.batch * job.progress.settings.schedule.n_repeat
    yield bench.road("training tiny from the loader", photos,
                     lambda: train(job, loaded, 2),
                     lambda: train(job, held, 2), "one batch held in memory")  # fmt: skip


def network_roads(bench: Bench, batch: int) -> Iterator[Road]:
    """The networks of `paper`, forward and backward, against the same multiplications in one large matrix product."""
    system, real = bench.system(bench.settings("paper", f"schedule.batch={batch}"))
    z = torch.randn(batch, system.settings.generator.n_z, generator=torch.Generator().manual_seed(0)).to(bench.device)
    s = one_hot(real.s_idx, system.data.n_s)
    inputs = {"G": (z, real.c, s), "D": (real.x,), "S": (real.x,)}
    for name, network in system.networks.items():
        forward = partial(_forward, network, inputs[name])
        both = partial(_forward_and_backward, network, inputs[name])
        for words, work in (("forward", forward), ("forward and backward", both)):
            yield bench.road(f"{name} of paper, {words}", batch, work, _Products(work, bench.device),
                             "as large matrix products", rounds=3)  # fmt: skip


def critic_road(bench: Bench, batch: int) -> Iterator[Road]:
    """The gradient penalty with its backward: the slope written out against differentiating twice."""
    system, real = bench.system(bench.settings("paper", f"schedule.batch={batch}"))
    critic, x_hat = system.networks["D"], real.x

    def written_out() -> None:
        torch.autograd.backward(losses.slope_penalty(critic.slope(x_hat)))

    def twice() -> None:
        torch.autograd.backward(losses.gradient_penalty(lambda x: critic(x)[0], x_hat))

    yield bench.road("gradient penalty of paper, with backward", batch, written_out, twice,
                     "differentiating twice", rounds=3)  # fmt: skip


def round_roads(bench: Bench, batch: int, rounds: int) -> Iterator[Road]:
    """Whole training rounds against Algorithm 1 taken literally, in float32; `paper` with batches of `batch`."""
    for preset, precision, size, at_once in (
        ("tiny", "32", 16, 2), ("paper", "32", batch, 1), ("paper", "bf16", batch, 1)
    ):  # fmt: skip
        settings = bench.settings(preset, f"compute.precision={precision}", f"schedule.batch={size}")
        system, real = bench.system(settings)
        literal = Literal(system)
        name = f"round of {preset}, {'float32' if precision == '32' else precision}, batch {size}"
        yield bench.road(name, at_once * size * settings.schedule.n_repeat,
                         partial(_rounds, at_once, partial(_as_fit_does, system), real),
                         partial(_rounds, at_once, partial(literal_round, literal), real),
                         "Algorithm 1 taken literally, float32",
                         rounds=5 if preset == "tiny" else rounds, warm=preset == "tiny")  # fmt: skip


def picture_roads(bench: Bench, folder: Path) -> Iterator[Road]:
    """An exported generator of `tiny` to pictures and to a film, against its bare forwards."""
    system, real = bench.system(bench.settings("tiny", f"schedule.batch={FRAMES}"))
    file = folder / "generator.safetensors"
    file.write_bytes(encode_generator(system.networks["G"].state_dict(), About(system.settings, system.data, 0)))
    generator = load_generator(file, str(bench.device))
    z = generator.draw_z(FRAMES, 0)
    s = one_hot(real.s_idx, system.data.n_s)

    def bare() -> Tensor:
        made: Tensor = generator(z, real.c, s)
        return made

    yield bench.road("sampling: layouts -> pictures, tiny", FRAMES,
                     lambda: generate_pictures(generator, len(z), z, real.c, real.s_idx), bare,
                     "bare forwards")  # fmt: skip
    shard = bench.shards / "train-00000.h5"
    film = folder / "film.mp4"
    yield bench.road(f"rendering: two faces -> film of {FRAMES}, tiny", FRAMES,
                     lambda: gan.render(file, f"{shard}#0", f"{shard}#1", film, frames=FRAMES,
                                        scale=1, device=str(bench.device), overwrite=True),
                     bare, "bare forwards")  # fmt: skip


def _rounds(times: int, one: Callable[[Iterator[Batch], torch.Generator], object], real: Batch) -> None:
    noise = torch.Generator().manual_seed(0)
    for _ in range(times):
        one(repeat(real), noise)


def _as_fit_does(system: SCGAN, stream: Iterator[Batch], noise: torch.Generator) -> None:
    with freed_memory_kept(system.compute.device):
        system.train_round(stream, noise)


def _forward(network: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    with torch.no_grad():
        network(*inputs)


def _forward_and_backward(network: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    network.zero_grad(set_to_none=True)
    out = network(*inputs)
    parts = out if isinstance(out, tuple) else (out,)
    torch.autograd.backward(torch.stack([part.square().mean() for part in parts]).sum())


class _Products:
    """Matrix products of as many multiplications as some work has; counted when first called."""

    def __init__(self, work: Callable[[], object], device: torch.device) -> None:
        self.work, self.device = work, device
        self.factors: list[Tensor] = []

    def __call__(self) -> None:
        if not self.factors:
            self.factors = self._prepare()
        whole, *parts = self.factors
        for part in parts:
            torch.mm(part, whole)

    def _prepare(self) -> list[Tensor]:
        with FlopCounterMode(display=False) as counter:
            self.work()
        factor = torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(0)).to(self.device)
        times, rest = divmod(counter.get_total_flops(), 2 * SIDE**3)
        return [factor, *[factor] * times, factor[: rest // (2 * SIDE**2) + 1]]
