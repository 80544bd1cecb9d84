"""Photos to shards: the pipeline, its order, what it skips and why, and how it goes on after a stop."""

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import PIL

from maskkit import dlib_models
from maskkit.aligned import CROP
from maskkit.celeba import ATTRIBUTES, read_celeba
from maskkit.dataset import FILE_NAME, SHARD_NAME, SPLITS, Dataset, read_dataset
from maskkit.detection import DETECTORS, STEPS
from maskkit.errors import BuildError
from maskkit.files import make_folder
from maskkit.ledger import LEDGER, read_ledger, write_ledger, write_preview
from maskkit.photos import Input, PhotoTask, Skip, process_photo, process_photos
from maskkit.regions import load_scheme
from maskkit.shards import Row, write_shard

PREVIEW = "preview.png"
TIMED_PHOTOS = 12  # measured for an estimate
BYTES_BESIDE_PHOTO = 2000  # of a row, roughly: label map, points, id

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class BuildOptions:
    """What decides the content of a data set."""

    size: int = 128  # the side of the stored photos and masks
    crop: int = CROP  # the side of the square that is cut from the middle of each photo before
    attributes: tuple[str, ...] = ATTRIBUTES  # in their order
    scheme: str = "scgan"  # a name or a file
    detector: str = "auto"
    split: str = "official"
    shard_size: int = 2048  # rows
    limit: int | None = None  # only the first inputs by id

    def check(self) -> None:
        """Raise BuildError for a value that cannot be built with, before any work starts."""
        bounds = {"size": (self.size, 8, 4096), "crop": (self.crop, 8, 4096), "shard size": (self.shard_size, 1, 65536)}
        bounds["limit"] = (1 if self.limit is None else self.limit, 1, 1 << 40)
        for name, (value, least, most) in bounds.items():
            if not least <= value <= most:
                raise BuildError(f"the {name} is {value}; it must lie between {least} and {most}")
        if self.detector not in DETECTORS:
            raise BuildError(f"there is no detector {self.detector!r}: take one of {', '.join(DETECTORS)}")
        if len(set(self.attributes)) != len(self.attributes):
            raise BuildError(f"an attribute is named twice: {', '.join(self.attributes)}")


@dataclass(frozen=True)
class BuildPlan:
    """What a build would do: inputs of each split, and an estimate of time and disk."""

    inputs: dict[str, int]
    seconds: float
    bytes: int


@dataclass(frozen=True)
class BuildResult:
    """What a build did. `detectors` counts the kept rows by the step that found them, `reasons` the skipped inputs."""

    out: Path
    kept: int
    skipped: int
    splits: dict[str, int]
    detectors: dict[str, int]
    reasons: dict[str, int]
    seconds: float
    too_many_skipped: bool


@dataclass
class _Build:
    """A checked request, ready to run."""

    out: Path
    inputs: dict[str, list[Input]]
    dataset: Dataset
    task: PhotoTask
    shard_size: int
    workers: int
    done: int = 0

    @property
    def total(self) -> int:
        return sum(map(len, self.inputs.values()))


def build_celeba(
    root: str | Path,
    out: str | Path,
    options: BuildOptions | None = None,
    *,
    workers: int = 1,
    max_skipped: float = 0.05,
    fresh: bool = False,
    on_progress: OnProgress | None = None,
) -> BuildResult:
    """Turn CelebA's folder `root` into shards in `out`: photo, label map, points and attributes of every face found.

    A stopped build goes on where its last finished shard ends when it is called again with the same options; `fresh`
    discards what is there. With `workers` above 1 the calling script needs the `if __name__ == "__main__"` guard,
    because worker processes import it. The same inputs give the same bytes, whatever the number of workers.
    `on_progress(done, total)` is called after every input. Where more than the share `max_skipped` of the inputs had
    to be left out, the result says so. Raises BuildError and other MaskkitErrors.
    """
    start = time.monotonic()
    build = _prepare(Path(root), Path(out), options or BuildOptions(), workers)
    _open_folder(build, fresh)
    if not build.dataset.complete:
        _check_room(build)
        for name in SPLITS:
            _build_split(build, name, on_progress)
        if not sum(build.dataset.counts().values()):
            raise BuildError(f"{root}: no photo of {build.total} could be used; {FILE_NAME} in {out} lists the reasons")
        build.dataset.complete = True
        build.dataset.write(build.out)
    # Derived from the shards, so they are made again where a stop or somebody removed them.
    if not (build.out / LEDGER).exists():
        write_ledger(build.out, build.dataset)
    if not (build.out / PREVIEW).exists():
        write_preview(build.out, build.dataset, build.out / PREVIEW)
    return _result(build, max_skipped, time.monotonic() - start)


