"""Loss curves, pies of their components and a sample's progress (SCGAN paper, Figure 10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from gan.errors import InputError, explained
from gan.figures.loss_history import LossHistory, Values, loss_shares, read_losses, smoothed
from gan.figures.sample_progress import Thumbnail, read_progress
from gan.pictures.several_runs import distinct_names
from gan.pictures.tiles import Picture, check_still, write_still
from gan.runs.run_folder import read_settings
from gan.systems import system_class

DPI = 100
TITLES = {"loss_d": "critic loss $L_D$", "loss_g": "generator loss $L_G$", "loss_s": "segmentor loss $L_S$"}
COMPONENTS = {  # words and colours
    "real": ("real score", "C0"),
    "fake": ("fake score", "C1"),
    "cls": ("classification", "C2"),
    "gp": ("gradient penalty", "C3"),
    "seg": ("segmentation", "C4"),
}
Shares = dict[str, dict[str, float]]  # of a run, by total and component


@dataclass(frozen=True)
class LossFigure:
    """The picture, and the signed shares in it by run, total and component."""

    picture: Picture
    shares: dict[str, Shares]


class _Run(NamedTuple):
    name: str
    title: str
    history: LossHistory
    shares: Shares
    progress: list[Thumbnail]


@explained("drawing the losses", "take fewer runs or a smaller scale")
def losses(
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    names: Sequence[str] = (),
    scale: int = 1,
    overwrite: bool = False,
) -> LossFigure:
    """Write and give a figure of what runs have noted in metrics.jsonl and samples/.

    Curves of every total over epochs (over steps where a run has not finished its first), each step faint and a moving
    average over it; for each run pies of the weighted components' shares over its last epoch, and up to nine pictures
    of one layout and z from its sample grids. Raises InputError, RunError or maskkit's errors.
    """
    path, titles = Path(out), distinct_names(runs, names)
    if not 1 <= scale <= 8:
        raise InputError(f"a figure of losses has a scale from 1 to 8, not {scale}")
    check_still(path, overwrite, "figures", runs=runs)
    read = []
    for title, run in zip(titles, runs, strict=True):
        history = read_losses(run)
        shares = {total: loss_shares(history.last_epoch(total)) for total in history.totals()}
        read.append(_Run(title, _system_title(Path(run)), history, shares, read_progress(Path(run))))
    with matplotlib.style.context("default"):  # not what a user's matplotlibrc says
        picture = _draw(read, scale)
    write_still(path, picture, overwrite, ", ".join(dict.fromkeys(run.title for run in read)))
    return LossFigure(picture, {run.name: run.shares for run in read})


def _system_title(run: Path) -> str:
    """Say what made a run's pictures, where its settings are there to tell."""
    return system_class(read_settings(run).system).title if (run / "config.toml").is_file() else "a generator"


def _draw(runs: Sequence[_Run], scale: int) -> Picture:
    figure = Figure(figsize=(12, 3.4 + 3.0 * len(runs)), dpi=DPI * scale, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    parts = figure.subfigures(1 + len(runs), 1, height_ratios=[3.4, *[3.0] * len(runs)], squeeze=False)[:, 0]
    _draw_curves(parts[0], runs)
    for part, run in zip(parts[1:], runs, strict=True):
        _draw_run(part, run)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def _draw_curves(part: SubFigure, runs: Sequence[_Run]) -> None:
    found = {total for run in runs for total in run.history.totals()}
    totals = [*(total for total in TITLES if total in found), *sorted(found - set(TITLES))]
    by_epoch = all(run.history.steps_per_epoch for run in runs)
    for axes, total in zip(part.subplots(1, len(totals), squeeze=False)[0], totals, strict=True):
        drawn, lines, names = [], [], []
        for i, run in enumerate(runs):
            values = run.history.totals().get(total)
            if values is None:
                continue  # a run without a segmentor has no such loss
            x = run.history.steps / (run.history.steps_per_epoch or 1) if by_epoch else run.history.steps
            axes.plot(x, values, color=f"C{i}", alpha=0.2, linewidth=0.5)
            lines += axes.plot(x, smoothed(values), color=f"C{i}", linewidth=1.5)
            names.append(run.name)
            drawn.append(values)
        axes.set_title(TITLES.get(total, total))
        axes.set_xlabel("epoch" if by_epoch else "step")
        _limit(axes, np.concatenate(drawn))
        axes.grid(alpha=0.3)
        for text in axes.legend(lines, names, loc="upper right").get_texts():
            text.set_parse_math(False)


def _limit(axes: Axes, values: Values) -> None:
    """Show all but the outermost values, which would press the rest into a line."""
    low, high = np.percentile(values, [0.2, 99.8])
    margin = 0.05 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)


def _draw_run(part: SubFigure, run: _Run) -> None:
    part.suptitle(run.name, x=0.01, horizontalalignment="left", fontweight="bold", parse_math=False)
    pies = {total: shares for total, shares in run.shares.items() if len(shares) > 1 and any(shares.values())}
    left, right = part.subfigures(1, 2, width_ratios=[max(1, len(pies)), 1.1], squeeze=False)[0]
    if pies:
        for axes, (total, shares) in zip(left.subplots(1, len(pies), squeeze=False)[0], pies.items(), strict=True):
            _draw_pie(axes, shares)
            axes.set_title(TITLES.get(total, total), fontsize="medium")
    if run.progress:
        for axes, thumbnail in zip(right.subplots(3, 3).flat, run.progress, strict=False):
            axes.imshow(thumbnail.picture, interpolation="nearest")
            per_epoch = run.history.steps_per_epoch
            when = f"epoch {thumbnail.step / per_epoch:.1f}" if per_epoch else f"step {thumbnail.step}"
            axes.set_title(when, fontsize="x-small", pad=2)
        for axes in right.axes:
            axes.set_axis_off()


def _draw_pie(axes: Axes, shares: dict[str, float]) -> None:
    shown = [(share, *COMPONENTS.get(name, (name, "C7"))) for name, share in shares.items() if share]
    axes.pie(
        [abs(share) for share, _, _ in shown],
        labels=[f"{words}\n{share:.0%}" for share, words, _ in shown],
        colors=[color for _, _, color in shown],
        startangle=90,
        counterclock=False,
        textprops={"fontsize": "small"},
    )
