"""Which precision is fastest here: a few rounds of each, for a run that leaves the choice to the machine."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from gan.computing.compute import Compute
from gan.computing.device import choose_device
from gan.computing.graphs import WARM_UP
from gan.computing.processes import computing
from gan.computing.spawning import Stop
from gan.errors import SettingsError, explained
from gan.names import Precision
from gan.runs.run_folder import has_settings, read_settings
from gan.settings.run_settings import RunSettings
from gan.training.job import WAY_OUT, Request, set_up

CANDIDATES: dict[str, tuple[Precision, ...]] = {"cpu": ("32", "bf16"), "cuda": ("32", "tf32", "bf16")}
ROUNDS = 3  # the fastest counts: other programs only ever slow one down
# bf16 without the processor's own instructions takes twenty times as long (AMD EPYC with AVX2 alone).
HOPELESS = 3  # times as long as the best so far
OnDone = Callable[[int, int], None]


def settled(request: Request, device: str, devices: int | None, on_trial: OnDone | None = None) -> Request:
    """Give the same request with the precision chosen where it says "auto", and the seconds a step of each took.

    A run that goes on keeps the one it was begun with. `on_trial` hears how many precisions of how many are tried.
    Raises SettingsError under torchrun, whose processes would each choose for themselves, and as `set_up`.
    """
    if request.settings.compute.precision != "auto":
        return request
    if request.resume and has_settings(request.run):
        return replace(request, settings=_with(request.settings, read_settings(request.run).compute.precision))
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise SettingsError(
            "compute.precision = 'auto' is chosen by one process, and torchrun has started several; name one of "
            f"{', '.join(CANDIDATES['cuda'])}"
        )
    candidates = CANDIDATES[choose_device(device).type]
    seconds: dict[Precision, float] = {}
    for done, precision in enumerate(candidates):
        if on_trial:
            on_trial(done, len(candidates))
        best = min(seconds.values(), default=float("inf"))
        trial = replace(request, settings=_with(request.settings, precision, resident="no"))
        with computing(device, devices, precision, partial(_follow, trial, best)) as compute:
            seconds[precision] = _seconds_per_step(compute, trial, best)
    if on_trial:
        on_trial(len(candidates), len(candidates))
    fastest = min(seconds, key=lambda precision: seconds[precision])
    return replace(request, settings=_with(request.settings, fastest), tried=seconds)


def shown_seconds(tried: Mapping[Precision, float]) -> str:
    """Say how long a step took in each precision."""
    return ", ".join(f"{precision} {seconds:.3g} s a step" for precision, seconds in tried.items())


def _follow(request: Request, best: float, compute: Compute, stop: Stop) -> None:
    with explained("choosing the precision", WAY_OUT):
        _seconds_per_step(compute, request, best)


def _seconds_per_step(compute: Compute, request: Request, best: float) -> float:
    job = set_up(compute, request)
    stream, taken = job.stream(), []
    # The first round makes room; a graph is recorded after some without it.
    before = WARM_UP + 1 if job.progress.system.switches.graphs else 1
    for _ in range(before + ROUNDS):
        start = time.monotonic()
        job.progress.advance(stream)
        taken.append(time.monotonic() - start)
        if len(taken) > 1 and compute.any(min(taken) > HOPELESS * best):
            break
    return min(taken[before:] or taken)


def _with(settings: RunSettings, precision: str, **data: str) -> RunSettings:
    compute = settings.compute.model_copy(update={"precision": precision})
    return settings.model_copy(update={"compute": compute, "data": settings.data.model_copy(update=data)})
