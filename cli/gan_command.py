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

from cli.shared import EXIT_INTERRUPTED, EXIT_TERMINATED, Advance, Terminated, print_json, progress, run
from gan.names import SYSTEM_NAMES

if TYPE_CHECKING:
    from gan.config import Settings
    from gan.training import StepReport

DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object of results on standard output.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace what is at the output.")
SEED = click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 2**63 - 1), help="Decides the latents."
)
SCALE = click.option("--scale", default=1, show_default=True, type=click.IntRange(1, 32), help="Repeat pixels.")
OUTPUT = click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write.")
RUN = click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Train an SCGAN on shards made by maskkit, and make pictures and sequences with it."""


@group.command()
@click.argument("shards", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--system", type=click.Choice(SYSTEM_NAMES), help="What to train; by default what the settings name.")
@click.option("--preset", type=click.Choice(["paper", "tiny"]), help="Settings to start from; paper by default.")
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


@group.command()
@RUN
@OUTPUT
@click.option("--shards", type=click.Path(path_type=Path), help="Where the run's shards are now, if they moved.")
@click.option("--layout", "layouts", multiple=True, help="A photo, point file or shard row as a row; repeatable.")
@click.option("--attributes", help="Names of the attributes that are 1, with commas; by default the row's own.")
@click.option(
    "--rows", default=4, show_default=True, type=click.IntRange(1, 256), help="Layouts taken from the shards."
)
@click.option("--count", default=6, show_default=True, type=click.IntRange(1, 256), help="Latents along a row.")
@click.option(
    "--columns", type=click.Choice(["z", "c"]), default="z", show_default=True,
    help="Along a row: other latents, or the attributes and then each of them reversed in turn.",
)  # fmt: skip
@SEED
@SCALE
@DEVICE
@OVERWRITE
@JSON
def sample(
    run_folder: Path,
    output: Path,
    shards: Path | None,
    layouts: tuple[str, ...],
    attributes: str | None,
    rows: int,
    count: int,
    columns: str,
    seed: int,
    scale: int,
    device: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write a PNG grid: a layout a row, its photo and mask at the left, generated pictures beside them.

    RUN is a run's folder or a checkpoint file.

    Example: gan sample run -o grid.png --columns c --scale 2
    """
    import gan

    picture = gan.sample(
        run_folder, output, shards=shards, layouts=layouts, attributes=_names(attributes), rows=rows, columns=count,
        vary="c" if columns == "c" else "z", seed=seed, scale=scale, device=device, overwrite=overwrite,
    )  # fmt: skip
    if as_json:
        print_json({"output": str(output), "width": picture.shape[1], "height": picture.shape[0]})
    else:
        click.echo(f"{output}: {picture.shape[1]} x {picture.shape[0]} pixels", err=True)


@group.command()
@RUN
@OUTPUT
@click.option("--from", "start", required=True, metavar="A", help="A photo, point file or shard row (x.h5#12).")
@click.option("--to", "end", required=True, metavar="B", help="The same, for the last frame.")
@click.option("--frames", default=24, show_default=True, type=click.IntRange(2, 10_000), help="Both ends included.")
@click.option("--fps", default=12, show_default=True, type=click.IntRange(1, 100), help="Frames a second.")
@click.option("--attributes", help="Names of the attributes that are 1, with commas; by default none.")
@click.option("--masks", is_flag=True, help="Put each frame's mask beside it.")
@SEED
@SCALE
@DEVICE
@OVERWRITE
@JSON
def render(
    run_folder: Path,
    output: Path,
    start: str,
    end: str,
    frames: int,
    fps: int,
    attributes: str | None,
    masks: bool,
    seed: int,
    scale: int,
    device: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write the way from face A to face B as .mp4, .gif or a folder of PNGs: landmarks move, z and c stay.

    RUN is a run's folder or a checkpoint file.

    Example: gan render run --from closed.jpg --to open.jpg -o smile.mp4 --masks --scale 4
    """
    import gan

    gan.render(
        run_folder, start, end, output, frames=frames, fps=fps, attributes=_names(attributes) or (), masks=masks,
        seed=seed, scale=scale, device=device, overwrite=overwrite,
    )  # fmt: skip
    if as_json:
        print_json({"output": str(output), "frames": frames, "fps": fps})
    else:
        click.echo(f"{output}: {frames} frames", err=True)


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


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def main() -> NoReturn:
    """Run the command line."""
    # The threads of GNU OpenMP spin for milliseconds while they wait for each other. Beside another busy process that
    # makes training on two cores seven times slower; a short spin costs a quarter on an idle machine. libgomp reads
    # this when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    run(group)
