"""Judges trained apart: they learn from the train rows alone and have never met a generator."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gan.data.batches import batches
from gan.data.order import BatchOrder
from gan.data.rows import Batch, RowsAtSize, rows_identity
from gan.errors import NotFiniteError
from gan.evaluation.judges.classifier import Classifier
from gan.evaluation.judges.disturbance import disturb, draw_disturbance
from gan.evaluation.judges.kept import SEED, Judge, JudgeRecipe, N, NetworkName, load_judge, network_sha256, save_judge
from gan.evaluation.judges.unet_segmentor import UNetSegmentor
from gan.nets.losses import attribute_bce, attribute_softmax, pixel_cross_entropy
from gan.settings.run_settings import AttributeKind
from gan.settings.sections import AugmentationSettings

Loss = Callable[[nn.Module, Batch], Tensor]
OnStep = Callable[[str, int, int, float], None]
MIRRORED = AugmentationSettings(mirror=True, layouts=0.0, shift=0.0, scale=0.0)
LEARNING_RATES: dict[NetworkName, float] = {"segmentor": 3e-3, "classifier": 1e-3}
_TAUGHT = "taught with mirrored rows, other light and contrast, blur and noise"
KINDS: dict[NetworkName, str] = {
    "segmentor": f"U-Net with skips, {_TAUGHT}",
    "classifier": f"five stages of convolutions, {_TAUGHT}",
}


@dataclass(frozen=True)
class Judges:
    """The judges for the train rows of `shards` at `size`, read from `folder` or trained and kept there.

    `on_step` gets a judge's name, the steps done, their number and the loss.
    """

    shards: Path
    size: int
    cls: AttributeKind
    folder: Path
    steps: int
    device: torch.device
    on_step: OnStep

    def segmentor(self) -> Judge[UNetSegmentor]:
        """Give the independent segmentor. Raises CheckpointError, NotFiniteError, DataError or maskkit's errors."""
        rows = self._rows()
        n_s = len(rows.reader.scheme)
        return self._judge(
            "segmentor", rows, lambda: UNetSegmentor(n_s), lambda S, real: pixel_cross_entropy(S(real.x), real.s_idx)
        )

    def classifier(self) -> Judge[Classifier]:
        """Give the independent classifier. Raises as `segmentor`."""
        rows = self._rows()
        loss = attribute_bce if self.cls == "binary" else attribute_softmax
        n_c = len(rows.reader.attribute_names)
        return self._judge(
            "classifier", rows, lambda: Classifier(n_c, self.size), lambda C, real: loss(C(real.x), real.c)
        )

    def _rows(self) -> RowsAtSize:
        return RowsAtSize(self.shards, "train", self.size, self.cls, MIRRORED, SEED)

    def _judge(self, name: NetworkName, rows: RowsAtSize, build: Callable[[], N], loss: Loss) -> Judge[N]:
        batch = max(1, min(16, len(rows)))
        recipe = JudgeRecipe(
            name, KINDS[name], rows_identity(rows), self.size, self.cls, self.steps, batch, LEARNING_RATES[name]
        )
        path = self.folder / recipe.file_name
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            network = build()
        if path.exists():
            load_judge(path, recipe, network)
        else:
            network.to(self.device)
            train(network, loss, rows, recipe, lambda step, value: self._note(name, step, value))
            save_judge(path, recipe, network)
        return Judge(network.to(self.device).eval().requires_grad_(False), network_sha256(network), recipe)

    def _note(self, name: NetworkName, step: int, loss: float) -> None:
        if not math.isfinite(loss):
            raise NotFiniteError(
                f"the independent {name}'s loss is {loss} at step {step} of {self.steps}, and it is not kept; "
                "take another number of --judge-steps, or --device cpu"
            )
        self.on_step(f"independent {name}", step, self.steps, loss)


def train(
    network: nn.Module, loss: Loss, rows: RowsAtSize, recipe: JudgeRecipe, on_step: Callable[[int, float], None]
) -> None:
    """Take `recipe.steps` steps of Adam on disturbed real rows; over the second half the rate falls to 0."""
    optimiser = torch.optim.Adam(network.parameters(), recipe.learning_rate)
    device = next(network.parameters()).device
    stream = batches(rows, BatchOrder(len(rows), recipe.batch, recipe.seed), device=device)
    for step in range(recipe.steps):
        optimiser.param_groups[0]["lr"] = recipe.learning_rate * min(1, 2 * (1 - step / recipe.steps))
        real = next(stream)
        # Beside the order's [seed, epoch] and the mirroring's [seed, batch, 1].
        disturbance = draw_disturbance(len(real.x), recipe.size, np.random.default_rng([recipe.seed, step, 2]))
        value = loss(network, real._replace(x=disturb(real.x, disturbance)))
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        optimiser.step()
        on_step(step + 1, value.item())
