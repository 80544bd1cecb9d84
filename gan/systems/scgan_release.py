"""The layers of SCGAN's networks by the names that the public SCGAN release gives them in its files."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

_GENERATOR = {  # it joins s, z, c in this order; so does ours
    **{f"encoder.{i}.{j}": f"model_s.{3 * i + j}" for i in range(4) for j in (0, 1)},
    **{f"blocks.{i}.main.{j}": f"model1.{i}.model.{j}" for i in range(4) for j in (0, 1, 4, 5)},
    **{f"blocks.{i}.shortcut.0": f"model1.{i}.bypass.1" for i in range(4)},
    "blocks.4.0": "model1.4",
    "to_image.0": "model1.6",
}
# The release's modules keep some layers under two names, and so do its files.
_TWINS = {
    **{f"model1.{i}.conv1": f"model1.{i}.model.0" for i in range(4)},
    **{f"model1.{i}.conv2": f"model1.{i}.model.4" for i in range(4)},
    **{f"model1.{i}.conv_sc": f"model1.{i}.bypass.1" for i in range(4)},
    "final": "model1.6",
}
_CRITIC = {**{f"trunk.{i}.0": f"main.{2 * i}" for i in range(6)}, "score": "conv1", "attributes": "conv2"}
_SEGMENTOR = {
    **{f"stem.{j}": f"main.{j}" for j in (0, 1)},
    **{f"down.{i}.{j}": f"main.{3 + 3 * i + j}" for i in range(2) for j in (0, 1)},
    **{f"blocks.{i}.main.{j}": f"main.{9 + i}.main.{j}" for i in range(4) for j in (0, 1, 3, 4)},
    **{f"up.{i}.{j}": f"main.{13 + 3 * i + j}" for i in range(2) for j in (0, 1)},
    "out": "main.19",
}
# Instance norms of the release's PyTorch gathered these and, as it used them, never looked at them.
_UNUSED = ("running_mean", "running_var")


class ReleasedNetwork(NamedTuple):
    """A network of the release: its name here, its layers' names there, and the second names that some have there."""

    name: str
    layers: Mapping[str, str]
    twins: Mapping[str, str] = {}

    def key(self, ours: str) -> str:
        """Give the release's name of a tensor of ours."""
        layer, _, kind = ours.rpartition(".")
        return f"{self.layers[layer]}.{kind}"

    def twin(self, theirs: Any) -> str | None:
        """Give the name of the tensor that a file of the release holds a second time as `theirs`, if it is such."""
        layer, _, kind = str(theirs).rpartition(".")
        return f"{self.twins[layer]}.{kind}" if layer in self.twins else None

    def unused(self, network: nn.Module) -> set[str]:
        """Give the names of what a file of the release may hold beside the norms of a network, to no effect."""
        norms = (name for name, module in network.named_modules() if isinstance(module, nn.InstanceNorm2d))
        return {self.key(f"{name}.{kind}") for name in norms for kind in _UNUSED}


# By the letter at the end of a file's name.
RELEASED = {
    "G": ReleasedNetwork("G", _GENERATOR, _TWINS),
    "D": ReleasedNetwork("D", _CRITIC),
    "A": ReleasedNetwork("S", _SEGMENTOR),
}


def attributes_taken(state: Mapping[Any, Any], n_z: int) -> int | None:
    """Say how many attributes the generator of a file takes, by its first block; None where the file has none."""
    first = state.get("model1.0.model.0.weight")
    if not isinstance(first, Tensor) or first.ndim != 4:
        return None
    return first.shape[1] - first.shape[0] - n_z
