"""The commands `maskkit build-celeba` and `maskkit build-folder`."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

import maskkit
from cli.maskkit.options import face_option, scheme_option
from cli.shared import EXIT_FAILED, as_json, print_json, progress, say, say_error
from maskkit.building.celeba import ATTRIBUTES, SPLIT_RULES
from maskkit.building.engines import ENGINES
from maskkit.detection.cascade import DETECTORS, FREE_DETECTORS

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

Command = Callable[..., int]


def _names(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name for name in text.split(",") if name)


def build_options(command: Command) -> Command:
    """What both builds have in common."""
    options = (
        click.option("--size", default=128, show_default=True, help="Side of the stored photos and masks in pixels."),
        scheme_option,
        click.option("--landmarks", type=FILE,
                     help="CSV of points by another detector, id,x0,y0,...,x67,y67; nothing is detected then."),
        click.option("--corrections", type=FILE, multiple=True,
                     help="What people decided about rows in `maskkit studio`; several people's by several of these."),
        click.option("--quality", is_flag=True,
                     help="Score each row: how far its points move under a small shift of the face's box."),
        click.option("--engine", type=click.Choice(list(ENGINES)), default="local", show_default=True,
                     help="Processes of this machine; or a Ray cluster: the one that RAY_ADDRESS names or that runs "
                          "here, or else one started for the time of the build."),
        click.option("--workers", type=click.IntRange(1), help="Most processes or Ray tasks at once.  "
                                                               "[default: processors, on Ray all of the cluster's]"),
        click.option("--shard-size", default=2048, show_default=True, help="Rows in each file."),
        click.option("--limit", type=click.IntRange(1), help="Take only the first N photos by id."),
        click.option("--max-skipped", type=click.FloatRange(0, 1), default=0.05, show_default=True,
                     help="Fail if a larger share of the photos had to be left out."),
        click.option("--dry-run", is_flag=True, help="Check the tables, estimate time and disk, and stop."),
        click.option("--fresh", is_flag=True, help="Discard the data set that is in OUT and begin anew."),
        as_json,
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command("build-celeba")
@click.argument("root", type=FOLDER)
@click.argument("out", type=FOLDER)
@click.option("--crop", default=178, show_default=True, help="Side of the square cut from the middle of each photo.")
@click.option(
    "--attributes",
    default=",".join(ATTRIBUTES),
    show_default=True,
    callback=_names,
    help="Attributes to keep, in this order.",
)
@click.option("--detector", type=click.Choice(DETECTORS), default="auto", show_default=True)
@click.option("--split", type=click.Choice(SPLIT_RULES), default="official", show_default=True)
@build_options
def build_celeba(
    root: Path, out: Path, engine: str, workers: int | None, max_skipped: float, dry_run: bool, fresh: bool,
    as_json: bool, **options: Any,
) -> int:  # fmt: skip
    """Turn CelebA's folder ROOT into shards in OUT.

    ROOT holds img_align_celeba/ or img_align_celeba.zip, which stays packed, and list_attr_celeba.txt or .csv. A
    stopped build goes on when the same command is given again. OUT/ledger.csv lists every photo with the step that
    found its face, or why it was left out; OUT/preview.png shows a random sheet.

    \b
    Example:
      maskkit build-celeba ~/celeba shards --workers 8
    """
    how = Wish(engine, workers, max_skipped, dry_run, fresh, as_json)
    return _do(maskkit.plan_celeba, maskkit.build_celeba, root, out, maskkit.BuildOptions(**options), how)


@click.command("build-folder")
@click.argument("images", type=click.Path(path_type=Path))
@click.argument("out", type=FOLDER)
@click.option("--table", type=FILE, help="CSV of photos (paths below IMAGES) with 1, 0 or -1 for each attribute.")
@click.option("--attributes", callback=_names,
              help="Columns of the table to keep, in this order.  [default: all of them]")  # fmt: skip
@click.option("--split-column", help="Column of the table that says train, val or test.")
@click.option("--val", type=click.FloatRange(0, 1), default=0.1, show_default=True,
              help="Share of the photos for val, without a split column.")  # fmt: skip
@click.option("--test", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share for test.")
@click.option("--every", type=click.IntRange(1), default=10, show_default=True,
              help="Of videos: take every N-th frame; they come into one split together.")  # fmt: skip
@face_option
@click.option("--crop", default=178, show_default=True,
              help="Pixels of an aligned CelebA photo that are shown; more for more surroundings.")  # fmt: skip
@click.option("--detector", type=click.Choice(FREE_DETECTORS), default="auto", show_default=True)
@build_options
def build_folder(
    images: Path, out: Path, engine: str, workers: int | None, max_skipped: float, dry_run: bool, fresh: bool,
    as_json: bool, **options: Any,
) -> int:  # fmt: skip
    """Turn any photos, below the folder IMAGES or in a .zip, and videos in that folder into shards in OUT.

    Each face is turned, scaled and shifted by its eyes into the place that CelebA's photos have. A stopped build goes
    on when the same command is given again. OUT/ledger.csv lists every photo, or why it was left out.

    \b
    Example:
      maskkit build-folder holiday/ shards --face all --val 0.2
    """
    how = Wish(engine, workers, max_skipped, dry_run, fresh, as_json)
    return _do(maskkit.plan_folder, maskkit.build_folder, images, out, maskkit.FolderOptions(**options), how)


@dataclass(frozen=True)
class Wish:
    """How a build is to be done and told, whatever it makes."""

    engine: str
    workers: int | None
    max_skipped: float
    dry_run: bool
    fresh: bool
    as_json: bool


def _do(
    plan: Callable[..., maskkit.BuildPlan], build: Callable[..., maskkit.BuildResult], source: Path, out: Path,
    options: maskkit.BuildOptions | maskkit.FolderOptions, wish: Wish,
) -> int:  # fmt: skip
    """Plan a build or run it, and report."""
    workers = wish.workers or ENGINES[wish.engine].most_workers()
    if wish.dry_run:
        planned = plan(source, out, options, engine=wish.engine, workers=workers, fresh=wish.fresh)
        return _tell_plan(planned, wish.as_json)
    with progress("building") as advance:
        result = build(
            source, out, options, engine=wish.engine, workers=workers, max_skipped=wish.max_skipped, fresh=wish.fresh,
            on_plan=_announce, on_progress=lambda done, total: advance(done, total=total),
        )  # fmt: skip
    return _tell_result(result, wish.max_skipped, wish.as_json)


def _sentence(plan: maskkit.BuildPlan) -> str:
    photos = f"{sum(plan.inputs.values()):,} photos {plan.inputs}"
    photos += f", {plan.done:,} of them done" if plan.done else ""
    return f"{photos}: about {plan.seconds:,.0f} s and {plan.bytes / 1e6:,.0f} MB"


def _announce(plan: maskkit.BuildPlan) -> None:
    say(_sentence(plan), err=True)


def _tell_plan(plan: maskkit.BuildPlan, as_json: bool) -> int:
    if as_json:
        print_json(asdict(plan))
    else:
        say(_sentence(plan))
    return 0


def _tell_result(result: maskkit.BuildResult, max_skipped: float, as_json: bool) -> int:
    if as_json:
        print_json({**asdict(result), "out": str(result.out)})
    else:
        total = result.kept + result.skipped
        reasons = "".join(
            f"\n  left out, {reason}: {count} ({count / total:.1%})" for reason, count in result.reasons.items()
        )
        steps = ", ".join(f"{step} {count}" for step, count in result.detectors.items())
        by_hand = f"\n  by hand: {result.corrected:,} corrected, {result.rejected:,} rejected"
        decided = by_hand if result.corrected or result.rejected else ""
        say(
            f"{result.kept:,} rows in {result.out} ({result.splits}); found by {steps}{reasons}{decided}\n"
            f"look at {result.out / 'preview.png'}; every photo is listed in {result.out / 'ledger.csv'}"
        )
    if result.too_many_skipped:
        failed = result.skipped - result.unasked
        share = failed / (result.kept + failed)
        say_error(f"{share:.1%} of the photos were left out, more than --max-skipped {max_skipped}")
        return EXIT_FAILED
    return 0
