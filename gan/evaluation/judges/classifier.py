"""A classifier of attributes trained apart, to judge generators that it has never met."""

from itertools import pairwise

from torch import Tensor, nn

from gan.settings.run_settings import AttributeKind

WIDTHS = (16, 32, 64, 128, 256)
FEATURES = 512


class Classifier(nn.Module):
    """Guess attributes: images (N, 3, size, size) in [-1, 1] -> logits (N, n_c).

    Five stages of two 3x3 convolutions with batch norm and ReLU, each followed by a halving, and two fully connected
    layers (the network of the SeCGAN authors' earlier code). `size` is a multiple of 32.
    """

    def __init__(self, n_c: int, size: int) -> None:
        super().__init__()
        stages = [
            stage for a, b in pairwise((3, *WIDTHS)) for stage in (*conv_row(a, b), *conv_row(b, b), nn.MaxPool2d(2))
        ]
        self.features = nn.Sequential(
            *stages, nn.Flatten(), nn.Linear(WIDTHS[-1] * (size // 2 ** len(WIDTHS)) ** 2, FEATURES), nn.ReLU()
        )
        self.attributes = nn.Linear(FEATURES, n_c)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.attributes(self.features(x))
        return logits


def probabilities(logits: Tensor, kind: AttributeKind) -> Tensor:
    """Turn logits (N, n_c) into probabilities: of each attribute alone, or over classes that add up to 1."""
    return logits.sigmoid() if kind == "binary" else logits.softmax(1)


def correct(p: Tensor, c: Tensor, kind: AttributeKind) -> Tensor:
    """Say where probabilities (N, n_c) name the true `c` (N, n_c): bool (N, n_c), or (N, 1) where one of n is 1."""
    if kind == "binary":
        return (p > 0.5) == c.bool()
    return p.argmax(1, keepdim=True) == c.argmax(1, keepdim=True)


def conv_row(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    """Give a 3x3 convolution that keeps the size, batch norm, ReLU."""
    return nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.BatchNorm2d(channels_out), nn.ReLU()
