"""A build's request, checked before any work starts: inputs, models, options, and what the data set will say."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maskkit.building.celeba import read_celeba
from maskkit.building.engines import Engine
from maskkit.building.folder import attribute_names, read_folder
from maskkit.building.inputs import Input
from maskkit.building.options import BuildOptions, FolderOptions, Options
from maskkit.building.photo_rows import PhotoTask
from maskkit.corrections.correction_files import check_size, read_corrections
from maskkit.corrections.decisions import DIGEST, Correction, Corrections
from maskkit.detection.cascade import steps_of
from maskkit.errors import BuildError, CorrectionsError
from maskkit.files.regular import file_sha256
from maskkit.masks.regions import load_scheme
from maskkit.photos.archive import video_of
from maskkit.photos.tables import read_point_table
from maskkit.shards.description import FACE_MARK, SPLITS, Dataset, describe_source
from maskkit.shards.versions import tool_versions


@dataclass
class Build:
    """A checked request, ready to run."""

    inputs: dict[str, list[Input]]
    dataset: Dataset
    task: PhotoTask
    shard_size: int
    engine: Engine
    places: tuple[Path, ...]  # everything that it reads

    @property
    def total(self) -> int:
        """All the inputs."""
        return sum(map(len, self.inputs.values()))

    @property
    def done(self) -> int:
        """The inputs that finished shards cover."""
        return sum(entry.covered for entry in self.dataset.shards)

    @property
    def left(self) -> list[Input]:
        """The inputs that no finished shard covers, split by split."""
        covered = {name: sum(entry.covered for entry in self.dataset.of_split(name)) for name in SPLITS}
        return [one for name in SPLITS for one in self.inputs[name][covered[name] :]]


@dataclass
class _Request:
    """What the two kinds of builds have made of their sources."""

    kind: str
    attribute_names: tuple[str, ...]
    inputs: list[Input]
    task: PhotoTask


def prepare(place: Path, options: Options, engine: Engine) -> Build:
    """Check what a build is asked for, CelebA's with BuildOptions and any folder's with FolderOptions.

    Nothing is written. Raises BuildError or another MaskkitError.
    """
    options.check()
    request = _celeba(place, options) if isinstance(options, BuildOptions) else _folder(place, options)
    corrections = read_corrections(*options.corrections) if options.corrections else None
    if corrections is not None:
        check_size(corrections, options.size, options.corrections)
        request.inputs = _with_corrections(request, corrections, place)
    inputs, task = request.inputs[: options.limit], request.task
    if not task.scheme.drawable:
        raise BuildError(f"the scheme {task.scheme.name} has no polygons, so masks cannot be drawn; take scgan")
    if not inputs:
        raise BuildError(f"{place}: there are no photos")
    # Five points are part of what the inputs are only where a table has them.
    five_points = [(one.id, one.five_points.tolist()) for one in inputs if one.five_points is not None]
    source = describe_source(request.kind, inputs, five_points)
    if options.landmarks is not None:
        inputs, task = _with_points(inputs, options.landmarks), replace(task, detector=("given",))
        source["landmarks_sha256"] = file_sha256(options.landmarks)
    if corrections is not None:
        source[DIGEST] = corrections.sha256()
    if all(one.problem for one in inputs):
        first = inputs[0]
        raise BuildError(f"{place}: none of {len(inputs):,} photos can be used; {first.id}: {first.problem}")
    engine.check(task)
    steps = list(task.detector) if isinstance(task.detector, tuple) else [task.detector.name]
    named: dict[str, Any] = {**options.to_dict(), "steps": steps}
    if task.face == "all":
        named["every_step"] = True  # data sets from before all steps looked for all faces do not go on so
    if isinstance(options, FolderOptions) and any(video_of(one.id) for one in inputs):
        named["every"] = options.every
    dataset = Dataset(task.scheme, options.size, request.attribute_names, source, named, tool_versions(steps))
    by_split = {name: [one for one in inputs if one.split == name] for name in SPLITS}
    tables = (options.landmarks, getattr(options, "table", None))
    places = (
        place,
        *options.corrections,
        *(Path(one) for one in (*tables, options.scheme) if isinstance(one, str | Path)),
    )
    return Build(by_split, dataset, task, options.shard_size, engine, places)


def _celeba(root: Path, options: BuildOptions) -> _Request:
    photos, inputs = read_celeba(root, options.attributes, options.split)
    five_points = any(one.five_points is not None for one in inputs)
    detector = options.detector
    steps = steps_of(detector, aligned=True, five_points=five_points) if isinstance(detector, str) else detector
    task = PhotoTask(photos, options.crop, options.size, steps, load_scheme(options.scheme), quality=options.quality)
    return _Request("celeba", options.attributes, inputs, task)


def _folder(images: Path, options: FolderOptions) -> _Request:
    names = options.attributes
    if names is None:
        names = attribute_names(options.table, options.split_column) if options.table else ()
    photos, inputs = read_folder(
        images, names, options.table, options.split_column, (options.val, options.test), options.face == "all",
        options.every,
    )  # fmt: skip
    steps = steps_of(options.detector) if isinstance(options.detector, str) else options.detector
    task = PhotoTask(
        photos, options.crop, options.size, steps, load_scheme(options.scheme), aligned=False, face=options.face,
        quality=options.quality,
    )  # fmt: skip
    return _Request("folder", names, inputs, task)


def _with_corrections(request: _Request, corrections: Corrections, place: Path) -> list[Input]:
    """The inputs with what was decided about their rows; CorrectionsError for a row of none of them."""
    several = request.task.face == "all"
    decided: dict[str, dict[str, Correction]] = {}
    for name, one in corrections.rows.items():
        decided.setdefault(name.rpartition(FACE_MARK)[0] if several else name, {})[name] = one
    if unknown := sorted(decided.keys() - {one.id for one in request.inputs}):
        raise CorrectionsError(
            f"the corrections decide on {min(decided[unknown[0]])}, and {place} gives no such row; "
            "were they made for other photos?"
        )
    return [replace(one, corrections=decided[one.id]) if one.id in decided else one for one in request.inputs]


def _with_points(inputs: list[Input], path: Path) -> list[Input]:
    """The inputs with the points that a table gives them; those it does not name are left out."""
    table = read_point_table(path)
    if not any(one.id in table for one in inputs):
        named = next(iter(table), "nothing")
        raise BuildError(f"{path} names {named}, and no photo has such an id; the first one's is {inputs[0].id}")
    found = [replace(one, points=table.get(one.id)) for one in inputs]
    return [
        replace(one, problem=f"no row in {path.name}", unasked=True) if one.points is None and not one.problem else one
        for one in found
    ]
