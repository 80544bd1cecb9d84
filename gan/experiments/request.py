"""What a reproduction is asked for, what its folder was begun with, and how far each of its systems has come."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gan.data.order import BatchOrder
from gan.data.rows import RowsAtSize, rows_identity, training_rows
from gan.errors import RunError
from gan.experiments.budget import Budget, parse_budget
from gan.experiments.recipes import Experiment, experiment
from gan.experiments.training_time import TrainingTime
from gan.names import Scale
from gan.runs.checkpoint import checkpoint_paths, step_named
from gan.settings.run_settings import RunSettings
from gan.training.schedule import Plan
from maskkit.files.atomic import write_atomically
from maskkit.files.hidden import is_hidden
from maskkit.files.json_text import parse_json
from maskkit.files.outputs import owned_folder, refuse_inputs
from maskkit.files.regular import read_regular

FORMAT, VERSION = "gan reproduction", 1
SPLITS = ("train", "val", "test")
LARGEST_FILE = 1 << 20  # bytes
NO_LAST_STEP = 2**62  # where time ends the training


@dataclass(frozen=True)
class Request:
    """What is to be reproduced, and where. `systems` are trained now; `settings` are those of all of them."""

    experiment: Experiment
    systems: tuple[str, ...]
    settings: Mapping[str, RunSettings]
    shards: Path
    out: Path
    budget: Budget
    scale: Scale
    overrides: tuple[str, ...]
    seed: int
    device: str
    devices: int | None

    def run(self, system: str) -> Path:
        """Name the folder of a system's run."""
        return self.out / "runs" / system

    def time(self, system: str) -> TrainingTime:
        """Read how long a system has trained."""
        return TrainingTime(self.out / "times" / f"{system}.json")


class Standing(NamedTuple):
    """How far a system has come: after `step` steps, `images` real images and `seconds` of training."""

    step: int
    images: int
    seconds: float
    finished: bool


def plan_reproduction(
    name: str,
    shards: str | Path,
    out: str | Path,
    *,
    budget: str,
    systems: Iterable[str] | None = None,
    scale: Scale = "paper",
    overrides: Iterable[str] = (),
    seed: int = 0,
    device: str = "auto",
    devices: int | None = None,
) -> Request:
    """Check what is asked for; nothing is written. Raises InputError, SettingsError, or maskkit's OutputError.

    `budget` is as `parse_budget` reads it, and `overrides` are "section.key=value" for every system.
    """
    chosen, spent, changes = experiment(name), parse_budget(budget), tuple(overrides)
    settings = {system: chosen.settings(system, scale, spent, changes, seed) for system in chosen.recipes}
    request = Request(
        chosen, chosen.chosen(systems), settings, Path(shards), Path(out), spent, scale, changes, seed, device, devices
    )
    refuse_inputs(request.out, [request.shards])
    return request


def standing(request: Request, system: str) -> Standing:
    """Tell from its newest checkpoint how far a system of the experiment has come, on whatever machine."""
    settings = request.settings[system]
    step = newest_step(request.run(system))
    seconds = request.time(system).at(step)
    if request.budget.seconds is not None:
        finished = seconds >= request.budget.seconds
    else:
        rows = len(training_rows(request.shards, settings))
        order = BatchOrder(rows, settings.schedule.batch, settings.seed)
        last = Plan(settings.schedule, order.batches_per_epoch).last_step(last_step(request, settings), None)
        finished = step >= last
    return Standing(step, step * settings.schedule.images_per_step, seconds, finished)


def last_step(request: Request, settings: RunSettings) -> int | None:
    """Give up to which step `fit` is asked to go; None is its own horizon."""
    return NO_LAST_STEP if request.budget.seconds is not None else request.budget.steps(settings)


def newest_step(run: Path) -> int:
    """Give the step of a run's newest checkpoint, 0 where there is none."""
    return max(map(step_named, checkpoint_paths(run)), default=0)


def note_request(request: Request) -> None:
    """Keep what is asked for in the folder, or check that it is what the folder was begun with. Raises RunError."""
    path = request.out / "reproduction.json"
    with owned_folder(request.out):
        asked = _as_record(request)
        try:
            kept = parse_json(read_regular(path, LARGEST_FILE))
        except FileNotFoundError:
            others = [one.name for one in request.out.iterdir() if not is_hidden(one.name)]
            if others:
                raise RunError(
                    f"{request.out} holds {min(others)} and no {path.name}: it is not the folder of a reproduction; "
                    "give another name"
                ) from None
            text = json.dumps(asked, indent=1) + "\n"
            write_atomically(path, lambda file: file.write(text.encode()), overwrite=False)
            return
        except (OSError, ValueError) as error:
            raise RunError(f"{path} cannot be read ({error}); take another folder, or put it back") from error
    if not isinstance(kept, dict) or kept.get("format") != FORMAT:
        raise RunError(f"{path} is not the record of a reproduction; give another name")
    for key, value in asked.items():
        if kept.get(key) != value:
            raise RunError(
                f"{request.out} was begun with {key} = {kept.get(key)}, and {value} is asked for; all systems of one "
                "table need the same. Ask for that, or take another folder"
            )


def _as_record(request: Request) -> dict[str, Any]:
    settings = request.settings[request.systems[0]]
    splits = [RowsAtSize(request.shards, split, settings.data.size, settings.attribute_kind) for split in SPLITS]
    return {
        "format": FORMAT,
        "version": VERSION,
        "experiment": request.experiment.name,
        "budget": request.budget.to_text(),
        "scale": request.scale,
        "overrides": list(request.overrides),
        "seed": request.seed,
        "rows": {rows.reader.split: rows_identity(rows) for rows in splits},
    }
