"""Rounds on a CUDA device, without a GPU: every tensor's shape, type and device by PyTorch's own dispatcher."""

from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode, unset_fake_temporarily

import maskkit
from gan.computing.compute import Compute
from gan.data.batches import Rows, batches
from gan.data.description import DataDescription
from gan.data.order import BatchOrder, NumberedRows
from gan.data.resident import ResidentRows
from gan.data.rows import Batch, ReadRows, RowsAtSize, one_hot, training_rows
from gan.nets import losses
from gan.nets.critics import Critic
from gan.pictures.tiles import to_bytes
from gan.runs.checkpoint import Checkpoint
from gan.runs.generator_file import About
from gan.runs.loading import LoadedGenerator
from gan.settings.run_settings import RunSettings
from gan.systems import build_system
from gan.systems.base import System
from gan.systems.given import Given
from gan.systems.wasserstein import WassersteinSystem
from gan.training.progress import Progress
from gan.training.schedule import Plan
from tests.gan.resuming import CASES, settings_of
from tests.gan.systems.fake_cuda import CUDA, NEEDS_CUDA_BUILD, fake_cuda, run_backward, values_read_as

DATA = DataDescription(32, maskkit.load_scheme("scgan"), ("a", "b", "c"), 100)
TWO = "schedule.n_repeat=2"  # with one batch no fakes rest, with more nothing is new
# Every case goes in bfloat16 too, and batches are mirrored and drawn afresh before the round.
ROUNDS = [case for case in CASES if case not in ("bfloat16", "mirrored, fresh layouts")]
SWITCHES = ("channels_last", "fused", "fakes_at_once", "graphs")


@pytest.fixture
def mode() -> Iterator[FakeTensorMode]:
    with fake_cuda() as mode:
        yield mode


def made_batch() -> Batch:
    x, c = torch.rand(4, 3, 32, 32, device=CUDA), torch.zeros(4, 3, device=CUDA)
    s_idx = torch.zeros(4, 32, 32, dtype=torch.long, device=CUDA)
    return Batch(x, c, s_idx, s_idx)


def build(settings: RunSettings) -> System:
    return build_system(settings, DATA, Compute(CUDA, settings.compute.precision))


def do_round(system: System) -> dict[str, Tensor]:
    return system.train_round(cycle([made_batch()]), torch.Generator().manual_seed(0))


def check_learned(system: System, found: dict[str, Tensor]) -> None:
    """Losses, weights, their gradients and their moments: where they are, and of what type and layout."""
    assert {(loss.device, loss.dtype, loss.shape) for loss in found.values()} == {(CUDA, torch.float32, ())}
    for network in system.networks.values():
        assert {tensor.device for tensor in network.state_dict().values()} == {CUDA}
    for name, optimiser in system.optimisers.items():
        for key, weight in system.networks[name].named_parameters():
            moments = [value for value in optimiser.state[weight].values() if value.dim()]
            assert moments or not weight.dim(), f"{name}.{key} was left out"
            for like in (*moments, *([] if weight.grad is None else [weight.grad])):
                assert (like.device, like.dtype, like.shape) == (CUDA, weight.dtype, weight.shape), f"{name}.{key}"
                assert like.stride() == weight.stride(), f"{name}.{key}: fused Adam walks both as they lie"


@NEEDS_CUDA_BUILD
@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("case", ROUNDS)
def test_every_system_goes_through_a_round(case: str, precision: str, mode: FakeTensorMode) -> None:
    settings = settings_of(case, TWO, f"compute.precision={precision}")
    system = build(settings)
    types: set[torch.dtype] = set()
    for network in system.networks.values():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda module, inputs, result: types.add(result.dtype))
    check_learned(system, do_round(system))
    expected = {torch.bfloat16 if precision == "bf16" else torch.float32}
    if isinstance(system, WassersteinSystem):
        expected.add(torch.float32)  # the penalty, for its square root, is always in full
    assert types == expected


@NEEDS_CUDA_BUILD
@pytest.mark.parametrize("on", [(), ("channels_last", "fused", "fakes_at_once"), ("graphs",)])
def test_every_switch(on: tuple[str, ...], mode: FakeTensorMode) -> None:
    """Graphs as far as the rounds before the capture, with rate and count of steps on the device.

    Fakes know no fused Adam whose rate is a tensor.
    """
    switches = (f"compute.{name}={'on' if name in on else 'off'}" for name in SWITCHES)
    with values_read_as(1.0):  # Adam looks at a rate that is a tensor
        system = build(settings_of("preset paper", TWO, "compute.precision=tf32", *switches))
    assert system.switches.to_text() == (", ".join(on) or "none")
    check_learned(system, do_round(system))


REAL_CODES = torch.ones(4, 3)  # made where no device is chosen, as a constant of a module would be


