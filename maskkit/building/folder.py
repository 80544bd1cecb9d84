"""Any folder or zip of photos: what a build is asked for, with attributes and splits from a table of the user's own."""

import random
from pathlib import Path

from maskkit.building.celeba import SHUFFLE_SEED
from maskkit.building.inputs import Input, names_outside, printable
from maskkit.errors import BuildError
from maskkit.photos.archive import PhotoFolder, Photos, open_zip
from maskkit.photos.tables import read_attribute_table, read_column, read_header
from maskkit.shards.description import FACE_MARK, SPLITS
from maskkit.shards.own_files import inputs_below

SPLIT_NAMES = {**{name: name for name in SPLITS}, "0": "train", "1": "val", "2": "test", "valid": "val",
               "validation": "val", "training": "train"}  # fmt: skip


def read_folder(
    images: Path,
    attributes: tuple[str, ...],
    table_file: Path | None,
    split_column: str | None,
    shares: tuple[float, float],
    several: bool,
) -> tuple[Photos, list[Input]]:
    """The place of the photos and every one by id, with attributes {0, 1} and split.

    With `table_file`, a CSV of photos and attributes, photos without a row are left out, and rows without a photo are
    named as such. The splits are a column of it (train, val, test or CelebA's 0, 1, 2), or `shares` of the photos,
    drawn at random but the same at every call, go to val and test. `several` says that a photo may give several rows.
    Raises BuildError.
    """
    photos = _open(images)
    present = photos.names()
    if isinstance(photos, PhotoFolder):
        present = {name: present[name] for name in inputs_below(photos.path, present)}
    table: dict[str, tuple[int, ...]] | None = None
    if table_file is not None and attributes:
        _, values = read_attribute_table(table_file, attributes)
        table = {name: tuple(int(value == 1) for value in row) for name, row in values.items()}
    splits = _splits(table_file, split_column, shares, sorted(present))
    names_wanted = sorted({*present, *(table or {})})
    inputs = []
    for name in names_wanted:
        problem = present.get(name, "leads out of the folder of photos" if names_outside(name) else "no such photo")
        if not problem and table is not None and table_file is not None and name not in table:
            problem = f"no row in {table_file.name}"
        if not problem and name not in splits:
            problem = "no row in the table of splits"
        if not problem and several and FACE_MARK in name:
            problem = f"the name holds {FACE_MARK}, which marks the faces of a photo"
        given = (table or {}).get(name, (0,) * len(attributes))
        inputs.append(printable(Input(name, given, splits.get(name, "train"), problem)))
    return photos, sorted(inputs, key=lambda one: one.id)


def attribute_names(table_file: Path, split_column: str | None) -> tuple[str, ...]:
    """All the columns of a table but the split's."""
    return tuple(name for name in read_header(table_file) if name != split_column)


def _open(images: Path) -> Photos:
    if images.is_dir():
        return PhotoFolder(images)
    if images.suffix.lower() == ".zip":
        return open_zip(images)
    raise BuildError(f"{images}: neither a folder of photos nor a .zip")


def _splits(
    table_file: Path | None, split_column: str | None, shares: tuple[float, float], names: list[str]
) -> dict[str, str]:
    if split_column is not None:
        if table_file is None:
            raise BuildError(f"the column {split_column} needs a table; give --table FILE.csv")
        parts = read_column(table_file, split_column)
        for name, part in parts.items():
            if part.lower() not in SPLIT_NAMES:
                raise BuildError(f"{table_file}: {name} has the split {part!r}; train, val and test are known")
        return {name: SPLIT_NAMES[part.lower()] for name, part in parts.items()}
    val, test = shares
    if not (val >= 0 and test >= 0 and val + test < 1):
        raise BuildError(f"the shares {val} and {test} for val and test must leave something to train")
    random.Random(SHUFFLE_SEED).shuffle(names)
    tests, vals = round(test * len(names)), round(val * len(names))
    return {name: "test" if i < tests else "val" if i < tests + vals else "train" for i, name in enumerate(names)}
