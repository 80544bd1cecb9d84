"""CelebA as it and its mirrors ship it: the photos in a folder or zip, and the tables beside them."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskkit.building.inputs import Input, names_outside, printable
from maskkit.errors import BuildError
from maskkit.photos.archive import PhotoFolder, Photos, open_zip
from maskkit.photos.images import SUFFIXES
from maskkit.photos.tables import columns_of, read_attribute_table, read_five_points, read_pairs
from maskkit.shards.description import SPLITS
from maskkit.shards.own_files import inputs_below

ATTRIBUTES = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")  # SCGAN's choice and order
SPLIT_RULES = ("official", "scgan", "person")
SCGAN_TEST_ROWS, SHUFFLE_SEED = 1999, 1234  # the paper's way, with StarGAN's seed
PERSON_SHARE = 0.1  # of the persons go to test, and as many to val

IMAGES = "img_align_celeba"
IMAGE_FOLDERS = (IMAGES, f"{IMAGES}/{IMAGES}", f"Img/{IMAGES}", f"Img/{IMAGES}/{IMAGES}")
ZIPS = (f"{IMAGES}.zip", f"Img/{IMAGES}.zip")
TABLE_FOLDERS = ("", "Anno", "Eval")
FIVE_POINTS = "list_landmarks_align_celeba"


def read_celeba(root: Path, attributes: tuple[str, ...], split: str) -> tuple[Photos, list[Input]]:
    """The place of the photos and every input by id, with attributes {0, 1} and split.

    Inputs are the table's rows and the photos without one. Raises BuildError for a missing folder or table, a row
    with too few or strange cells, an unknown attribute; it names the file, the line and the value.
    """
    if split not in SPLIT_RULES:
        raise BuildError(f"there is no split rule {split!r}: take one of {', '.join(SPLIT_RULES)}")
    if not root.is_dir():
        raise BuildError(f"{root}: no such folder; CelebA's, with img_align_celeba and list_attr_celeba.txt, is needed")
    photos = _find_images(root)
    table_file = find_table(root, "list_attr_celeba")
    if table_file is None:
        raise BuildError(
            f"{root}: list_attr_celeba.txt (or .csv) is missing; CelebA's attribute table belongs beside the photos"
        )
    names, table = read_attribute_table(table_file)
    columns = columns_of(table_file, names, attributes)
    splits = _splits(root, list(table), split)
    present = photos.names()
    if isinstance(photos, PhotoFolder):
        present = {name: present[name] for name in inputs_below(photos.path, present)}
    five_points = _five_points(root)
    inputs = [
        Input(name, tuple(int(table[name][column] == 1) for column in columns), splits.get(name, "train"),
              _problem(name, present, splits), five_points=five_points(name))
        for name in table
    ]  # fmt: skip
    no_row = f"no row in {table_file.name}"
    inputs += [Input(name, (0,) * len(attributes), "train", no_row) for name in present if name not in table]
    return photos, sorted((printable(one) for one in inputs), key=lambda one: one.id)


def find_table(root: Path, stem: str) -> Path | None:
    """A table of CelebA's, as text or CSV, in one of the places where mirrors put it."""
    places = (base / folder / f"{stem}{ending}" for base in _bases(root) for folder in TABLE_FOLDERS
              for ending in (".txt", ".csv"))  # fmt: skip
    return next((place for place in places if place.exists()), None)


def _splits(root: Path, names: list[str], rule: str) -> dict[str, str]:
    """The split of each photo by one of the rules; photos that the rule does not know are absent."""
    if rule == "scgan":
        random.Random(SHUFFLE_SEED).shuffle(names)
        return {name: "test" if i < SCGAN_TEST_ROWS else "train" for i, name in enumerate(names)}
    if rule == "person":
        return _split_persons(root)
    path = find_table(root, "list_eval_partition")
    if path is None:
        return dict.fromkeys(names, "train")
    partition = read_pairs(path)
    wrong = [(name, number) for name, number in partition.items() if number not in range(len(SPLITS))]
    if wrong:
        raise BuildError(f"{path}: {wrong[0][0]} has the part {wrong[0][1]}, and the parts are 0, 1 and 2")
    return {name: SPLITS[number] for name, number in partition.items()}


def _split_persons(root: Path) -> dict[str, str]:
    path = find_table(root, "identity_CelebA")
    if path is None:
        raise BuildError(f"{root}: identity_CelebA.txt is missing, and --split person needs it")
    person_of = read_pairs(path)
    persons = sorted(set(person_of.values()))
    random.Random(SHUFFLE_SEED).shuffle(persons)
    held_out = max(1, round(PERSON_SHARE * len(persons)))
    test, val = set(persons[:held_out]), set(persons[held_out : 2 * held_out])
    return {
        name: "test" if person in test else "val" if person in val else "train" for name, person in person_of.items()
    }


def _five_points(root: Path) -> Callable[[str], NDArray[np.float64] | None]:
    path = find_table(root, FIVE_POINTS)
    return read_five_points(path).get if path else lambda name: None


def _problem(name: str, present: dict[str, str], splits: dict[str, str]) -> str:
    if names_outside(name):
        return "the name leads out of the folder of photos"
    if name not in present:
        return "no such photo"
    return present[name] or ("" if name in splits else "no row in the table of splits")


def _bases(root: Path) -> Iterator[Path]:
    """The folder itself, and those in it: some mirrors wrap CelebA in one more."""
    yield root
    yield from sorted(path for path in root.iterdir() if path.is_dir() and path.name != IMAGES)


def _find_images(root: Path) -> Photos:
    folders = [base / name for base in _bases(root) for name in IMAGE_FOLDERS if (base / name).is_dir()]
    for folder in folders:
        if any(path.suffix.lower() in SUFFIXES for path in folder.iterdir()):
            return PhotoFolder(folder)
    for base in _bases(root):
        for name in ZIPS:
            if (base / name).exists():
                return open_zip(base / name, IMAGE_FOLDERS)
    if not folders:
        raise BuildError(f"{root}: neither the folder img_align_celeba nor img_align_celeba.zip is there")
    return PhotoFolder(folders[0])
