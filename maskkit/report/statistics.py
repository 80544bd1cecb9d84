"""What the rows of one split have in common, gathered shard by shard."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.errors import ShardError
from maskkit.masks.regions import RegionScheme, load_scheme
from maskkit.photos.images import Picture
from maskkit.points.landmarks import POINT_COUNT, Points, eye_distance
from maskkit.points.pose import pose, upright
from maskkit.points.similarity import LEAST_EXTENT, fit_similarity, move_points
from maskkit.report.histogram import Histogram
from maskkit.shards.description import Dataset
from maskkit.shards.reader import Shard

# Shares of the picture in the five layouts that the SCGAN paper's project page shows: least and largest.
EXPECTED_AREAS: dict[tuple[str, ...], tuple[float, float]] = {
    ("background",): (0.78, 0.82),
    ("skin",): (0.15, 0.17),
    ("right_eye", "left_eye"): (0.003, 0.004),
    ("nose",): (0.010, 0.013),
    ("lips",): (0.008, 0.012),
    ("inner_mouth",): (0.0, 0.007),
}
FINE = 4096  # bins
POSE_RANGES = {"roll": (-180.0, 180.0), "yaw": (-2.0, 2.0), "pitch": (-1.0, 2.0), "mouth": (0.0, 1.0)}
FAREST_DISTANCE = 2.0  # of a shape from the mean, in eye distances
WORST_QUALITY = 1.0


@dataclass
class SplitStatistics:
    """Counts and distributions of one split. `areas` by class name, `pose` by figure, `colors` the sum of all masks."""

    scheme: RegionScheme
    attribute_names: tuple[str, ...]
    size: int
    rows: int = 0
    ones: NDArray[np.int64] = field(init=False)
    areas: dict[str, Histogram] = field(init=False)
    absent: Counter[str] = field(default_factory=Counter)
    pose: dict[str, Histogram] = field(init=False)
    detectors: Counter[str] = field(default_factory=Counter)
    distance: Histogram = field(init=False)
    quality: Histogram = field(init=False)
    mean_shape: NDArray[np.float64] | None = None
    colors: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.ones = np.zeros(len(self.attribute_names), dtype=np.int64)
        # Narrow where areas are small: an eye is two thousandths of a picture.
        self.areas = {name: Histogram(np.linspace(0, 1, FINE + 1) ** 2) for name in self.scheme.names}
        self.pose = {name: Histogram(np.linspace(*ends, FINE + 1)) for name, ends in POSE_RANGES.items()}
        self.distance = Histogram(np.linspace(0, FAREST_DISTANCE, FINE + 1))
        self.quality = Histogram(np.linspace(0, WORST_QUALITY, FINE + 1))
        self.colors = np.zeros((self.size, self.size, 3))

    def add(self, shard: Shard, areas: NDArray[np.float64]) -> None:
        """Count the rows of a shard, whose `areas` (N, K) were read already."""
        self.rows += len(shard)
        self.ones += shard.column("attributes").sum(axis=0, dtype=np.int64)
        for number, (name, histogram) in enumerate(self.areas.items()):
            histogram.add(areas[:, number])
            self.absent[name] += int((areas[:, number] == 0).sum())
        if shard.has_landmarks:
            for name, values in pose(points_of(shard)).items():
                self.pose[name].add(values)
            self.distance.add(self.distances(points_of(shard)))
            self.detectors.update(step for _, step, _ in shard.found())
        if (qualities := shard.qualities()) is not None:
            self.quality.add(qualities)

    def distances(self, points: Points) -> NDArray[np.float64]:
        """How far faces (N, 68, 2) are from the mean face in shape, in its eye distances: float64 (N,).

        Root mean square over the points, after the similarity that brings each face closest. Infinite where all points
        lie in one place.
        """
        result = np.full(len(points), np.inf)
        if self.mean_shape is None:
            return result
        extent = np.abs(points - points.mean(axis=1, keepdims=True)).max(axis=(1, 2))
        good = extent > LEAST_EXTENT
        if good.any():
            moved = move_points(points[good], fit_similarity(points[good], self.mean_shape))
            gap = np.linalg.norm(moved - self.mean_shape, axis=-1)
            result[good] = np.sqrt((gap**2).mean(axis=-1)) / eye_distance(self.mean_shape)
        return result

    def mean_mask(self) -> Picture:
        """The mean of all masks in colours: uint8 RGB (H, W, 3)."""
        return np.rint(self.colors / max(1, self.rows)).astype(np.uint8)

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain types."""
        attributes = {
            name: {"ones": int(count), "share": count / self.rows if self.rows else float("nan")}
            for name, count in zip(self.attribute_names, self.ones.tolist(), strict=True)
        }
        areas = {name: {**histogram.to_dict(), "absent": self.absent[name]} for name, histogram in self.areas.items()}
        return {
            "rows": self.rows,
            "attributes": attributes,
            "areas": areas,
            "expected_areas": self.expected_areas(),
            "pose": {name: histogram.to_dict() for name, histogram in self.pose.items() if histogram.total},
            "detectors": dict(self.detectors),
            "shape_distance": self.distance.to_dict() if self.distance.total else {},
            "quality": self.quality.to_dict() if self.quality.total else {},
        }

    def expected_areas(self) -> list[dict[str, Any]]:
        """For the classes of `scgan`: regions, their mean share together, the range expected, and if it lies inside."""
        if self.scheme.names != load_scheme("scgan").names:
            return []
        result = []
        for names, (least, largest) in EXPECTED_AREAS.items():
            mean = sum(self.areas[name].mean for name in names)
            inside = least <= mean <= largest
            result.append({"regions": names, "mean": mean, "least": least, "largest": largest, "inside": inside})
        return result


