"""What a build is asked for and what it answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskkit.building.celeba import ATTRIBUTES
from maskkit.detection.cascade import DETECTORS, FREE_DETECTORS, STEPS, Detector, FaceChoice
from maskkit.errors import BuildError
from maskkit.photos.celeba_geometry import CROP
from maskkit.shards.description import BY_HAND

LARGEST_SHARD = 4 << 30  # bytes of photos and masks; a shard is composed in memory


@dataclass(frozen=True)
class BuildOptions:
    """What decides the content of a data set made from CelebA's photos."""

    size: int = 128  # the side of the stored photos and masks
    crop: int = CROP  # the side of the square that is cut from the middle of each photo before
    attributes: tuple[str, ...] = ATTRIBUTES  # in their order
    scheme: str = "scgan"  # a name or a file
    detector: str | Detector = "auto"
    split: str = "official"
    shard_size: int = 2048  # rows
    limit: int | None = None  # only the first inputs by id
    quality: bool = False  # a score for each row: how far its points move when the box is shifted
    landmarks: Path | None = None  # points of every photo by another detector; nothing is detected then
    corrections: tuple[Path, ...] = ()  # files of what people decided about rows (docs/studio.md)

    def check(self) -> None:
        """Raise BuildError for a value that cannot be built with, before any work starts."""
        check_numbers(self)
        check_detector(self.detector, DETECTORS)
        if self.quality and self.landmarks is not None:
            raise BuildError("the quality score tells how sure dlib's points are, and these come from a file")

    def to_dict(self) -> dict[str, Any]:
        """The options as `dataset.json` names them; attributes, scheme and points are described elsewhere."""
        return options_dict(self, ("size", "crop", "detector", "split", "shard_size", "limit"))


@dataclass(frozen=True)
class FolderOptions:
    """What decides the content of a data set made from a folder of photos.

    Each photo is turned, scaled and shifted so that its face lies as in CelebA's photos; `crop` pixels of such a photo
    are shown, 178 for CelebA's own view, more for more surroundings.
    """

    size: int = 128
    crop: int = CROP
    table: Path | None = None  # a CSV: photos, and 1, 0 or -1 for each attribute
    attributes: tuple[str, ...] | None = None  # in their order; without, every column of the table
    scheme: str = "scgan"
    detector: str | Detector = "auto"
    face: FaceChoice = 1  # of several faces the one of this number by falling size, or "all", a row each
    split_column: str | None = None  # of the table; without, by shares
    val: float = 0.1  # share of the photos, which `gan evaluate` measures on
    test: float = 0.0
    every: int = 10  # of a video's frames, each N-th is a photo
    shard_size: int = 2048
    limit: int | None = None
    quality: bool = False
    landmarks: Path | None = None
    corrections: tuple[Path, ...] = ()

    def check(self) -> None:
        """Raise BuildError for a value that cannot be built with, before any work starts."""
        check_numbers(self)
        check_detector(self.detector, FREE_DETECTORS)
        if not (self.face == "all" or (isinstance(self.face, int) and self.face >= 1)):
            raise BuildError(f"{self.face!r} chooses no face; give a number from 1, by falling size, or all")
        if self.landmarks is not None and (self.quality or self.face != 1):
            raise BuildError("points from a file are one face a photo, and have no quality score")
        if self.every < 1:
            raise BuildError(f"every {self.every}: a number of frames from 1")
        if self.attributes and self.table is None:
            raise BuildError(f"the attributes {', '.join(self.attributes)} need a table of them")

    def to_dict(self) -> dict[str, Any]:
        """The options as `dataset.json` names them."""
        names = ("size", "crop", "detector", "face", "split_column", "val", "test", "shard_size", "limit")
        return options_dict(self, names)


Options = BuildOptions | FolderOptions


def check_numbers(options: Options) -> None:
    """Sizes and counts within bounds, and a shard that fits the memory."""
    bounds = {"size": (options.size, 8, 4096), "crop": (options.crop, 8, 4096)}
    bounds["shard size"] = (options.shard_size, 1, 65536)
    bounds["limit"] = (1 if options.limit is None else options.limit, 1, 1 << 40)
    for name, (value, least, most) in bounds.items():
        if not least <= value <= most:
            raise BuildError(f"the {name} is {value}; it must lie between {least} and {most}")
    most = LARGEST_SHARD // (4 * options.size**2)
    if options.shard_size > most:
        raise BuildError(
            f"a shard of {options.shard_size:,} rows of {options.size} x {options.size} does not fit the memory; "
            f"take a shard size of {most:,} or less"
        )
    names = options.attributes or ()
    if len(set(names)) != len(names):
        raise BuildError(f"an attribute is named twice: {', '.join(names)}")


def check_detector(detector: str | Detector, known: tuple[str, ...]) -> None:
    """A name that is known, or a detector with a name of its own."""
    if isinstance(detector, str):
        if detector not in known:
            raise BuildError(f"there is no detector {detector!r}: take one of {', '.join(known)}")
    elif detector.name in (*STEPS, BY_HAND) or not detector.name.isprintable() or not detector.name:
        raise BuildError(f"{detector.name!r} is no name for a detector of your own; take another")


def options_dict(options: Options, names: tuple[str, ...]) -> dict[str, Any]:
    """The named options as JSON holds them; the quality score is named where it is asked for."""
    found = {name: getattr(options, name) for name in names}
    if not isinstance(options.detector, str):
        found["detector"] = options.detector.name
    return {**found, **({"quality": True} if options.quality else {})}


@dataclass(frozen=True)
class BuildPlan:
    """What a build would do: inputs of each split, how many are done, and an estimate of time and disk for the rest."""

    inputs: dict[str, int]
    seconds: float
    bytes: int
    done: int = 0


@dataclass(frozen=True)
class BuildResult:
    """What a build did. `detectors` counts the kept rows by the step that found them, `reasons` the skipped inputs.

    `unasked` of the skipped are photos that the user's own table does not name; they are not too many. Of the kept rows
    people have `corrected` so many; those that people have `rejected` are not among the skipped.
    """

    out: Path
    kept: int
    skipped: int
    splits: dict[str, int]
    detectors: dict[str, int]
    reasons: dict[str, int]
    seconds: float
    too_many_skipped: bool
    unasked: int = 0
    corrected: int = 0
    rejected: int = 0
