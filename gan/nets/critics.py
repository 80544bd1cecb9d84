"""The critic that scores images and guesses their attributes, and its slope written out."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.nets.losses import Reduction

SMALL_MAP = 8  # side of an input map up to which patches are faster; at 16 the two are equal


class Halving(nn.Conv2d):
    """Halve the resolution: (N, channels_in, H, W) -> (N, channels_out, H / 2, W / 2), by a 4 x 4 kernel.

    On a CPU, where maps are `small`, patches are gathered and multiplied as one matrix: oneDNN's
    convolutions take up to twenty times as long for the gradients of so many weights at so few places.
    """

    def __init__(self, channels_in: int, channels_out: int, *, small: bool) -> None:
        super().__init__(channels_in, channels_out, 4, 2, 1)
        self.small = small

    def forward(self, x: Tensor) -> Tensor:
        if not self._by_patches(x):
            return super().forward(x)
        h, w = (side // 2 for side in x.shape[2:])
        patches = F.unfold(x, 4, padding=1, stride=2).transpose(1, 2).flatten(0, 1)
        return F.linear(patches, self.weight.flatten(1), self.bias).view(len(x), h, w, -1).permute(0, 3, 1, 2)

    def back(self, slope: Tensor) -> Tensor:
        """Give the gradient at the input for one at the output, (N, channels_out, H / 2, W / 2) -> as the input."""
        if not self._by_patches(slope):
            return F.conv_transpose2d(slope, self.weight, stride=2, padding=1)
        count, _, h, w = slope.shape
        patches = slope.permute(0, 2, 3, 1).flatten(0, 2) @ self.weight.flatten(1)
        return F.fold(patches.view(count, h * w, -1).transpose(1, 2), (2 * h, 2 * w), 4, padding=1, stride=2)

    def _by_patches(self, x: Tensor) -> bool:
        return self.small and x.device.type == "cpu"


class Critic(nn.Module):
    """Score images and guess their attributes (SCGAN paper, Table 2, D): a trunk without norms and two heads.

    (N, 3, size, size) -> score map (N, 1, 2, 2), unbounded, and attribute logits (N, n_c). The trunk halves until its
    map is 2 x 2. No norm anywhere: the gradient penalty is taken for each sample on its own.
    """

    def __init__(self, n_c: int, size: int, *, width: int = 64, leaky_slope: float = 0.2) -> None:
        super().__init__()
        layers = size.bit_length() - 2
        channels = [3, *(width * 2**i for i in range(layers))]
        self.trunk = nn.Sequential(
            *(
                nn.Sequential(Halving(a, b, small=size >> i <= SMALL_MAP), nn.LeakyReLU(leaky_slope))
                for i, (a, b) in enumerate(pairwise(channels))
            )
        )
        self.score = nn.Conv2d(channels[-1], 1, 3, padding=1, bias=False)
        # The kernel equals the remaining map: Table 2's K3 would give one logit for each of its four places.
        self.attributes = nn.Conv2d(channels[-1], n_c, 2, bias=False) if n_c else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.trunk(x)
        logits = h.new_zeros(len(h), 0) if self.attributes is None else self.attributes(h).flatten(1)
        return self.score(h), logits

    def slope(self, x: Tensor, reduction: Reduction = "sum") -> Tensor:
        """Give the gradient of each image's score map, summed or averaged, at x (N, 3, size, size): of the same shape.

        Written out: the trunk is convolutions and leaky ReLUs, so going back it is transposed convolutions, with the
        signs that went forward as fixed masks. What comes out is differentiable by the weights in one ordinary
        backward, and has the gradients that differentiating twice would give: almost everywhere the masks change with
        neither weights nor images.
        """
        rows: list[tuple[Halving, nn.LeakyReLU]] = [(row[0], row[1]) for row in self.trunk]  # type: ignore[index]
        masks: list[Tensor] = []
        with torch.no_grad():
            h = x
            for conv, activation in rows:
                h = activation(conv(h))
                masks.append(torch.full_like(h, activation.negative_slope).masked_fill_(h > 0, 1))
            score = self.score(h[:1])  # going back, it is the same for every image
        # Biases decide the masks alone. Their gradient is 0 and not None: Adam moves what has a gradient.
        idle = 0 * torch.stack([conv.bias.sum() for conv, _ in rows if conv.bias is not None]).sum()
        slope = torch.full_like(score, 1 if reduction == "sum" else 1 / score.numel()) + idle
        slope = F.conv_transpose2d(slope, self.score.weight, padding=1)
        for (conv, _), mask in zip(reversed(rows), reversed(masks), strict=True):
            slope = conv.back(slope * mask)
        return slope
