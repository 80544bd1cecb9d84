"""What must be the same when a run is stopped and resumed, and the presets and ablations for which that is tried."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gan.runs.presets import load_preset
from gan.settings.run_settings import RunSettings
from tests.drawn import ATTRIBUTES

# 32 x 32 and an eighth of the paper's width, by system.
SMALL_SIZES = ("data.size=32", "generator.width=8", "generator.n_z=16", "critic.width=8", "schedule.batch=4")
CUT: dict[str, tuple[str, ...]] = {
    "scgan": (*SMALL_SIZES, "segmentor.width=8"),
    "wgan-gp": SMALL_SIZES,
    "acwgan": SMALL_SIZES,
    "cyclegan": (
        "data.size=32",
        "generator.width=4",
        "generator.blocks=1",
        "critic.width=4",
        "critic.pool=5",
        "schedule.batch=4",
    ),
    "pix2pix": ("data.size=32", "generator.width=8", "critic.width=8", "schedule.batch=4"),
    "spade": ("data.size=32", "generator.width=2", "generator.n_z=8", "critic.width=4", "schedule.batch=4"),
}


class Case(NamedTuple):
    """A system by its preset and what is changed; all with an averaged generator."""

    preset: str
    changes: tuple[str, ...] = ()
    system: str = "scgan"


NO_SEGMENTOR = ("segmentor.training=none", "log.evaluate_every=0")
CASES: dict[str, Case] = {
    **{f"preset {preset}": Case(preset) for preset in ("paper", "release", "best", "tiny")},
    "without segmentor": Case("paper", NO_SEGMENTOR),
    "without segmentor and classifier": Case("paper", (*NO_SEGMENTOR, "loss.lambda_cls=0.0")),
    "frozen segmentor": Case("paper", ("segmentor.training=frozen", "segmentor.pretraining=6")),
    "reversed order": Case("paper", ("generator.joining=reversed-order",)),
    "all at once": Case("paper", ("generator.joining=all-at-once",)),
    "norm after every block": Case("paper", ("generator.tail_norm=every",)),
    "penalty of the mean score": Case("paper", ("loss.gp_reduction=mean",)),
    "separate critic updates": Case("paper", ("critic.updates=separate",)),
    "one attribute of n": Case("paper", ("loss.cls=softmax",)),
    "mirrored, fresh layouts": Case("paper", ("augmentation.mirror=true", "augmentation.layouts=0.5")),
    "bfloat16": Case("paper", ("compute.precision=bf16",)),
    **{f"{system} {preset}": Case(preset, ("log.evaluate_every=0",), system)
       for system in ("wgan-gp", "acwgan", "pix2pix", "cyclegan", "spade") for preset in ("paper", "tiny")},
}  # fmt: skip
CASES["spade without latents"] = Case("tiny", ("generator.n_z=0", "log.evaluate_every=0"), "spade")
ONE_OF = ATTRIBUTES[:3]  # of these, every drawn face has exactly one


def settings_of(case: str, *overrides: str, cut: bool = True) -> RunSettings:
    """Give a case's settings."""
    preset, changes, system = CASES[case]
    smaller = CUT[system] if cut else ()
    return load_preset(preset, ["averaging.decay=0.9", *smaller, *overrides, *changes], system=system)


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
