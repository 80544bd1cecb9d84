"""A dry run: what a run would be, and what it would cost, by a few real steps that leave nothing behind."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from gan.computing.compute import Compute
from gan.computing.device import most_memory
from gan.computing.graphs import WARM_UP
from gan.computing.processes import computing
from gan.computing.spawning import Stop
from gan.errors import explained
from gan.names import Precision
from gan.settings.run_settings import RunSettings, settings_text
from gan.training.doubts import count_parameters
from gan.training.job import WAY_OUT, Request, check_share, set_up, warn
from gan.training.precision import OnDone, settled, shown_seconds

STEPS = 2  # the first one also makes room; the last tells the time


@dataclass(frozen=True)
class DryRun:
    """What a run would be. `seconds_per_step` and `memory` (bytes, of one process) are measured in `tried` steps.

    Evaluation, pictures, checkpoints and what comes before the first step are not in them. `switches` names those of
    `[compute]` that are on, `preparation` says what comes before; `tried_precisions` are the seconds a step took in
    each, where the fastest was to be chosen.
    """

    settings: RunSettings
    data: str
    step: int
    last_step: int
    epochs: float
    device: str
    processes: int
    switches: str
    preparation: str | None
    parameters: dict[str, int]
    tried: int
    seconds_per_step: float
    memory: int
    checkpoint_bytes: int
    tried_precisions: Mapping[Precision, float]

    @property
    def seconds(self) -> float:
        """How long the steps to go would take."""
        return (self.last_step - self.step) * self.seconds_per_step

    def to_dict(self) -> dict[str, Any]:
        """Give plain types."""
        return {**vars(self), "settings": self.settings.model_dump(), "seconds": self.seconds}

    def to_text(self) -> str:
        """Say it in lines, the settings as TOML first."""
        parameters = ", ".join(f"{name} {count:,}" for name, count in self.parameters.items())
        log = self.settings.log
        kept = log.keep_checkpoints + bool(log.evaluate_every)
        return "\n".join(
            [
                settings_text(self.settings),
                f"data        {self.data}",
                f"steps       {self.last_step - self.step} to go, up to {self.last_step}: {self.epochs:.2f} epochs",
                *([f"before      {self.preparation}"] if self.preparation and not self.step else []),
                f"parameters  {parameters}",
                f"device      {self.device}, processes: {self.processes}, precision {self.settings.compute.precision}",
                *([f"tried       {shown_seconds(self.tried_precisions)}"] if self.tried_precisions else []),
                f"switches    {self.switches}",
                f"memory      {self.memory / 1e9:.2f} GB in each process, measured in {self.tried} steps",
                f"time        {duration(self.seconds)}, by {self.seconds_per_step:.3g} s for the last of them",
                f"disk        {self.checkpoint_bytes * kept / 1e9:.2f} GB for {kept} checkpoints",
                "nothing was written",
            ]
        )


@explained("the dry run", WAY_OUT)
def dry_run(
    shards: str | Path,
    out: str | Path,
    settings: RunSettings,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    resume: bool = False,
    device: str = "auto",
    devices: int | None = None,
    on_step: OnDone | None = None,
    on_prepare: OnDone | None = None,
) -> DryRun:
    """Do a few steps of what `fit` would do with these arguments; tell what it would be. Raises what `fit` raises.

    In the first process `on_step` hears before the first step and after each how many of how many are done, and
    `on_prepare` of choosing the precision and reading resident rows.
    """
    check_share(settings, devices or 1)
    request = settled(Request(Path(shards), Path(out), settings, steps, epochs, resume), device, devices, on_prepare)
    with computing(device, devices, request.settings.compute.precision, partial(_follow, request)) as compute:
        return _try(compute, request, on_step, on_prepare)


def _follow(request: Request, compute: Compute, stop: Stop) -> None:
    with explained("the dry run", WAY_OUT):
        _try(compute, request)


def _try(compute: Compute, request: Request, on_step: OnDone | None = None, on_prepare: OnDone | None = None) -> DryRun:
    def told(hear: OnDone | None, done: int, total: int) -> None:
        if hear and compute.first:
            hear(done, total)

    job = set_up(compute, request)
    if job.fresh:
        compute.in_first(lambda: warn(job, request))
    progress, step = job.progress, job.progress.step
    job.load(partial(told, on_prepare))
    stream, seconds = job.stream(), 0.0
    # A graph is recorded after some rounds without it, and then first replayed.
    steps = WARM_UP + 2 if progress.system.switches.graphs else STEPS
    for done in range(steps):
        told(on_step, done, steps)
        start = time.monotonic()
        progress.advance(stream)
        seconds = time.monotonic() - start
    told(on_step, steps, steps)
    networks = {name: network.state_dict() for name, network in progress.system.networks.items()}
    averages = {name: average.weights for name, average in progress.averages.items()}
    moments = [
        tensor
        for optimiser in progress.system.optimisers.values()
        for state in optimiser.state_dict()["state"].values()
        for tensor in state.values()
    ]
    return DryRun(
        settings=progress.settings,
        data=job.rows.description.summary(),
        step=step,
        last_step=job.last,
        epochs=(job.last - step) * progress.settings.schedule.n_repeat / job.plan.batches_per_epoch,
        device=str(compute.device),
        processes=compute.processes,
        switches=progress.system.switches.to_text(),
        preparation=progress.system.preparation(),
        tried=steps,
        parameters={name: count_parameters(network) for name, network in progress.system.networks.items()},
        seconds_per_step=seconds,
        memory=most_memory(compute.device),
        checkpoint_bytes=sum(map(_bytes, [*networks.values(), *averages.values()]))
        + sum(tensor.nbytes for tensor in moments),
        tried_precisions=request.tried,
    )


def duration(seconds: float) -> str:
    """Say a time in hours, minutes and seconds."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"


def _bytes(weights: Mapping[str, Tensor]) -> int:
    return sum(tensor.nbytes for tensor in weights.values())
