"""A judge's recipe, and its weights in a file that is found by it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from torch import Tensor, nn

from gan.errors import CheckpointError
from gan.runs.checkpoint import check_tensors
from gan.runs.weights_file import encode_weights, read_weights, weights_sha256
from gan.settings.run_settings import AttributeKind
from maskkit.files.atomic import make_folder, write_atomically
from maskkit.files.hidden import clear_files

NetworkName = Literal["segmentor", "classifier"]
N = TypeVar("N", bound=nn.Module)
SEED = 20_260_000  # any that no run uses
# Raise it with every change of a judge's network or teaching: kept judges of another version are never taken.
VERSION = 2
METADATA_KEY = "gan_judge"


@dataclass(frozen=True)
class JudgeRecipe:
    """Everything that decides a judge's weights, but for the machine's rounding; `shards` identifies the train rows.

    `kind` says in words what network it is and what it is taught with.
    """

    network: NetworkName
    kind: str
    shards: str
    size: int
    cls: AttributeKind
    steps: int
    batch: int
    learning_rate: float
    seed: int = SEED
    version: int = VERSION

    @property
    def file_name(self) -> str:
        """Name the file, so that judges of other recipes lie beside it and are never taken for it."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{self.network}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.safetensors"


@dataclass(frozen=True)
class Judge(Generic[N]):
    """A frozen network, the SHA-256 of its weights, and its recipe (None for a segmentor of the run's own)."""

    network: N
    sha256: str
    recipe: JudgeRecipe | None = None

    def describe(self) -> dict[str, Any]:
        """Give what a report says of it."""
        return {"sha256": self.sha256, **({} if self.recipe is None else {"recipe": asdict(self.recipe)})}


def network_sha256(network: nn.Module) -> str:
    """Give the SHA-256 of a network's weights as safetensors stores them, without metadata."""
    return weights_sha256(_weights(network))


def save_judge(path: Path, recipe: JudgeRecipe, network: nn.Module) -> None:
    """Write a judge, atomically. Raises maskkit's OutputError."""
    content = encode_weights(_weights(network), METADATA_KEY, asdict(recipe))
    make_folder(path.parent)
    clear_files(path.parent)  # what a kill left
    write_atomically(path, lambda file: file.write(content))


def load_judge(path: Path, recipe: JudgeRecipe, network: nn.Module) -> None:
    """Read a judge's weights into its network. Raises CheckpointError."""
    try:
        weights, found = read_weights(path, METADATA_KEY)
        if found != asdict(recipe):
            raise CheckpointError(f"{path} was made from other data or by another recipe than its name says")
        check_tensors(str(path), weights, network.state_dict())
    except CheckpointError as error:
        raise CheckpointError(f"{error}; delete it to train it anew") from error
    network.load_state_dict(weights)


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
