"""Any folder or zip of photos, or of videos: what a build is asked for, attributes and splits from a user's table."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from maskkit.building.celeba import SHUFFLE_SEED
from maskkit.building.inputs import Input, names_outside, printable
from maskkit.errors import BuildError
from maskkit.photos.archive import PhotoFolder, Photos, open_zip, video_of
from maskkit.photos.tables import read_attribute_table, read_column, read_header
from maskkit.shards.description import FACE_MARK, SPLITS
from maskkit.shards.own_files import inputs_below

SPLIT_NAMES = {**{name: name for name in SPLITS}, "0": "train", "1": "val", "2": "test", "valid": "val",
               "validation": "val", "training": "train"}  # fmt: skip

Value = TypeVar("Value")


def read_folder(
    images: Path,
    attributes: tuple[str, ...],
    table_file: Path | None,
    split_column: str | None,
    shares: tuple[float, float],
    several: bool,
    every: int = 1,
) -> tuple[Photos, list[Input]]:
    """The place of the photos and every one by id, with attributes {0, 1} and split.

    With `table_file`, a CSV of photos and attributes, photos without a row are left out, and rows without a photo are
    named as such. The splits are a column of it (train, val, test or CelebA's 0, 1, 2), or `shares` of the photos that
    are not left out, drawn at random but the same at every call, go to val and test. `several` says that a photo may
    give several rows. In a folder, `every`-th frames of videos are photos too. A row of a table may name a video, for
    all its frames, which come into one split together. Raises BuildError.
    """
    photos = _open(images, every)
    present = photos.names()
    if isinstance(photos, PhotoFolder):
        present = {name: present[name] for name in inputs_below(photos.path, present)}
    table: dict[str, tuple[int, ...]] | None = None
    if table_file is not None and attributes:
        _, values = read_attribute_table(table_file, attributes)
        table = {name: tuple(int(value == 1) for value in row) for name, row in values.items()}
    videos = {video for name in present if (video := video_of(name)) is not None}
    if table is not None:
        table = _for_frames(table, present)
    splits = _splits(table_file, split_column, shares, sorted(present if table is None else present.keys() & table))
    names_wanted = sorted({*present, *(table or {})} - videos)
    inputs = []
    for name in names_wanted:
        problem = present.get(name, "leads out of the folder of photos" if names_outside(name) else "no such photo")
        unasked = not problem and table_file is not None and name not in (splits if table is None else table)
        if unasked and table_file is not None:
            problem = f"no row in {table_file.name}"
        if not problem and several and FACE_MARK in name:
            problem = f"the name holds {FACE_MARK}, which marks the faces of a photo"
        given = (table or {}).get(name, (0,) * len(attributes))
        inputs.append(printable(Input(name, given, splits.get(name, "train"), problem, unasked)))
    return photos, sorted(inputs, key=lambda one: one.id)


def attribute_names(table_file: Path, split_column: str | None) -> tuple[str, ...]:
    """All the columns of a table but the split's."""
    return tuple(name for name in read_header(table_file) if name != split_column)


def _open(images: Path, every: int) -> Photos:
    if images.is_dir():
        return PhotoFolder(images, every)
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
        return _for_frames({name: SPLIT_NAMES[part.lower()] for name, part in parts.items()}, names)
    val, test = shares
    if not (val >= 0 and test >= 0 and val + test < 1):
        raise BuildError(f"the shares {val} and {test} for val and test must leave something to train")
    return _draw(names, val, test)


def _for_frames(table: dict[str, Value], names: Iterable[str]) -> dict[str, Value]:
    """A table with a row for every frame of the videos that it names."""
    frames = {name: table[video] for name in names if (video := video_of(name)) is not None and video in table}
    return {**frames, **table}


def _draw(names: list[str], val: float, test: float) -> dict[str, str]:
    """Photos and whole videos in random order, the same at every call: the first ones are test, the next ones val.

    A video goes where its middle frame lies, because its frames are too much alike to be on both sides.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(video_of(name) or name, []).append(name)
    order = list(groups)
    random.Random(SHUFFLE_SEED).shuffle(order)
    tests, vals = round(test * len(names)), round(val * len(names))
    splits: dict[str, str] = {}
    for group in order:
        middle = len(splits) + len(groups[group]) / 2
        split = "test" if middle < tests else "val" if middle < tests + vals else "train"
        splits.update(dict.fromkeys(groups[group], split))
    for split, wanted in (("test", tests), ("val", vals)):
        if wanted and len(groups) < len(names) and split not in splits.values():
            raise BuildError(
                f"no photo and no whole video falls to {split}: a video's frames stay together, and {wanted} of "
                f"{len(names)} are less than half of one's; give a larger share, more videos, or a --split-column"
            )
    return splits
