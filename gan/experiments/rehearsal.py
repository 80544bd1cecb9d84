"""What an experiment would cost, by a few real steps of each of its systems that leave nothing behind."""

from dataclasses import dataclass
from typing import Any

from gan.evaluation.work import OnProgress
from gan.experiments.request import Request, begun, last_step, newest_step
from gan.training.dry_run import DryRun, dry_run, duration

DOING = "a few steps of each"


@dataclass(frozen=True)
class Cost:
    """Of one system: parameters of all its networks, steps and seconds to go, bytes of memory and of checkpoints."""

    system: str
    parameters: int
    steps: int
    images: int
    seconds: float
    memory: int
    disk: int


def rehearse(request: Request, on_progress: OnProgress) -> list[Cost]:
    """Tell what training each system from where it stands would cost; nothing is written. Raises as `gan.fit`."""
    costs, total = [], len(request.systems)
    for number, system in enumerate(request.systems):
        on_progress(DOING, number, total, system)
        run, settings = request.run(system), request.settings[system]
        found = dry_run(
            request.shards, run, settings, steps=last_step(request, settings), resume=begun(run),
            device=request.device, devices=request.devices,
        )  # fmt: skip
        costs.append(_cost(request, system, found))
    on_progress(DOING, total, total)
    return costs


def _cost(request: Request, system: str, found: DryRun) -> Cost:
    settings = found.settings
    steps, seconds = found.last_step - found.step, found.seconds
    if request.budget.seconds is not None:
        seconds = max(0.0, request.budget.seconds - request.time(system).at(newest_step(request.run(system))))
        steps = round(seconds / found.seconds_per_step)
    images = steps * settings.schedule.n_repeat * settings.schedule.batch
    disk = found.checkpoint_bytes * settings.log.keep_checkpoints
    return Cost(system, sum(found.parameters.values()), steps, images, seconds, found.memory, disk)


def costs_text(costs: list[Cost]) -> str:
    """Say it as a table, one line for each system, and the sums."""
    head = ("system", "parameters", "steps", "real images", "training", "memory", "checkpoints")
    lines = [head, *(_line(cost) for cost in costs)]
    total = sum(cost.seconds for cost in costs)
    lines.append(("all", "", "", "", duration(total), "", f"{sum(cost.disk for cost in costs) / 1e9:.2f} GB"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*table, "reading, judging and the report are not in it; nothing was written"])


def _line(cost: Cost) -> tuple[str, ...]:
    return (
        cost.system, f"{cost.parameters:,}", f"{cost.steps:,}", f"{cost.images:,}", duration(cost.seconds),
        f"{cost.memory / 1e9:.2f} GB", f"{cost.disk / 1e9:.2f} GB",
    )  # fmt: skip


def costs_dict(costs: list[Cost]) -> dict[str, Any]:
    """Give plain types."""
    return {"systems": [vars(cost) for cost in costs], "seconds": sum(cost.seconds for cost in costs)}