class MeanShape:
    """The mean face of many, each brought to one place, one size and level eyes."""

    def __init__(self) -> None:
        self._sum, self._count = np.zeros((POINT_COUNT, 2)), 0

    def add(self, points: Points) -> None:
        """Count faces (N, 68, 2); those whose points all lie in one place have no shape and are passed over."""
        faces = upright(points)
        good = np.isfinite(faces).all(axis=(1, 2))
        self._sum += faces[good].sum(axis=0)
        self._count += int(good.sum())

    def result(self) -> NDArray[np.float64] | None:
        """The mean, float64 (68, 2), or None of no faces, and where its eyes lie in one place."""
        if not self._count:
            return None
        mean = self._sum / self._count
        return mean if eye_distance(mean) > LEAST_EXTENT else None


def points_of(shard: Shard) -> Points:
    """The points of all rows; ShardError where one is not finite."""
    points: Points = shard.column("landmarks")
    broken = np.flatnonzero(~np.isfinite(points).all(axis=(1, 2)))
    if len(broken):
        raise ShardError(f"{shard.path}, row {broken[0]}: a point is NaN or infinite; `maskkit verify` tells more")
    return points


def areas_of(shard: Shard, dataset: Dataset, colors: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """The share of the picture that each class takes in each row: float64 (N, K); adds the masks' colours to `colors`.

    ShardError where a label is outside of the scheme.
    """
    classes, pixels = len(dataset.scheme), dataset.size**2
    tables = np.zeros((3, 256), dtype=np.uint8)
    tables[:, :classes] = dataset.scheme.palette.T
    areas = np.empty((len(shard), classes))
    for row in range(len(shard)):
        mask = shard.mask(row)
        counts = np.bincount(mask.ravel(), minlength=classes)
        if len(counts) > classes:
            raise ShardError(
                f"{shard.path}, row {row}: the mask holds the value {len(counts) - 1}, and the classes are 0 to "
                f"{classes - 1}"
            )
        areas[row] = counts / pixels
        if colors is not None:
            cv2.accumulate(cv2.merge([cv2.LUT(mask, table) for table in tables]), colors)
    return areas
