"""A paper's comparison as one piece of work: every system trained on an equal budget, measured, put into one report."""

from collections.abc import Collection
from functools import partial
from pathlib import Path

from gan.computing.spawning import Stop
from gan.evaluation.work import OnProgress, silent
from gan.experiments.compare import compare_runs
from gan.experiments.report import ReproductionReport, check_report
from gan.experiments.request import Request, last_step, newest_step, note_request, standing
from gan.names import MEASURES
from gan.runs.run_folder import has_settings
from gan.training.fit import StepReport, fit


class _Stopped(Exception):  # noqa: N818
    """Stopped while runs were measured, of which nothing needs to be kept but the judges."""


def reproduce(
    request: Request,
    *,
    only: Collection[str] = MEASURES,
    count: int | None = 2000,
    judge_steps: int = 1000,
    judge_shards: str | Path | None = None,
    stop: Stop = lambda: False,
    on_progress: OnProgress = silent,
) -> ReproductionReport | None:
    """Train what is asked for from where it stands, measure all that is finished, and write the report beside it.

    `only`, `count` and the judges' are as for `compare_runs`. `stop` is asked before each step of training, and as
    often while it is measured; None where it ended either. Raises GanError or maskkit's errors.
    """

    def unless_stopped(title: str, done: int, total: int, note: str = "") -> None:
        if stop():
            raise _Stopped
        on_progress(title, done, total, note)

    check_report(request)
    if not train_all(request, stop, on_progress):
        return None
    standings = {system: standing(request, system) for system in request.settings}
    finished = [system for system, one in standings.items() if one.finished]
    try:
        comparison = compare_runs(
            [request.run(system) for system in finished], request.shards, names=finished, only=only, count=count,
            seed=request.seed, judges=request.out / "judges", judge_steps=judge_steps, judge_shards=judge_shards,
            device=request.device, on_progress=unless_stopped,
        )  # fmt: skip
    except _Stopped:
        return None
    kind = request.settings[finished[0]].attribute_kind
    report = ReproductionReport(request, standings, comparison, request.experiment.printed[kind])
    report.write()
    return report


def train_all(request: Request, stop: Stop, on_progress: OnProgress) -> bool:
    """Train each system up to its budget, from where it stands; False if `stop` ended it before. Raises as `fit`."""
    note_request(request)
    return all(_train(request, system, stop, on_progress) for system in request.systems)


def _train(request: Request, system: str, stop: Stop, on_progress: OnProgress) -> bool:
    settings, run, time = request.settings[system], request.run(system), request.time(system)
    limit, known = request.budget.seconds, newest_step(run)

    def spent() -> bool:
        return limit is not None and time.seconds >= limit

    def ended() -> bool:
        if not time.running:  # the first question comes when everything is read and set up
            time.start(known)
        return spent() or stop()

    def note(done: StepReport) -> None:
        nonlocal known
        if done.step <= known:  # the newest checkpoint was damaged, and an older one taken
            time.start(done.step - 1)
        known = 0
        if done.step % settings.log.checkpoint_every == 0:
            time.keep(done.step)
        part = (done.step, done.last_step) if limit is None else (min(int(time.seconds), int(limit)), int(limit))
        on_progress(f"training {system}", *part, f"step {done.step}, {done.images:,} images")

    result = fit(
        request.shards, run, settings, steps=last_step(request, settings), resume=has_settings(run),
        device=request.device, devices=request.devices, stop=ended, on_step=note,
        on_prepare=partial(on_progress, f"preparing {system}"),
    )  # fmt: skip
    if result.checkpoint is not None and not time.knows(result.step):
        time.keep(result.step)
    return spent() or not result.stopped
