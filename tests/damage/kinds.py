"""What is damaged: each kind of file that is read, whole, in a folder of its own, and what its users get from it."""

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import maskkit
from gan.evaluation.judges import Judges
from gan.figures.loss_history import read_losses
from gan.runs.checkpoint import checkpoint_paths, load_checkpoint, load_newest
from gan.runs.export import export_generator
from gan.runs.generator_file import read_generator
from gan.runs.presets import load_preset
from gan.training.fit import fit
from maskkit.errors import ImageError
from maskkit.exchange.incoming import read_tables
from maskkit.morphs.placed_faces import read_face
from maskkit.photos.archive import open_zip
from maskkit.photos.tables import read_attribute_table
from maskkit.shards.description import FILE_NAME, LEDGER
from tests.drawn import write_drawn_shards
from tests.gan.conftest import SMALL

STEPS = (3, 6)


@dataclass(frozen=True)
class Kind:
    """A kind of file. `use(folder)` gives all that its users get from `folder/file`, or raises a MaskkitError.

    `own` ones are a user's, without a checksum of ours: there another value may pass for what the user wrote.
    """

    name: str
    file: str
    use: Callable[[Path], Any]
    own: bool = False


def make(folder: Path) -> list[Kind]:
    """Write one file of each kind below `folder`, and give the kinds."""
    shards = write_drawn_shards(folder / "shards", {"train": 12, "val": 4}, size=32, shard_size=8)
    settings = load_preset("tiny", (*SMALL, f"log.checkpoint_every={STEPS[0]}", "log.evaluate_every=3"))
    run = folder / "run"
    fit(shards, run, settings, steps=STEPS[1], device="cpu")
    newest = checkpoint_paths(run)[0].relative_to(folder).as_posix()
    export_generator(run, folder / "G.safetensors")
    judges(folder).segmentor()
    judge = next((folder / "judges").iterdir()).relative_to(folder).as_posix()
    maskkit.write_morph([f"{shards / 'val-00000.h5'}#{row}" for row in (0, 1)], folder / "morph.h5", frames=4, size=32)
    maskkit.export_shards(shards, folder / "export", "palette")
    table = next(iter((folder / "export").glob("samples.csv"))).relative_to(folder).as_posix()
    photo = maskkit.ShardReader(shards)[0]
    maskkit.write_png(folder / "photo.png", photo["image"])
    maskkit.write_points(folder / "face.pts", photo["landmarks"])
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        archive.write(folder / "photo.png", "photo.png")
    (folder / "attributes.csv").write_text("id,Young,Male\n" + "".join(f"{i}.jpg,{i % 2},1\n" for i in range(40)))
    return [
        Kind("checkpoint, the newest of a run", newest, lambda f: of_checkpoint(load_newest(f / "run"))),
        Kind("checkpoint, the best", "run/checkpoints/best.pt",
             lambda f: of_checkpoint(load_checkpoint(f / "run/checkpoints/best.pt"))),
        Kind("exported generator", "G.safetensors", lambda f: of_generator(f / "G.safetensors")),
        Kind("judge", judge, lambda f: judges(f).segmentor().sha256),
        Kind("losses of a run", "run/metrics.jsonl", lambda f: of_losses(f / "run")),
        Kind("shard of a data set", "shards/train-00000.h5", lambda f: of_rows(f / "shards")),
        Kind("description of a data set", f"shards/{FILE_NAME}", lambda f: of_rows(f / "shards")),
        Kind("ledger of a data set", f"shards/{LEDGER}", lambda f: maskkit.verify(f / "shards")),
        Kind("shard of a morph", "morph.h5", lambda f: of_faces(f / "morph.h5")),
        Kind("rows of an export", table, lambda f: of_tables(f / "export")),
        Kind("points of an export", "export/landmarks.csv", lambda f: of_tables(f / "export")),
        Kind("photos in a zip", "photos.zip", lambda f: of_zip(f / "photos.zip")),
        Kind("a user's PNG", "photo.png", lambda f: digest(maskkit.read_image(f / "photo.png")), own=True),
        Kind("a user's points", "face.pts", lambda f: digest(maskkit.read_points(f / "face.pts")), own=True),
        Kind("a user's table", "attributes.csv", lambda f: read_attribute_table(f / "attributes.csv"), own=True),
    ]  # fmt: skip


def judges(folder: Path) -> Judges:
    """Judges of two steps, kept in the folder."""
    return Judges(folder / "shards", 32, "binary", folder / "judges", 2, torch.device("cpu"), lambda *_: None)


def of_checkpoint(found: Any) -> str:
    """All that a run goes on with."""
    return digest([found.step, found.batches, found.settings.model_dump(), found.data.to_dict(), found.networks,
                   found.averages, found.optimisers, found.noise, found.versions, found.best])  # fmt: skip


def of_generator(path: Path) -> str:
    weights, about = read_generator(path)
    return digest([weights, about.to_dict()])


def of_losses(run: Path) -> str:
    found = read_losses(run)
    return digest([found.steps, found.losses, found.steps_per_epoch])


def of_rows(shards: Path) -> str:
    """Every row that training or an export would read, and what is said of them."""
    readers = [maskkit.ShardReader(shards, split) for split in ("train", "val", "test")]
    rows = [[reader[i] for i in range(len(reader))] for reader in readers]
    dataset = readers[0].dataset
    return digest([rows, dataset.scheme.to_dict(), dataset.attribute_names, dataset.source, dataset.options,
                   dataset.versions, [entry.to_dict() for entry in dataset.shards]])  # fmt: skip


def of_faces(path: Path) -> str:
    faces = [read_face(f"{path}#{row}", 32) for row in range(4)]
    return digest([[face.points, face.image] for face in faces])


def of_tables(folder: Path) -> str:
    tables = read_tables(folder)
    return digest(None if tables is None else [tables.attribute_names, [vars(one) for one in tables.rows.values()]])


def of_zip(path: Path) -> str:
    photos = open_zip(path)
    try:
        return digest([[name, problem, photos.read(name)] for name, problem in photos.names().items()])
    except ImageError as error:  # which a build's ledger shows beside the photo's id
        raise ImageError(f"{path}: {error}") from error


def digest(value: Any) -> str:
    """A SHA-256 of arrays, tensors and plain types in lists and dictionaries."""
    return hashlib.sha256(repr(_plain(value)).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest())
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
