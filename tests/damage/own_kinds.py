"""Files that are written here: runs, data sets and exports, each with what its users get from it."""

from pathlib import Path
from typing import Any

import torch

import maskkit
from gan.evaluation.judges import Judges
from gan.figures.loss_history import read_losses
from gan.runs.checkpoint import checkpoint_paths, load_checkpoint, load_newest
from gan.runs.export import export_generator
from gan.runs.generator_file import read_generator
from gan.runs.presets import load_preset
from gan.runs.run_folder import read_environment, read_settings
from gan.training.fit import fit
from maskkit.errors import OutputError
from maskkit.exchange.folders import EXPORT
from maskkit.exchange.formats.label_png import read_label_map
from maskkit.exchange.incoming import read_tables
from maskkit.files.whole_folder import check_folder
from maskkit.morphs.placed_faces import read_face
from maskkit.shards.description import FILE_NAME, LEDGER
from tests.damage.kind import Kind, digest
from tests.damage.user_kinds import of_import
from tests.drawn import write_drawn_shards
from tests.gan.conftest import SMALL

STEPS = (3, 6)


def own_kinds(folder: Path) -> list[Kind]:
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
    for name in ("coco", "cvat", "celebamask-hq"):
        maskkit.export_shards(shards, folder / name, name, split="val")
    drawn = next((run / "samples").glob("step-*.png")).relative_to(folder).as_posix()
    mask = next((folder / "export").glob("*/masks/*.png")).relative_to(folder).as_posix()
    return [
        Kind("checkpoint, the newest of a run", newest, lambda f: of_checkpoint(load_newest(f / "run"))),
        Kind("checkpoint, the best", "run/checkpoints/best.pt",
             lambda f: of_checkpoint(load_checkpoint(f / "run/checkpoints/best.pt"))),
        Kind("exported generator", "G.safetensors", lambda f: of_generator(f / "G.safetensors")),
        Kind("judge", judge, lambda f: judges(f).segmentor().sha256),
        Kind("settings of a run", "run/config.toml", lambda f: digest(read_settings(f / "run").model_dump())),
        Kind("environment of a run", "run/environment.json",
             lambda f: of_environment(f / "run/environment.json")),
        Kind("picture of a run", drawn, lambda f: digest(maskkit.read_image(f / drawn))),
        Kind("losses of a run", "run/metrics.jsonl", lambda f: of_losses(f / "run")),
        Kind("shard of a data set", "shards/train-00000.h5", lambda f: of_rows(f / "shards")),
        Kind("description of a data set", f"shards/{FILE_NAME}", lambda f: of_rows(f / "shards")),
        Kind("ledger of a data set", f"shards/{LEDGER}", lambda f: maskkit.verify(f / "shards")),
        Kind("shard of a morph", "morph.h5", lambda f: of_faces(f / "morph.h5")),
        Kind("rows of an export", table, lambda f: of_tables(f / "export")),
        Kind("points of an export", "export/landmarks.csv", lambda f: of_tables(f / "export")),
        Kind("masks of an export", mask, lambda f: digest(read_label_map(f / mask, maskkit.load_scheme("scgan")))),
        Kind("scheme of an export", "export/scheme.json", lambda f: of_import(f / "export", "label-png")),
        Kind("manifest of an export", "export/export.json", lambda f: of_import(f / "export", "label-png")),
        Kind("list of an export", f"export/{EXPORT.name}", lambda f: of_list(f / "export")),
        Kind("COCO of an export", "coco/annotations/instances_val.json", lambda f: of_import(f / "coco", "coco")),
        Kind("CVAT's labels of an export", "cvat/labelmap.txt", lambda f: of_import(f / "cvat", "cvat")),
        Kind("CVAT's names of an export", "cvat/ImageSets/Segmentation/val.txt",
             lambda f: of_import(f / "cvat", "cvat")),
        Kind("CelebAMask-HQ's JPEG of an export", "celebamask-hq/CelebA-HQ-img/0.jpg",
             lambda f: of_import(f / "celebamask-hq", "celebamask-hq", "scgan")),
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


def of_environment(path: Path) -> str:
    """What each start has noted; a key that nobody knows is no news."""
    known = ("from_step", "device", "device_name", "processes", "threads", "switches", "versions")
    return digest([{key: start.get(key) for key in known} for start in read_environment(path)])


def of_list(export: Path) -> None:
    """What the list is for: it proves that an export may be replaced."""
    try:
        check_folder(export, EXPORT, overwrite=True)
    except OutputError as error:  # which names the file that is not as listed
        raise OutputError(f"{EXPORT.name}: {error}") from error
