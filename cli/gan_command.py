"""The command `gan`: arguments and progress; what is done stands in the package `gan`."""

import os
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from cli.gan_options import DEVICE, JSON
from cli.gan_pictures import render, sample
from cli.shared import EXIT_INTERRUPTED, EXIT_TERMINATED, Advance, Terminated, print_json, progress, run
from gan.names import PRESETS, SYSTEM_NAMES

if TYPE_CHECKING:
    from gan.config import Settings
    from gan.training import StepReport


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Train an SCGAN on shards made by maskkit, and make pictures and sequences with it."""


@group.command()
@click.argument("shards", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--system", type=click.Choice(SYSTEM_NAMES), help="What to train; by default what the settings name.")
@click.option("--preset", type=click.Choice(PRESETS), help="Settings to start from; paper by default.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file of settings that replace the preset's.")
@click.option("--epochs", type=click.IntRange(1), help="Train up to so many epochs in total.")
@click.option("--steps", type=click.IntRange(1), help="Train up to so many steps in total.")
@click.option("--resume", is_flag=True, help="Go on from the run's newest checkpoint, with the run's settings.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting; repeatable.")
@DEVICE
@JSON
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
    device: str,
    as_json: bool,
) -> int:
    """Train on the train rows of SHARDS.

    A step is one round: n_repeat updates of critic and segmentor, one of the generator. Ctrl-C finishes the step and
    saves a checkpoint; a second one stops at once.

    Example: gan fit shards --out run --preset tiny --set loss.lambda_seg=10
    """
    import gan

    fit_run = gan.fit  # before anything else, so that a missing torch is a sentence
    if system is not None:
        overrides = (f"system={system}", *overrides)
    settings = _settings(out, preset, config, resume, overrides)
    start = time.monotonic()
    with stop_on_signal() as received, ExitStack() as stack:
        result = fit_run(
            shards, out, settings, steps=steps, epochs=epochs, resume=resume, device=device,
            stop=lambda: bool(received), on_step=_reporter(stack),
        )  # fmt: skip
    if as_json:
        print_json(
            {
                "run": str(result.run),
                "checkpoint": str(result.checkpoint),
                "step": result.step,
                "stopped": result.stopped,
                "seconds": round(time.monotonic() - start, 3),
                "losses": result.losses,
            }
        )
    click.echo(f"{result.checkpoint} after {result.step} steps; pictures in {result.run / 'samples'}", err=True)
    if not result.stopped:
        return 0
    again = shlex.join(["gan", "fit", str(shards), "--out", str(out), "--resume", "--steps", str(result.last_step)])
    click.echo(f"stopped; go on with: {again}", err=True)
    return EXIT_TERMINATED if received[0] == signal.SIGTERM else EXIT_INTERRUPTED


group.add_command(sample)
group.add_command(render)


@contextmanager
def stop_on_signal() -> Iterator[list[int]]:
    """Give a list that holds the number of the first SIGINT or SIGTERM once it came; the second one ends at once."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
        received.append(number)
        click.echo("finishing the step and saving a checkpoint; once more to stop at once", err=True)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _settings(
    out: Path, preset: str | None, config: Path | None, resume: bool, overrides: tuple[str, ...]
) -> "Settings":
    import gan

    if resume and preset is None and config is None:
        from gan.run_folder import read_settings

        read_settings(out)  # says so where there is no run
        config = out / "config.toml"
    if config is not None:
        return gan.load_settings(config, preset or "paper", overrides)
    return gan.load_preset(preset or "paper", overrides)


def _reporter(stack: ExitStack) -> Callable[["StepReport"], None]:
    """Give a callback that shows losses and images a second; its bar opens with the first step."""
    advance: Advance | None = None
    first_images, first_time = 0, 0.0

    def report(done: "StepReport") -> None:
        nonlocal advance, first_images, first_time
        now = time.monotonic()
        if advance is None:
            advance = stack.enter_context(progress("fit", done.last_step))
            first_images, first_time = done.images, now
        note = "  ".join(f"{name} {value:.3g}" for name, value in done.losses.items() if name.endswith("/total"))
        if now > first_time:
            note += f"  {(done.images - first_images) / (now - first_time):.0f} images/s"
        advance(done.step, note)

    return report


def main() -> NoReturn:
    """Run the command line."""
    # The threads of GNU OpenMP spin for milliseconds while they wait for each other. Beside another busy process that
    # makes training on two cores seven times slower; a short spin costs a quarter on an idle machine. libgomp reads
    # this when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    run(group)
