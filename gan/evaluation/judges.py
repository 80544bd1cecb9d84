"""Judges trained apart: networks that learn from the train rows alone and have never met a generator."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from gan.data.batches import batches
from gan.data.order import BatchOrder
from gan.data.rows import Batch, RowsAtSize, rows_identity
from gan.errors import CheckpointError, NotFiniteError
from gan.evaluation.classifier import Classifier
from gan.nets.losses import attribute_bce, attribute_softmax, pixel_cross_entropy
from gan.nets.segmentors import Segmentor
from gan.runs.checkpoint import check_tensors
from gan.runs.weights_file import encode_weights, read_weights, weights_sha256
from gan.settings.run_settings import AttributeKind
from gan.settings.sections import AugmentationSettings
from maskkit.files.atomic import make_folder, write_atomically
from maskkit.files.hidden import clear_files

Network = Literal["segmentor", "classifier"]
N = TypeVar("N", bound=nn.Module)
Loss = Callable[[nn.Module, Batch], Tensor]
OnStep = Callable[[str, int, int, float], None]
SEED = 20_260_000  # any that no run uses
WIDTH, BLOCKS = 24, 3  # of the segmentor, other than any preset's
MIRRORED = AugmentationSettings(mirror=True, layouts=0.0, shift=0.0, scale=0.0)
METADATA_KEY = "gan_judge"
LEARNING_RATES: dict[Network, float] = {"segmentor": 3e-3, "classifier": 1e-3}
_NAMES: dict[Network, str] = {"segmentor": "independent segmentor", "classifier": "independent classifier"}


@dataclass(frozen=True)
class JudgeRecipe:
    """Everything that decides a judge's weights, but for the machine's rounding; `shards` identifies the train rows."""

    network: Network
    shards: str
    size: int
    cls: AttributeKind
    steps: int
    batch: int
    learning_rate: float
    seed: int = SEED
    mirror: bool = True
    version: int = 1

    def to_json(self) -> str:
        """Give a canonical text."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def file_name(self) -> str:
        """Name the file, so that judges of other recipes lie beside it and are never taken for it."""
        return f"{self.network}-{hashlib.sha256(self.to_json().encode()).hexdigest()[:12]}.safetensors"


@dataclass(frozen=True)
class Judge(Generic[N]):
    """A frozen network, the SHA-256 of its weights, and its recipe (None for a segmentor of the run's own)."""

    network: N
    sha256: str
    recipe: JudgeRecipe | None = None

    def describe(self) -> dict[str, Any]:
        """Give what a report says of it."""
        return {"sha256": self.sha256, **({} if self.recipe is None else {"recipe": asdict(self.recipe)})}


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

    def segmentor(self) -> Judge[Segmentor]:
        """Give the independent segmentor. Raises CheckpointError, NotFiniteError, DataError or maskkit's errors."""
        rows = self._rows()
        return self._judge(
            "segmentor",
            rows,
            lambda: Segmentor(len(rows.reader.scheme), width=WIDTH, blocks=BLOCKS),
            lambda S, real: pixel_cross_entropy(S(real.x), real.s_idx),
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

    def _judge(self, name: Network, rows: RowsAtSize, build: Callable[[], N], loss: Loss) -> Judge[N]:
        batch = max(1, min(16, len(rows)))
        recipe = JudgeRecipe(name, rows_identity(rows), self.size, self.cls, self.steps, batch, LEARNING_RATES[name])
        path = self.folder / recipe.file_name
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            network = build()
        if path.exists():
            _load(path, recipe, network)
        else:
            network.to(self.device)
            train(network, loss, rows, recipe, lambda step, value: self._note(_NAMES[name], step, value))
            _save(path, recipe, network)
        return Judge(network.to(self.device).eval().requires_grad_(False), network_sha256(network), recipe)

    def _note(self, name: str, step: int, loss: float) -> None:
        if not math.isfinite(loss):
            raise NotFiniteError(
                f"the {name}'s loss is {loss} at step {step} of {self.steps}, and it is not kept; "
                "take another number of --judge-steps, or --device cpu"
            )
        self.on_step(name, step, self.steps, loss)


def train(
    network: nn.Module, loss: Loss, rows: RowsAtSize, recipe: JudgeRecipe, on_step: Callable[[int, float], None]
) -> None:
    """Take `recipe.steps` steps of Adam on real rows; over the second half the rate falls to 0."""
    optimiser = torch.optim.Adam(network.parameters(), recipe.learning_rate)
    device = next(network.parameters()).device
    stream = batches(rows, BatchOrder(len(rows), recipe.batch, recipe.seed), device=device)
    for step in range(recipe.steps):
        optimiser.param_groups[0]["lr"] = recipe.learning_rate * min(1, 2 * (1 - step / recipe.steps))
        value = loss(network, next(stream))
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        optimiser.step()
        on_step(step + 1, value.item())


def network_sha256(network: nn.Module) -> str:
    """Give the SHA-256 of a network's weights as safetensors stores them, without metadata."""
    return weights_sha256(_weights(network))


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def _save(path: Path, recipe: JudgeRecipe, network: nn.Module) -> None:
    content = encode_weights(_weights(network), METADATA_KEY, asdict(recipe))
    make_folder(path.parent)
    clear_files(path.parent)  # what a kill left
    write_atomically(path, lambda file: file.write(content))


def _load(path: Path, recipe: JudgeRecipe, network: nn.Module) -> None:
    try:
        weights, found = read_weights(path, METADATA_KEY)
        if found != asdict(recipe):
            raise CheckpointError(f"{path} was made from other data or by another recipe than its name says")
        check_tensors(str(path), weights, network.state_dict())
    except CheckpointError as error:
        raise CheckpointError(f"{error}; delete it to train it anew") from error
    network.load_state_dict(weights)
