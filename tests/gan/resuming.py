"""What must be the same when a run is stopped and resumed, and the presets and ablations for which that is tried."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from gan.names import PRESETS
from gan.settings.run_settings import Settings, load_preset
from tests.drawn import ATTRIBUTES

# 32 x 32 and an eighth of the paper's width.
CUT = (
    "data.size=32", "generator.width=8", "generator.n_z=16", "critic.width=8", "segmentor.width=8", "schedule.batch=4",
)  # fmt: skip
# Each by its preset and what is changed; all with an averaged generator.
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    **{f"preset {preset}": (preset, ()) for preset in PRESETS},
    "without segmentor": ("paper", ("segmentor.training=none", "log.evaluate_every=0")),
    "without segmentor and classifier": (
        "paper", ("segmentor.training=none", "log.evaluate_every=0", "loss.lambda_cls=0.0"),
    ),
    "frozen segmentor": ("paper", ("segmentor.training=frozen", "segmentor.pretraining=6")),
    "reversed order": ("paper", ("generator.joining=reversed-order",)),
    "all at once": ("paper", ("generator.joining=all-at-once",)),
    "norm after every block": ("paper", ("generator.tail_norm=every",)),
    "penalty of the mean score": ("paper", ("loss.gp_reduction=mean",)),
    "separate critic updates": ("paper", ("critic.updates=separate",)),
    "one attribute of n": ("paper", ("loss.cls=softmax",)),
    "mirrored, fresh layouts": ("paper", ("augmentation.mirror=true", "augmentation.layouts=0.5")),
    "bfloat16": ("paper", ("compute.precision=bf16",)),
}  # fmt: skip
ONE_OF = ATTRIBUTES[:3]  # of these, every drawn face has exactly one


def settings_of(case: str, *overrides: str, cut: bool = True) -> Settings:
    """Give a case's settings."""
    preset, changes = CASES[case]
    return load_preset(preset, ["averaging.decay=0.9", *(CUT if cut else ()), *overrides, *changes])


def difference(a: Path, b: Path, step: int) -> str | None:
    """Name the first thing in which two runs differ after `step` steps; the folder of their shards may."""
    for name in (f"step-{step:06d}.pt", "best.pt"):
        ours, theirs = (folder / "checkpoints" / name for folder in (a, b))
        if ours.exists() != theirs.exists():
            return f"{name} is there in one of them"
        if ours.exists():
            contents = [torch.load(path, weights_only=True) for path in (ours, theirs)]
            for content in contents:
                del content["settings"]["data"]["shards"]
            for where in _differences(*contents):
                return f"{name}{where}"
    for name in ("metrics.jsonl", f"samples/step-{step:06d}.png"):
        if (a / name).read_bytes() != (b / name).read_bytes():
            return name
    return None


def _differences(a: Any, b: Any, where: str = "") -> Iterator[str]:
    if type(a) is not type(b):
        yield where
    elif isinstance(a, dict):
        if a.keys() != b.keys():
            yield where
        for key in a.keys() & b.keys():
            yield from _differences(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, list | tuple):
        if len(a) != len(b):
            yield where
        for i, (x, y) in enumerate(zip(a, b, strict=False)):
            yield from _differences(x, y, f"{where}/{i}")
    elif isinstance(a, torch.Tensor):
        if a.dtype != b.dtype or not torch.equal(a, b):
            yield where
    elif a != b:
        yield where
