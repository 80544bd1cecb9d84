"""What an experiment would cost, by a few real steps of each of its systems that leave nothing behind."""

from dataclasses import dataclass
from typing import Any

from gan.evaluation.work import OnProgress, silent
from gan.experiments.request import Request, last_step, newest_step
from gan.runs.run_folder import has_settings
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


@dataclass(frozen=True)
class Costs:
    """Of all systems to be trained."""

    systems: tuple[Cost, ...]

    @property
    def seconds(self) -> float:
        """Of training, one after the other."""
        return sum(cost.seconds for cost in self.systems)

    def to_dict(self) -> dict[str, Any]:
        """Give plain types."""
        return {"systems": [vars(cost) for cost in self.systems], "seconds": self.seconds}

    def to_text(self) -> str:
        """Give a table, one line for each system, and the sums."""
        head = ("system", "parameters", "steps", "real images", "training", "memory", "checkpoints")
        disk = sum(cost.disk for cost in self.systems)
        lines = [
            head,
            *map(_line, self.systems),
            ("all", "", "", "", duration(self.seconds), "", f"{disk / 1e9:.2f} GB"),
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rows = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        return "\n".join([*rows, "judging and the report are not in it; nothing was written"])


def rehearse(request: Request, on_progress: OnProgress = silent) -> Costs:
    """Tell what training each system from where it stands would cost; nothing is written. Raises as `gan.fit`."""
    costs, total = list[Cost](), len(request.systems)
    for number, system in enumerate(request.systems):
        on_progress(DOING, number, total, system)
        run, settings = request.run(system), request.settings[system]
        found = dry_run(
            request.shards, run, settings, steps=last_step(request, settings), resume=has_settings(run),
            device=request.device, devices=request.devices,
        )  # fmt: skip
        costs.append(_cost(request, system, found))
    on_progress(DOING, total, total)
    return Costs(tuple(costs))


def _cost(request: Request, system: str, found: DryRun) -> Cost:
    settings = found.settings
    steps, seconds = found.last_step - found.step, found.seconds
    if request.budget.seconds is not None:
        seconds = max(0.0, request.budget.seconds - request.time(system).at(newest_step(request.run(system))))
        steps = round(seconds / found.seconds_per_step)
    images = steps * settings.schedule.images_per_step
    disk = found.checkpoint_bytes * settings.log.keep_checkpoints
    return Cost(system, sum(found.parameters.values()), steps, images, seconds, found.memory, disk)


def _line(cost: Cost) -> tuple[str, ...]:
    return (
        cost.system, f"{cost.parameters:,}", f"{cost.steps:,}", f"{cost.images:,}", duration(cost.seconds),
        f"{cost.memory / 1e9:.2f} GB", f"{cost.disk / 1e9:.2f} GB",
    )  # fmt: skip
