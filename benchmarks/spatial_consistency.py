"""Measure a run: mean IoU of its segmentor and spatial consistency of its generator, on the val and test rows.

The generator is judged twice: by the run's own segmentor, which taught it, and by one trained apart (other seed, other
width) on the same train rows, which it has never met.

    python benchmarks/spatial_consistency.py RUN SHARDS --independent-steps 600
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import torch
from torch import nn

import maskkit
from gan.data import RowsAtSize
from gan.evaluation import Evaluation, class_iou, evaluate, mean_iou, train_segmentor
from gan.loading import LoadedGenerator, load_generator, load_segmentor

INDEPENDENT_SEED = 20_260_000  # any that no run uses
INDEPENDENT_WIDTH, INDEPENDENT_BLOCKS = 24, 3


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("shards", type=click.Path(path_type=Path))
@click.option("--independent-steps", default=600, show_default=True, type=click.IntRange(0), help="0 leaves it out.")
@click.option("--device", default="auto", show_default=True)
@click.option("--seed", default=0, show_default=True, help="Decides latents and shuffling.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(run: Path, shards: Path, independent_steps: int, device: str, seed: int, as_json: bool) -> None:
    """Evaluate RUN on the val and test rows of SHARDS."""
    try:
        scores = measure(run, shards, independent_steps, device, seed)
    except maskkit.MaskkitError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(scores) if as_json else table(scores))


def measure(run: Path, shards: Path, independent_steps: int, device: str, seed: int) -> dict[str, Any]:
    """Give the scores by judge."""
    generator = load_generator(run, device)
    rows = [RowsAtSize(shards, split, generator.size) for split in ("val", "test")]
    scores: dict[str, Any] = {"step": generator.step}
    for name, judge in judges(run, shards, independent_steps, generator).items():
        scores[name] = as_dict(evaluate(generator, judge, rows, seed), generator.scheme)
    return scores


def judges(run: Path, shards: Path, independent_steps: int, generator: LoadedGenerator) -> dict[str, nn.Module]:
    """Give the run's own segmentor and, if asked for, one trained apart."""
    found: dict[str, nn.Module] = {"own": load_segmentor(run, str(generator.device))}
    if independent_steps:
        train = RowsAtSize(shards, "train", generator.size)
        found["independent"] = train_segmentor(
            train,
            width=INDEPENDENT_WIDTH,
            blocks=INDEPENDENT_BLOCKS,
            steps=independent_steps,
            seed=INDEPENDENT_SEED,
            device=torch.device(generator.device),
        )
    return found


def as_dict(result: Evaluation, scheme: maskkit.RegionScheme) -> dict[str, Any]:
    """Give one judge's scores as plain types."""
    return {
        "images": result.images,
        "mean_iou": mean_iou(result.confusion),
        "mean_iou_without_background": mean_iou(result.confusion, background=False),
        "iou": dict(zip(scheme.names, class_iou(result.confusion).tolist(), strict=True)),
        **asdict(result.consistency),
        "share_of_the_way": result.consistency.share,
    }


def table(scores: dict[str, Any]) -> str:
    """Lay the scores out for reading."""
    lines = [f"step {scores.pop('step')}"]
    for judge, result in scores.items():
        classes = ", ".join(f"{name} {value:.3f}" for name, value in result["iou"].items())
        lines += [
            f"judged by the {judge} segmentor, {result['images']} images",
            f"  mean IoU on real images {result['mean_iou']:.3f}"
            f" (without background {result['mean_iou_without_background']:.3f}): {classes}",
            f"  spatial consistency: floor {result['floor']:.4f}, value {result['value']:.4f}, "
            f"ceiling {result['ceiling']:.4f}, share of the way {result['share_of_the_way']:.3f}",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
