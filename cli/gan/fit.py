"""The command `gan fit`: arguments, signals and progress of training."""

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from cli.gan.options import DEVICE
from cli.shared import (
    EXIT_FAILED,
    Advance,
    as_json,
    leave_closed_terminal,
    print_json,
    progress,
    say,
    stop_error,
    stop_status,
    stops_go_to,
)
from gan.names import PRECISIONS
from gan.systems import SYSTEMS, preset_names

if TYPE_CHECKING:
    from gan.settings.run_settings import RunSettings
    from gan.training.dry_run import DryRun
    from gan.training.fit import FitResult, StepReport

PRESETS = list(dict.fromkeys(name for system in SYSTEMS for name in preset_names(system)))  # not each has all

# torchrun passes a signal on to processes which the terminal may have told already; that is one wish, not two. And it
# ends all processes when one has ended without success, when the one that speaks may not have spoken yet.
SAME_SIGNAL_SECONDS = LAST_WORDS_SECONDS = 1.0


@click.command()
@click.argument("shards", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--system", type=click.Choice(list(SYSTEMS)), help="What to train; scgan, or what --config names.")
@click.option("--preset", type=click.Choice(PRESETS), help="Settings to start from; paper by default.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file of settings that replace the preset's.")
@click.option("--epochs", type=click.IntRange(1), help="Train up to so many epochs in total.")
@click.option("--steps", type=click.IntRange(1), help="Train up to so many steps in total.")
@click.option("--resume", is_flag=True, help="Go on from the run's newest checkpoint, with the run's settings.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting; repeatable.")
@click.option("--precision", type=click.Choice(PRECISIONS), help="Short for --set compute.precision=...")
@DEVICE
@click.option("--devices", type=click.IntRange(1, 1024), help="Processes that share each batch; 1 by default.")
@click.option("--dry-run", is_flag=True, help="Show settings, size, memory and time by a few steps; write nothing.")
@as_json
def fit(
    shards: Path,
    out: Path,
    system: str | None,
    preset: str | None,
    config: Path | None,
    epochs: int | None,
    steps: int | None,
    resume: bool,
    overrides: tuple[str, ...],
    precision: str | None,
    device: str,
    devices: int | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Train on the train rows of SHARDS.

    A step is one round: n_repeat updates of critic and segmentor, one of the generator. Ctrl-C finishes the step and
    saves a checkpoint; a second one stops at once. Under torchrun, the processes that it starts train together.

    Example: gan fit shards --out run --preset tiny --set loss.lambda_seg=10
    """
    import gan
    from gan.errors import RefusedByFirstError

    fit_run, rehearse = gan.fit, gan.dry_run  # before anything else, so that a missing torch is a sentence
    if precision is not None:
        overrides = (*overrides, f"compute.precision={precision}")
    settings = _settings(out, system, preset, config, resume, overrides)
    request: dict[str, Any] = {
        "steps": steps, "epochs": epochs, "resume": resume, "device": device, "devices": devices,
    }  # fmt: skip
    first = first_process()
    start = time.monotonic()
    try:
        if dry_run:
            with ExitStack() as stack:
                found = rehearse(
                    shards, out, settings, **request, on_step=_bar("trying", stack), on_prepare=_bar("prepare", stack)
                )
            if first:
                _show_dry_run(found, as_json)
            return 0
        with stop_on_signal() as received, ExitStack() as stack:
            result = fit_run(
                shards, out, settings, **request, stop=lambda: bool(received),
                on_step=_reporter(stack), on_prepare=_bar("prepare", stack),
            )  # fmt: skip
    except RefusedByFirstError:
        time.sleep(LAST_WORDS_SECONDS)
        sys.exit(EXIT_FAILED)
    if first:
        _show_result(result, shards, as_json, time.monotonic() - start)
    if not result.stopped:
        return 0
    if not first:
        time.sleep(LAST_WORDS_SECONDS)
    # Where only another of the processes was told, this one ends as if terminated.
    return stop_status(received[0] if received else signal.SIGTERM)


def first_process() -> bool:
    """Say whether this process speaks: torchrun runs the command in several."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("RANK", "0") == "0"


def _show_result(result: "FitResult", shards: Path, as_json: bool, seconds: float) -> None:
    if as_json:
        print_json(
            {
                "run": str(result.run),
                "checkpoint": str(result.checkpoint) if result.checkpoint else None,
                "step": result.step,
                "stopped": result.stopped,
                "seconds": round(seconds, 3),
                "losses": result.losses,
            }
        )
    if result.checkpoint:
        say(f"{result.checkpoint} after {result.step} steps; pictures in {result.run / 'samples'}", err=True)
    if result.stopped:
        rest = ["gan", "fit", str(shards), "--out", str(result.run), "--resume", "--steps", str(result.last_step)]
        say(f"stopped; go on with: {shlex.join(rest)}", err=True)


def _show_dry_run(found: "DryRun", as_json: bool) -> None:
    if as_json:
        print_json(found.to_dict())
    else:
        say(found.to_text())


@contextmanager
def stop_on_signal() -> Iterator[list[int]]:
    """Give a list that holds the number of the first signal to stop once it came; the second one ends at once."""
    received: list[int] = []
    first_time = 0.0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal first_time
        if received:
            if "TORCHELASTIC_RUN_ID" in os.environ and time.monotonic() - first_time < SAME_SIGNAL_SECONDS:
                return
            raise stop_error(number)
        received.append(number)
        first_time = time.monotonic()
        if number == signal.SIGHUP:
            leave_closed_terminal()
        if first_process():
            say("finishing the step and saving a checkpoint; once more to stop at once", err=True)

    with stops_go_to(note):
        yield received


def _settings(
    out: Path, system: str | None, preset: str | None, config: Path | None, resume: bool, overrides: tuple[str, ...]
) -> "RunSettings":
    import gan

    if resume and preset is None and config is None:
        from gan.runs.run_folder import read_settings

        read_settings(out)  # says so where there is no run
        config = out / "config.toml"
    if config is not None:
        return gan.load_settings(config, preset or "paper", overrides, system=system)
    return gan.load_preset(preset or "paper", overrides, system=system or "scgan")


def _bar(title: str, stack: ExitStack) -> Callable[[int, int], None]:
    """Give a callback that shows how far it has come; its bar is there from the first call until all is done."""
    advance: Advance | None = None
    bar = stack.enter_context(ExitStack())

    def report(done: int, total: int) -> None:
        nonlocal advance
        if advance is None:
            advance = bar.enter_context(progress(title, total))
        advance(done)
        if done == total:
            bar.close()
            advance = None

    return report


def _reporter(stack: ExitStack) -> Callable[["StepReport"], None]:
    """Give a callback that shows losses, images a second and memory; its bar opens with the first step."""
    advance: Advance | None = None
    first_images, first_time = 0, 0.0

    def report(done: "StepReport") -> None:
        nonlocal advance, first_images, first_time
        now = time.monotonic()
        if advance is None:
            advance = stack.enter_context(progress("fit", done.last_step))
            first_images, first_time = done.images, now
        note = f"{_short(done.losses)}  {done.memory / 1e9:.2f} GB"
        if now > first_time:
            note += f"  {(done.images - first_images) / (now - first_time):.0f} images/s"
        advance(done.step, note)

    return report


def _short(losses: dict[str, float]) -> str:
    """Write losses by network, such as D 2.31 (real 0.12 fake -0.4 gp 0.9 cls 1.69)  G ..."""
    networks: dict[str, dict[str, float]] = {}
    for key, value in losses.items():
        network, _, component = key.removeprefix("loss_").partition("/")
        networks.setdefault(network.upper(), {})[component] = value
    texts = []
    for network, parts in networks.items():
        total = parts.pop("total")
        texts.append(f"{network} {total:.3g} ({' '.join(f'{name} {value:.2g}' for name, value in parts.items())})")
    return "  ".join(texts)
