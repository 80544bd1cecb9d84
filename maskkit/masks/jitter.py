"""The usual augmentation of aligned faces by OpenCV alone: a mirror, small moves, light and colour, some blur."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.masks.raster import LabelMap
from maskkit.photos.images import Picture

Range = tuple[float, float]


@dataclass(frozen=True)
class Jitter:
    """What `usual_transforms` draws, without albumentations; each range is drawn from evenly.

    Shares of chance are from 0 to 1, `shift` is in shares of the picture's sides, `turn` and `shear` are in degrees,
    `hue` in shares of the colour circle; the other ranges are factors.
    """

    mirror: float = 0.5  # chance
    move: float = 0.8  # chance of the following five
    scale: Range = (0.9, 1.1)  # of width and height, each by itself
    shift: Range = (-0.04, 0.04)
    turn: Range = (-10.0, 10.0)
    shear: Range = (-3.0, 3.0)
    recolor: float = 0.8  # chance of the following four
    brightness: Range = (0.8, 1.2)
    contrast: Range = (0.8, 1.2)
    saturation: Range = (0.8, 1.2)
    hue: Range = (-0.02, 0.02)
    blur: float = 0.1  # chance

    def __call__(
        self, image: Picture, mask: LabelMap, points: NDArray[np.float32], seed: int
    ) -> tuple[Picture, LabelMap, NDArray[np.float32]]:
        """Change photo (H, W, 3), label map (H, W) and points (N, 2) together; what is outside repeats the border."""
        rng = np.random.default_rng(seed)
        matrix = self._matrix(image.shape[1], image.shape[0], rng)
        side = image.shape[1::-1]
        moved, labels = (
            cv2.warpAffine(array, matrix, side, flags=how, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
            for array, how in ((image, cv2.INTER_LINEAR), (mask, cv2.INTER_NEAREST))
        )
        there = points.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
        if rng.random() < self.recolor:
            moved = self._recolored(moved, rng)
        if rng.random() < self.blur:
            moved = cv2.GaussianBlur(moved, (3, 3) if rng.random() < 0.5 else (5, 5), 0).astype(np.uint8)
        return moved, labels, there.astype(np.float32)

    def _matrix(self, width: int, height: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Where each place goes, (2, 3): about the middle of the picture, pixel centres at integers."""
        matrix = np.eye(2)
        middle = np.array([width - 1, height - 1]) / 2
        shift = np.zeros(2)
        if rng.random() < self.mirror:
            matrix[0, 0] = -1
        if rng.random() < self.move:
            angle, shear = np.radians(rng.uniform(*self.turn)), np.tan(np.radians(rng.uniform(*self.shear, 2)))
            turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            sheared = np.array([[1, shear[0]], [shear[1], 1]])
            matrix = turned @ sheared @ np.diag(rng.uniform(*self.scale, 2)) @ matrix
            shift = rng.uniform(*self.shift, 2) * (width, height)
        return np.column_stack([matrix, middle + shift - matrix @ middle])

    def _recolored(self, image: Picture, rng: np.random.Generator) -> Picture:
        colors = image.astype(np.float32) * rng.uniform(*self.brightness)
        mean = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean()
        colors = mean + (colors - mean) * rng.uniform(*self.contrast)
        grey = (np.clip(colors, 0, 255) @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
        colors = grey + (colors - grey) * rng.uniform(*self.saturation)
        hsv = cv2.cvtColor(np.clip(colors, 0, 255).astype(np.float32), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + 360 * rng.uniform(*self.hue)) % 360
        return np.asarray(np.rint(np.clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), 0, 255)), dtype=np.uint8)