def plan_celeba(
    root: str | Path, out: str | Path, options: BuildOptions | None = None, *, workers: int = 1
) -> BuildPlan:
    """Estimate a build without starting it: times a few photos, writes nothing."""
    build = _prepare(Path(root), Path(out), options or BuildOptions(), workers)
    possible = [one for inputs in build.inputs.values() for one in inputs if not one.problem]
    timed = possible[:: max(1, len(possible) // TIMED_PHOTOS)][:TIMED_PHOTOS]
    process_photo(timed[0], build.task)  # loads the models, which is not repeated
    start = time.monotonic()
    for one in timed:
        process_photo(one, build.task)
    seconds = (time.monotonic() - start) / len(timed) * len(possible) / workers
    return BuildPlan({name: len(inputs) for name, inputs in build.inputs.items()}, seconds, _bytes_left(build))


def _prepare(root: Path, out: Path, options: BuildOptions, workers: int) -> _Build:
    """Check every argument and read the tables before any work starts."""
    options.check()
    if workers < 1:
        raise BuildError(f"{workers} workers cannot work; take 1 or more")
    scheme = load_scheme(options.scheme)
    if not scheme.drawable:
        raise BuildError(f"the scheme {scheme.name} has no polygons, so masks cannot be drawn; take scgan")
    folder, inputs = read_celeba(root, options.attributes, options.split)
    inputs = inputs[: options.limit]
    if not inputs:
        raise BuildError(f"{root}: there are no photos")
    if all(one.problem for one in inputs):
        raise BuildError(f"{folder}: none of {len(inputs):,} photos can be used; {inputs[0].id}: {inputs[0].problem}")
    dlib_models.predictor()  # a missing model ends here, before anything is written
    listing = json.dumps([(one.id, one.attributes, one.split, one.problem) for one in inputs])
    source = {"kind": "celeba", "inputs": len(inputs), "inputs_sha256": hashlib.sha256(listing.encode()).hexdigest()}
    named = {key: value for key, value in asdict(options).items() if key not in ("attributes", "scheme")}
    dataset = Dataset(scheme, options.size, options.attributes, source, named, _versions())
    by_split = {name: [one for one in inputs if one.split == name] for name in SPLITS}
    task = PhotoTask(folder, options.crop, options.size, options.detector, scheme)
    return _Build(out, by_split, dataset, task, options.shard_size, workers)


def _versions() -> dict[str, str]:
    """Whatever can change a pixel or a point."""
    modules = {"numpy": np, "h5py": h5py, "opencv": cv2, "pillow": PIL, "dlib": dlib_models.import_dlib()}
    versions = {name: str(module.__version__) for name, module in modules.items()}
    model = dlib_models.model_sha256(dlib_models.find_model())
    return {"maskkit": version("maskkit"), **versions, "dlib_model_sha256": model}


def _open_folder(build: _Build, fresh: bool) -> None:
    """Make the folder ready: empty, or a stopped build of the same request to go on with."""
    make_folder(build.out)
    described = build.out / FILE_NAME
    if not described.exists() and any(path.name != f".{FILE_NAME}.partial" for path in build.out.iterdir()):
        raise BuildError(f"{build.out} is not empty and holds no data set; take an empty or new folder")
    if described.exists() and not fresh:
        earlier = read_dataset(build.out)
        _check_same_request(build, earlier)
        build.dataset = earlier
        build.done = sum(entry.rows + len(entry.skipped) for entry in earlier.shards)
    else:
        build.dataset.write(build.out)  # from here on nothing of an earlier build is trusted
    _sweep(build)


def _sweep(build: _Build) -> None:
    """Remove what an earlier or a killed build left and `dataset.json` does not promise; touch nothing else."""
    promised = {FILE_NAME, *(entry.file for entry in build.dataset.shards)}
    if build.dataset.complete:
        promised |= {LEDGER, PREVIEW}
    for path in build.out.iterdir():
        name = path.name[1:].removesuffix(".partial") if path.name.endswith(".partial") else path.name
        ours = SHARD_NAME.fullmatch(name) or name in (FILE_NAME, LEDGER, PREVIEW)
        if ours and path.name not in promised:
            path.unlink()


def _check_same_request(build: _Build, earlier: Dataset) -> None:
    new, old = _request(build.dataset), _request(earlier)
    for key in new:
        if new[key] != old.get(key):
            raise BuildError(
                f"{build.out} was begun with {key} {old.get(key)}, and now it is {new[key]}; "
                "give the same options to go on, another folder, or --fresh to begin anew"
            )
    for entry in earlier.shards:
        path = build.out / entry.file
        if not path.is_file() or path.stat().st_size != entry.bytes:
            raise BuildError(f"{path} is missing or not what {FILE_NAME} promises; begin anew with --fresh")


def _request(dataset: Dataset) -> dict[str, Any]:
    named = {"attributes": list(dataset.attribute_names), "scheme": dataset.scheme.to_dict()}
    return {**dataset.options, **dataset.source, **dataset.versions, **named}


def _check_room(build: _Build) -> None:
    free = shutil.disk_usage(build.out).free
    needed = _bytes_left(build)
    if needed > free:
        raise BuildError(f"{build.out}: about {needed / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free")


def _bytes_left(build: _Build) -> int:
    return (build.total - build.done) * (build.dataset.size**2 * 3 + BYTES_BESIDE_PHOTO)


def _build_split(build: _Build, split: str, on_progress: OnProgress | None) -> None:
    """Process the inputs of one split that no finished shard covers, and write a shard whenever one is full."""
    finished = build.dataset.of_split(split)
    begin = sum(entry.rows + len(entry.skipped) for entry in finished)
    inputs = build.inputs[split][begin:]
    rows: list[Row] = []
    skipped: list[tuple[str, str]] = []
    for one, outcome in zip(inputs, process_photos(inputs, build.task, build.workers), strict=True):
        if isinstance(outcome, Skip):
            skipped.append((one.id, outcome.reason))
        else:
            rows.append(outcome)
        if len(rows) == build.shard_size:
            _finish_shard(build, split, rows, skipped)
            rows, skipped = [], []
        build.done += 1
        if on_progress is not None:
            on_progress(build.done, build.total)
    if rows or skipped:
        _finish_shard(build, split, rows, skipped)


def _finish_shard(build: _Build, split: str, rows: list[Row], skipped: list[tuple[str, str]]) -> None:
    name = f"{split}-{len(build.dataset.of_split(split)):05d}.h5"
    entry = write_shard(build.out, name, rows, build.dataset, tuple(STEPS))
    entry.skipped = skipped
    build.dataset.shards.append(entry)
    build.dataset.write(build.out)


def _result(build: _Build, max_skipped: float, seconds: float) -> BuildResult:
    lines = read_ledger(build.out)
    kept = [line for line in lines if line["outcome"] == "kept"]
    skipped = [line for line in lines if line["outcome"] == "skipped"]
    return BuildResult(
        out=build.out,
        kept=len(kept),
        skipped=len(skipped),
        splits=dict(Counter(line["split"] for line in kept)),
        detectors=dict(Counter(line["detector"] for line in kept)),
        reasons=dict(Counter(line["reason"] for line in skipped)),
        seconds=seconds,
        too_many_skipped=len(skipped) > max_skipped * len(lines),
    )