class BackOnHost(torch.autograd.Function):
    """Gives what it takes; its backward has something on the host."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, slope: Tensor) -> Tensor:
        return slope * torch.ones(4, 1, 1, 1)


STRAYS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "draws": lambda patch: patch.setattr(Compute, "share", lambda self, whole: whole),
    "a constant": lambda patch: patch.setattr(losses, "attribute_bce", lambda logits, c: (logits * REAL_CODES).sum()),
    "a gradient": lambda patch: patch.setattr(losses, "wasserstein_generator", lambda y: -BackOnHost.apply(y).mean()),
}


@NEEDS_CUDA_BUILD
@pytest.mark.parametrize("stray", STRAYS)
def test_what_strays_on_the_host_is_refused(stray: str, mode: FakeTensorMode, monkeypatch: pytest.MonkeyPatch) -> None:
    system = build(settings_of("preset tiny", TWO))
    STRAYS[stray](monkeypatch)
    with pytest.raises(RuntimeError, match=r"on the same device|on cpu, and its tensor lies on cuda:0"):
        do_round(system)


@NEEDS_CUDA_BUILD
def test_a_round_that_waits_for_a_value_is_refused(mode: FakeTensorMode, monkeypatch: pytest.MonkeyPatch) -> None:
    system = build(settings_of("preset tiny", TWO))
    monkeypatch.setattr(losses, "pixel_cross_entropy", lambda logits, s_idx: logits.sum() * s_idx.sum().item())
    with pytest.raises(DataDependentOutputException):
        do_round(system)


@pytest.fixture
def rows(drawn_shards: Path, mode: FakeTensorMode, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RowsAtSize]:
    """Rows that are read as they are and then lose their values."""
    read_packed = RowsAtSize.read_packed

    def read(self: RowsAtSize, numbers: list[int]) -> tuple[Tensor, object]:
        with unset_fake_temporarily():
            content, points = read_packed(self, numbers)
        return mode.from_tensor(content), points

    def read_ahead(rows: RowsAtSize, order: Iterator[NumberedRows], workers: int = 0) -> Iterator[ReadRows]:
        yield from (rows[numbers] for numbers in order)  # a DataLoader draws a number and looks at it

    monkeypatch.setattr(RowsAtSize, "read_packed", read)
    for module in ("batches", "resident"):
        monkeypatch.setattr(f"gan.data.{module}.read_ahead", read_ahead)
    return lambda settings: training_rows(drawn_shards, settings)


@NEEDS_CUDA_BUILD
@pytest.mark.parametrize("resident", [False, True])
@pytest.mark.parametrize("case", ["preset paper", "mirrored, fresh layouts"])
def test_batches_are_finished_on_the_device(case: str, resident: bool, rows: Callable[..., RowsAtSize]) -> None:
    source: Rows = rows(settings_of(case))
    if resident:
        source = ResidentRows(source, CUDA)
        source.load(0, lambda done, total: None)
    for batch in islice(batches(source, BatchOrder(40, 4, 0), 0, CUDA), 5):
        assert {tensor.device for tensor in batch} == {CUDA}
        assert [tensor.dtype for tensor in batch] == [torch.float32, torch.float32, torch.int64, torch.int64]
        assert [tuple(tensor.shape) for tensor in batch] == [(4, 3, 32, 32), (4, 5), (4, 32, 32), (4, 32, 32)]


@NEEDS_CUDA_BUILD
@pytest.mark.parametrize("case", ["preset best", "frozen segmentor", "acwgan tiny"])
def test_a_run_is_prepared_saved_and_resumed(case: str, rows: Callable[..., RowsAtSize]) -> None:
    settings = settings_of(case, TWO)
    source = rows(settings)

    def start() -> Progress:
        return Progress(settings, source.description, Plan(settings.schedule, 10), Compute(CUDA))

    progress, stream = start(), batches(source, BatchOrder(40, 4, 0), 0, CUDA)
    with values_read_as(0.5):
        assert progress.prepare(source, lambda done, total: None) == (case == "frozen segmentor")
        progress.advance(stream)

    def on_host(held: object) -> object:
        return torch.utils._pytree.tree_map_only(Tensor, Tensor.cpu, held)

    networks, optimisers = progress.system.networks.items(), progress.system.optimisers.items()
    saved = Checkpoint(
        Path("a"), 1, 2, settings, source.description,
        {name: on_host(network.state_dict()) for name, network in networks},
        {name: on_host(average.weights) for name, average in progress.averages.items()},
        {name: on_host(optimiser.state_dict()) for name, optimiser in optimisers},
        progress.noise.get_state(), {}, state=progress.system.state(),
    )  # fmt: skip
    again = start()
    with values_read_as(0.5):  # what is restored must be finite
        again.restore(saved)
        again.advance(stream)
    assert {tensor.device for average in again.averages.values() for tensor in average.weights.values()} == {CUDA}


@NEEDS_CUDA_BUILD
@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("case", ["preset paper", "wgan-gp paper", "acwgan paper"])
def test_pictures_are_made_on_the_device(case: str, precision: str, mode: FakeTensorMode) -> None:
    settings = settings_of(case, f"compute.precision={precision}")
    system = build(settings)
    given = Given(torch.randn(2, 16), torch.zeros(2, 3), one_hot(torch.zeros(2, 32, 32, dtype=torch.long), 7))
    on_device = Given(*(None if tensor is None else tensor.to(CUDA) for tensor in given))
    loaded = LoadedGenerator(system.generator(system.networks), About(settings, DATA, 1), CUDA)
    for made in (system.generate(on_device), loaded.make(given)):
        assert (made.device, made.dtype, made.shape) == (CUDA, torch.float32, (2, 3, 32, 32))
        assert (to_bytes(made).device, to_bytes(made).dtype) == (CUDA, torch.uint8)


def test_going_back_node_by_node_gives_the_gradients_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the processor, with values: a step of a critic whose penalty differentiates twice, and sums over a batch."""
    torch.manual_seed(0)
    critic, x = Critic(3, 32, width=4), torch.randn(4, 3, 32, 32)
    scale = nn.Parameter(torch.tensor([2.0]))

    def gradients() -> list[Tensor | None]:
        penalty = losses.gradient_penalty(lambda x_hat: scale * critic(x_hat)[0], x)
        score, logits = critic(x)
        torch.autograd.backward([penalty, (score + scale).mean() + logits.double().square().sum()])
        found = [parameter.grad for parameter in (*critic.parameters(), scale)]
        critic.zero_grad()
        scale.grad = None
        return found

    expected = gradients()
    monkeypatch.setattr(torch.autograd, "_engine_run_backward", run_backward)
    torch.testing.assert_close(gradients(), expected)
