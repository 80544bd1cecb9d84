"""What a paper has printed of its systems, as numbers to stand beside measured ones."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PrintedFigures:
    """One row: accuracy of spatial consistency, mean IoU and Frechet distance; None where nothing is printed."""

    accuracy: float | None = None
    mean_iou: float | None = None
    fid: float | None = None


@dataclass(frozen=True)
class Printed:
    """The figures of one data set by system; `floor` and `ceiling` are those of the accuracy."""

    data: str
    source: str
    floor: float
    ceiling: float
    systems: Mapping[str, PrintedFigures]

    def share(self, system: str) -> float | None:
        """Give how far a system came from floor to ceiling, which is what compares across judges and data."""
        accuracy = self.systems[system].accuracy if system in self.systems else None
        return None if accuracy is None else (accuracy - self.floor) / (self.ceiling - self.floor)


_SOURCE = (
    "accuracy: Table 1 of the SCGAN paper, SPADE's from the authors' slides; mean IoU and FID: the slides. "
    "The shares are computed from these"
)

# By the kind of attributes, which tells CelebA (independent of each other) from DeepFashion (one of n).
SCGAN_PRINTED: Mapping[str, Printed] = {
    "binary": Printed(
        "CelebA",
        f"{_SOURCE}. On CelebA CycleGAN gave one picture for every layout; the slides print no other figure of it",
        floor=0.9204,
        ceiling=0.9928,
        systems={
            "cyclegan": PrintedFigures(0.9292),
            "pix2pix": PrintedFigures(0.9805, 0.7871, 20.4),
            "spade": PrintedFigures(0.9782, 0.7476, 18.5),
            "scgan": PrintedFigures(0.9895, 0.7911, 10.2),
        },
    ),
    "softmax": Printed(
        "DeepFashion",
        _SOURCE,
        floor=0.8027,
        ceiling=0.8341,
        systems={
            "cyclegan": PrintedFigures(0.8221, 0.6326, 30.1),
            "pix2pix": PrintedFigures(0.8291, 0.6541, 24.4),
            "spade": PrintedFigures(0.8310, 0.7580, 20.2),
            "scgan": PrintedFigures(0.8323, 0.7720, 19.8),
        },
    ),
}
