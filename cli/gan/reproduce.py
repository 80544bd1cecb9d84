"""The command `gan reproduce`: a paper's comparison, trained, measured and written up."""

import os
from pathlib import Path

import click

from cli.gan.fit import stop_on_signal
from cli.gan.measures import COUNT, JUDGE_SHARDS, JUDGE_STEPS, ONLY, bars, measures_of
from cli.gan.options import DEVICE, split_names
from cli.shared import as_json, print_json, say, stop_status
from gan.names import EXPERIMENTS, SCALES, Scale


@click.command()
@click.argument("name", metavar="EXPERIMENT", type=click.Choice(EXPERIMENTS))
@click.argument("shards", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--budget", required=True, metavar="TIME|IMAGES|paper",
    help="For each system: 90s, 12m or 20h of training, a number of real images, or the epochs of its paper.",
)  # fmt: skip
@click.option("--systems", metavar="NAMES", help="Those to train now, with commas; all by default.")
@click.option(
    "--scale", type=click.Choice(SCALES), default="paper", show_default=True,
    help="Networks of the papers at 128 x 128, or a quarter as wide at 64 x 64 for processors.",
)  # fmt: skip
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting of all; repeatable.")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 2**63 - 1), help="Of training and of measuring."
)
@COUNT
@ONLY
@JUDGE_STEPS
@JUDGE_SHARDS
@DEVICE
@click.option("--devices", type=click.IntRange(1, 1024), help="Processes that share each batch; 1 by default.")
@click.option("--dry-run", is_flag=True, help="Show what each would cost, by a few steps of it; write nothing.")
@as_json
def reproduce(
    name: str, shards: Path, out: Path, budget: str, systems: str | None, scale: "Scale", overrides: tuple[str, ...],
    seed: int, count: int, only: str | None, judge_steps: int, judge_shards: Path | None, device: str,
    devices: int | None, dry_run: bool, as_json: bool,
) -> int:  # fmt: skip
    """Repeat a paper's comparison on SHARDS and leave runs, table and pages in OUT.

    Every system is trained on the same rows with the same budget, measured by the same judges, and put into one table
    beside what the paper has printed. Started again it goes on, from wherever it was stopped; several machines share
    OUT where each is started with other --systems. The report is on what is finished.

    Example: gan reproduce scgan shards comparison --budget 12m --scale tiny
    """
    import gan
    from gan.errors import InputError

    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise InputError("gan reproduce starts processes of its own; start it without torchrun, with --devices N")
    plan = gan.plan_reproduction(
        name, shards, out, budget=budget, systems=split_names(systems), scale=scale, overrides=overrides, seed=seed,
        device=device, devices=devices,
    )  # fmt: skip
    if dry_run:
        with bars() as on_progress:
            costs = gan.rehearse(plan, on_progress)
        if as_json:
            print_json(costs.to_dict())
        else:
            say(costs.to_text())
        return 0
    with stop_on_signal() as received, bars() as on_progress:
        report = gan.reproduce(
            plan, only=measures_of(only), count=count, judge_steps=judge_steps, judge_shards=judge_shards,
            stop=lambda: bool(received), on_progress=on_progress,
        )  # fmt: skip
    if report is None:
        say("stopped; the same command goes on", err=True)
        return stop_status(received[0])
    if as_json:
        print_json(report.to_dict())
    else:
        say(report.to_text().removesuffix("\n"))
    say(f"{out / 'report' / 'report.html'}, .txt, .tex and .json; runs in {out / 'runs'}", err=True)
    return 0
