"""Region schemes: which classes there are, their colours, and the polygon of points that each one fills."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.errors import SchemeError
from maskkit.files.json_text import DIGEST, is_as_written, parse_json
from maskkit.files.regular import read_regular_text
from maskkit.points.landmarks import POINT_COUNT

LARGEST_FILE = 1 << 20  # bytes
BUILT_IN = Path(__file__).parent / "schemes"


@dataclass(frozen=True)
class Region:
    """One class: its name, RGB colour, the points round it (none for the background), and its name in a mirror."""

    name: str
    color: tuple[int, int, int]
    polygon: tuple[int, ...]
    mirror: str


@dataclass(frozen=True)
class EdgeGroup:
    """The edges of up to eight polygons: the numbers of the points at their ends, int64 (E,), and each polygon's bit.

    `label` is what a pixel is painted that lies in the polygons of some bits: that of the highest, uint8 (2 ** K,).
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    bit: NDArray[np.uint8]
    label: NDArray[np.uint8]

    @classmethod
    def of(cls, polygons: list[NDArray[np.int64]], labels: NDArray[np.uint8]) -> "EdgeGroup":
        """The edges of polygons, given as numbers of points, that are painted in this order."""
        start, end = np.concatenate(polygons), np.concatenate([np.roll(polygon, -1) for polygon in polygons])
        bit = np.concatenate([np.full(len(polygon), 1 << k, np.uint8) for k, polygon in enumerate(polygons)])
        return cls(start, end, bit, np.repeat(np.append(0, labels).astype(np.uint8), [1, *1 << np.arange(len(labels))]))


@dataclass(frozen=True)
class RegionScheme:
    """Classes in painting order, later over earlier; the index of a region is its value in a label map."""

    name: str
    regions: tuple[Region, ...]

    def __len__(self) -> int:
        return len(self.regions)

    def __repr__(self) -> str:
        return f"RegionScheme({self.name}, {len(self)} classes)"

    @property
    def names(self) -> tuple[str, ...]:
        """The class names by index."""
        return tuple(region.name for region in self.regions)

    @property
    def palette(self) -> NDArray[np.uint8]:
        """The colours by index, uint8 (K, 3) RGB."""
        return np.array([region.color for region in self.regions], dtype=np.uint8)

    @property
    def mirror(self) -> NDArray[np.uint8]:
        """The class that takes each class's place in a mirror, uint8 (K,)."""
        return np.array([self.names.index(region.mirror) for region in self.regions], dtype=np.uint8)

    @property
    def drawable(self) -> bool:
        """Whether its regions can be painted from points; a scheme without polygons describes imported masks."""
        return len(self.polygons[1]) > 0

    @cached_property
    def polygons(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
        """The polygons in painting order: all their point numbers one after the other, int64; where each of them ends
        in these, int64; the label that each is painted with, uint8."""
        painted = [(index, region.polygon) for index, region in enumerate(self.regions) if region.polygon]
        # Indexed, not copied: compiled code that does not look at bounds reads points by these numbers.
        points = np.arange(POINT_COUNT, dtype=np.int64)[[point for _, polygon in painted for point in polygon]]
        ends = np.cumsum([len(polygon) for _, polygon in painted], dtype=np.int64)
        return points, ends, np.array([index for index, _ in painted], dtype=np.uint8)

    @cached_property
    def edge_groups(self) -> tuple["EdgeGroup", ...]:
        """The edges of all polygons, those of eight at a time together, in painting order."""
        points, ends, labels = self.polygons
        polygons = np.split(points, ends[:-1])
        return tuple(
            EdgeGroup.of(polygons[first : first + 8], labels[first : first + 8]) for first in range(0, len(ends), 8)
        )

    def to_dict(self) -> dict[str, Any]:
        """The scheme as plain types, as a scheme file holds it."""
        regions: list[dict[str, Any]] = []
        for region in self.regions:
            entry: dict[str, Any] = {"name": region.name, "color": list(region.color)}
            if region.polygon:
                entry["polygon"] = list(region.polygon)
            if region.mirror != region.name:
                entry["mirror"] = region.mirror
            regions.append(entry)
        return {"name": self.name, "regions": regions}

    @classmethod
    def from_dict(cls, content: Any, source: str = "the scheme") -> "RegionScheme":
        """Check a scheme file's content and give the scheme; SchemeError names `source` and what is wrong."""
        try:
            regions = tuple(
                Region(
                    name=str(entry["name"]),
                    color=_three_bytes(entry["color"]),
                    polygon=_polygon(entry.get("polygon", [])),
                    mirror=str(entry.get("mirror", entry["name"])),
                )
                for entry in content["regions"]
            )
            scheme = cls(str(content["name"]), regions)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            detail = f"the key {error} is missing" if isinstance(error, KeyError) else str(error)
            raise SchemeError(f"{source}: not a region scheme: {detail}") from error
        _check_names(scheme, source)
        return scheme


@lru_cache(maxsize=64)
def load_scheme(name_or_file: str | Path) -> RegionScheme:
    """Load a built-in scheme by name (`scgan`) or one of your own from a `.json` file."""
    path = Path(name_or_file)
    if path.suffix != ".json":
        path = BUILT_IN / f"{name_or_file}.json"
        known = sorted(file.stem for file in BUILT_IN.glob("*.json"))
        if str(name_or_file) not in known:
            raise SchemeError(f"there is no scheme {str(name_or_file)!r}: take {', '.join(known)} or a .json file")
    try:
        content = parse_json(read_regular_text(path, LARGEST_FILE))
    except OSError as error:
        raise SchemeError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise SchemeError(f"{path}: not valid JSON ({error})") from error
    if not is_as_written(content):
        raise SchemeError(
            f"{path} is not what was written, by the {DIGEST} in it; take it from a copy, or after a change by hand "
            "remove that key"
        )
    return RegionScheme.from_dict(content, str(path))


def as_scheme(scheme: str | Path | RegionScheme) -> RegionScheme:
    """The scheme itself, from itself, its name or its file."""
    return scheme if isinstance(scheme, RegionScheme) else load_scheme(scheme)


def _three_bytes(color: Any) -> tuple[int, int, int]:
    if len(color) != 3 or not all(isinstance(value, int) and 0 <= value <= 255 for value in color):
        raise ValueError(f"a colour is three numbers from 0 to 255, not {color}")
    return color[0], color[1], color[2]


def _polygon(indices: Any) -> tuple[int, ...]:
    valid = all(isinstance(index, int) and 0 <= index < POINT_COUNT for index in indices)
    if not valid or 0 < len(indices) < 3:
        raise ValueError(f"a polygon is at least three point numbers from 0 to {POINT_COUNT - 1}, not {indices}")
    return tuple(indices)


def _check_names(scheme: RegionScheme, source: str) -> None:
    if not 1 <= len(scheme) <= 256:
        raise SchemeError(f"{source}: {len(scheme)} regions; a label map holds 1 to 256")
    if not all(name.isprintable() for name in (scheme.name, *scheme.names)):
        raise SchemeError(f"{source}: a name holds characters that cannot be printed")
    if len(set(scheme.names)) != len(scheme):
        raise SchemeError(f"{source}: two regions have the same name")
    mirrors = {region.name: region.mirror for region in scheme.regions}
    for name, mirror in mirrors.items():
        if mirrors.get(mirror) != name:
            raise SchemeError(f"{source}: {name} mirrors {mirror}, but {mirror} does not mirror {name}")
