"""Does a change leave SCGAN as it was, to the bit? `python -m benchmarks.fingerprint > after.txt`, about a minute.

Trains every preset and ablation, cut down to 32 x 32 and an eighth of the width, on drawn faces: 40 steps of `tiny`, 4
of each other. Prints a line for each with the SHA-256 of its metrics and of every tensor in its checkpoint
(networks, averages, Adam's moments, noise). Two states of the code compute the same where `diff before.txt after.txt`
says nothing, on one machine with one version of torch.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import gan
from gan.runs.checked_json import decode_line
from tests.drawn import write_drawn_shards
from tests.gan.resuming import CASES, ONE_OF, settings_of

PARTS = ("networks", "averages", "optimisers", "noise")
EVALUATED = ("log.evaluate_every=2", "log.evaluate_rows=8", "schedule.n_repeat=10")  # 40 rows: a step is an epoch


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)  # more threads sum in another order
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shards = write_drawn_shards(folder / "shards", {"train": 40, "val": 8})
        one_of = write_drawn_shards(folder / "one-of", {"train": 40, "val": 8}, names=ONE_OF)
        for number, case in enumerate(CASES):
            steps = 40 if case == "preset tiny" else 4
            falling = f"schedule.epochs={steps}", f"schedule.decay_epochs={steps // 2}"
            settings, run = settings_of(case, *EVALUATED, *falling), folder / f"run-{number}"
            gan.fit(one_of if case == "one attribute of n" else shards, run, settings, steps=steps, device="cpu")
            content = torch.load(run / "checkpoints" / f"step-{steps:06d}.pt", weights_only=True)
            digest = hashlib.sha256()
            for where, value in sorted(_tensors({part: content[part] for part in PARTS})):
                digest.update(f"{where} {value.dtype} {tuple(value.shape)}\n".encode())
                digest.update(value.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
            values = map(decode_line, (run / "metrics.jsonl").read_bytes().splitlines())  # without their checksums
            metrics = hashlib.sha256("".join(json.dumps(line) + "\n" for line in values).encode())
            print(f"{case:34} {metrics.hexdigest()} {digest.hexdigest()}", flush=True)


def _tensors(value: Any, where: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _tensors(item, f"{where}/{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _tensors(item, f"{where}/{number}")


if __name__ == "__main__":
    main()
