"""A build's request, checked before any work starts: inputs, models, options, and what the data set will say."""

import hashlib
import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maskkit.building import ray_engine
from maskkit.building.celeba import read_celeba
from maskkit.building.folder import attribute_names, read_folder
from maskkit.building.options import BuildOptions, FolderOptions, Options
from maskkit.building.photo_rows import Input, PhotoTask
from maskkit.building.versions import tool_versions
from maskkit.detection import dlib_models
from maskkit.detection.cascade import steps_of
from maskkit.errors import BuildError
from maskkit.masks.regions import load_scheme
from maskkit.photos.tables import read_point_table
from maskkit.shards.description import SPLITS, Dataset

ENGINES = ("local", "ray")  # processes of this machine, or a Ray cluster


@dataclass
class Build:
    """A checked request, ready to run."""

    inputs: dict[str, list[Input]]
    dataset: Dataset
    task: PhotoTask
    shard_size: int
    engine: str
    workers: int | None  # at most; without, one process or all of a Ray cluster's processors
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


def prepare_celeba(root: Path, options: BuildOptions, engine: str, workers: int | None) -> Build:
    """Check what `build_celeba` is asked for; BuildError or another MaskkitError."""
    options.check()
    photos, inputs = read_celeba(root, options.attributes, options.split)
    five_points = any(one.five_points is not None for one in inputs)
    detector = options.detector
    steps = steps_of(detector, aligned=True, five_points=five_points) if isinstance(detector, str) else detector
    task = PhotoTask(photos, options.crop, options.size, steps, load_scheme(options.scheme), quality=options.quality)
    return _prepare("celeba", root, options, options.attributes, inputs, task, engine, workers)


def prepare_folder(images: Path, options: FolderOptions, engine: str, workers: int | None) -> Build:
    """Check what `build_folder` is asked for; BuildError or another MaskkitError."""
    options.check()
    names = options.attributes
    if names is None:
        names = attribute_names(options.table, options.split_column) if options.table else ()
    photos, inputs = read_folder(
        images, names, options.table, options.split_column, (options.val, options.test), options.face == "all"
    )
    steps = steps_of(options.detector) if isinstance(options.detector, str) else options.detector
    task = PhotoTask(
        photos, options.crop, options.size, steps, load_scheme(options.scheme), aligned=False, face=options.face,
        quality=options.quality,
    )  # fmt: skip
    return _prepare("folder", images, options, names, inputs, task, engine, workers)


def _prepare(
    kind: str, place: Path, options: Options, names: tuple[str, ...], inputs: list[Input], task: PhotoTask,
    engine: str, workers: int | None,
) -> Build:  # fmt: skip
    """Check what all builds have in common, before any work starts."""
    if engine not in ENGINES:
        raise BuildError(f"there is no engine {engine!r}: take one of {', '.join(ENGINES)}")
    if engine == "ray":
        ray_engine.import_ray()
    if workers is not None and workers < 1:
        raise BuildError(f"{workers} workers cannot work; take 1 or more")
    if not task.scheme.drawable:
        raise BuildError(f"the scheme {task.scheme.name} has no polygons, so masks cannot be drawn; take scgan")
    inputs = inputs[: options.limit]
    if not inputs:
        raise BuildError(f"{place}: there are no photos")
    source: dict[str, Any] = {"kind": kind, "inputs": len(inputs), "inputs_sha256": _digest(inputs)}
    if options.landmarks is not None:
        inputs = _with_points(inputs, options.landmarks)
        task = replace(task, detector=("given",))
        source["landmarks_sha256"] = _file_digest(options.landmarks)
    if all(one.problem for one in inputs):
        first = inputs[0]
        raise BuildError(f"{place}: none of {len(inputs):,} photos can be used; {first.id}: {first.problem}")
    _check_models(task, engine, workers)
    steps = list(task.detector) if isinstance(task.detector, tuple) else [task.detector.name]
    named = {**options.to_dict(), "steps": steps}
    dataset = Dataset(task.scheme, options.size, names, source, named, tool_versions(steps))
    by_split = {name: [one for one in inputs if one.split == name] for name in SPLITS}
    tables = (options.landmarks, getattr(options, "table", None))
    places = (place, *(Path(one) for one in (*tables, options.scheme) if isinstance(one, str | Path)))
    return Build(by_split, dataset, task, options.shard_size, engine, workers, places)


def _digest(inputs: list[Input]) -> str:
    """What the inputs are, in one number. Five points are part of it only where a table has them."""
    rows: list[Any] = [(one.id, one.attributes, one.split, one.problem) for one in inputs]
    rows += [(one.id, one.five_points.tolist()) for one in inputs if one.five_points is not None]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _with_points(inputs: list[Input], path: Path) -> list[Input]:
    """The inputs with the points that a table gives them; those it does not name are left out."""
    table = read_point_table(path)
    if not any(one.id in table for one in inputs):
        named = next(iter(table), "nothing")
        raise BuildError(f"{path} names {named}, and no photo has such an id; the first one's is {inputs[0].id}")
    absent = f"no row in {path.name}"
    return [
        replace(one, points=table.get(one.id), problem=one.problem or ("" if one.id in table else absent))
        for one in inputs
    ]


def _check_models(task: PhotoTask, engine: str, workers: int | None) -> None:
    """A missing model or a detector that cannot be sent to workers ends here, before anything is written."""
    if task.detector == ("given",):
        return
    dlib_models.find_model()
    if engine == "ray":
        ray_engine.check_detector(task)
    elif workers in (None, 1):
        dlib_models.predictor()
    elif not isinstance(task.detector, tuple):
        try:
            pickle.dumps(task.detector)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise BuildError(f"the detector {task.detector.name} cannot be sent to workers ({error})") from error
