"""A free photo brought into the place that CelebA's aligned photos have: turned, scaled and shifted by its eyes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.errors import PointsError
from maskkit.photos.celeba_geometry import ALIGNED_EYES, ALIGNED_SIZE
from maskkit.photos.images import Picture
from maskkit.points.landmarks import Points, eye_centres
from maskkit.points.similarity import LEAST_EXTENT, Matrix, fit_similarity, move_points


@dataclass(frozen=True)
class Alignment:
    """A similarity, float64 (2, 3), from a photo's pixels onto a grid of `size` x `size`; used as a `Crop` is."""

    matrix: Matrix
    size: int

    @classmethod
    def by_eyes(cls, points: Points, side: int, size: int) -> "Alignment":
        """What brings a face's eyes to CelebA's place, seen in the middle `side` pixels of such a photo.

        A `side` above CelebA's 178 shows more of the surroundings. Raises PointsError where both eyes lie in one
        place.
        """
        eyes = eye_centres(points)
        if np.hypot(*(eyes[1] - eyes[0])) < LEAST_EXTENT:
            raise PointsError("both eyes lie in one place, so the face cannot be aligned")
        height, width = ALIGNED_SIZE
        corner: NDArray[np.float64] = np.array([(width - side) // 2, (height - side) // 2])
        return cls(fit_similarity(eyes, (ALIGNED_EYES + 0.5 - corner) * (size / side) - 0.5), size)

    def image(self, image: Picture) -> Picture:
        """Move the photo, uint8 (H, W, 3) -> (size, size, 3); beyond its edge the edge goes on, as in CelebA."""
        return move_picture(image, self.matrix, self.size)

    def points(self, points: Points) -> Points:
        """Move points with the photo, float32 (68, 2)."""
        return move_points(points, self.matrix)


def move_picture(image: Picture, matrix: Matrix, size: int) -> Picture:
    """Move a picture by a similarity (2, 3) onto a `size` x `size` grid: averaged where it shrinks, else bilinear."""
    scale = float(np.hypot(*matrix[:, 0]))
    if scale < 1:  # the warp looks at four pixels only, so the average is taken before
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        smaller = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        y, x = image.shape[0] / height, image.shape[1] / width
        matrix = matrix @ np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]])
        image = smaller
    moved = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.uint8)
