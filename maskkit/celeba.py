"""CelebA as it is distributed: the folder of photos, the attribute table, the partition and the identities."""

import random
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from maskkit.dataset import SPLITS
from maskkit.errors import BuildError
from maskkit.images import SUFFIXES
from maskkit.photos import Input

ATTRIBUTES = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")  # SCGAN's choice and order
SPLIT_RULES = ("official", "scgan", "person")
SCGAN_TEST_ROWS, SHUFFLE_SEED = 1999, 1234  # the paper's way, with StarGAN's seed
PERSON_SHARE = 0.1  # of the persons go to test, and as many to val

NUMBER = re.compile(r"[0-9]{1,9}")
IMAGE_FOLDERS = ("img_align_celeba", "img_align_celeba/img_align_celeba", "Img/img_align_celeba")
TABLE_FOLDERS = ("", "Anno", "Eval")


def read_celeba(root: Path, attributes: tuple[str, ...], split: str) -> tuple[Path, list[Input]]:
    """The folder of photos and every input by id, with attributes {0, 1} and split.

    Inputs are the table's rows and the photos without one. Raises BuildError for a missing folder or table, a row
    with too few or strange cells, an unknown attribute; it names the file, the line and the value.
    """
    if split not in SPLIT_RULES:
        raise BuildError(f"there is no split rule {split!r}: take one of {', '.join(SPLIT_RULES)}")
    if not root.is_dir():
        raise BuildError(f"{root}: no such folder; CelebA's, with img_align_celeba and list_attr_celeba.txt, is needed")
    images = _find_images(root)
    table_file = _find_table(root, "list_attr_celeba.txt")
    if table_file is None:
        raise BuildError(f"{root}: list_attr_celeba.txt is missing; CelebA's attribute table belongs beside the photos")
    names, table = read_attribute_table(table_file)
    missing = [name for name in attributes if name not in names]
    if missing:
        raise BuildError(f"{table_file} has no attribute {', '.join(missing)}; it has {', '.join(names)}")
    columns = [names.index(name) for name in attributes]
    splits = _splits(root, list(table), split)
    present = {path.relative_to(images).as_posix() for path in images.rglob("*") if path.suffix.lower() in SUFFIXES}
    inputs = [
        Input(name, tuple(int(table[name][column] == 1) for column in columns), splits.get(name, "train"))
        for name in table
    ]
    inputs = [replace(one, problem=_problem(one, present, splits)) for one in inputs]
    no_row = f"no row in {table_file.name}"
    inputs += [Input(name, (0,) * len(attributes), "train", no_row) for name in present - set(table)]
    return images, sorted((_printable(one) for one in inputs), key=lambda one: one.id)


def read_attribute_table(path: Path) -> tuple[list[str], dict[str, list[int]]]:
    """The attribute names and each photo's values, -1 or 1, of a table in CelebA's format."""
    lines = _read_lines(path)
    if len(lines) < 2 or not NUMBER.fullmatch(lines[0].strip()):
        raise BuildError(f"{path}: the first line is the number of photos and the second names the attributes")
    names, rows = lines[1].split(), [line for line in lines[2:] if line.strip()]
    if int(lines[0]) != len(rows):
        raise BuildError(f"{path}: line 1 promises {int(lines[0])} rows and there are {len(rows)}; the table is cut")
    table: dict[str, list[int]] = {}
    for number, line in enumerate(rows, 3):
        name, *cells = line.split()
        if len(cells) != len(names):
            raise BuildError(f"{path}, line {number}: {len(cells)} values for {len(names)} attributes")
        strange = [cell for cell in cells if cell not in ("1", "-1")]
        if strange:
            raise BuildError(f"{path}, line {number}: {strange[0]!r} is neither 1 nor -1")
        if name in table:
            raise BuildError(f"{path}, line {number}: {name} has a row already")
        table[name] = [int(cell) for cell in cells]
    return names, table


def _splits(root: Path, names: list[str], rule: str) -> dict[str, str]:
    """The split of each photo by one of the rules; photos that the rule does not know are absent."""
    if rule == "scgan":
        random.Random(SHUFFLE_SEED).shuffle(names)
        return {name: "test" if i < SCGAN_TEST_ROWS else "train" for i, name in enumerate(names)}
    if rule == "person":
        return _split_persons(root)
    path = _find_table(root, "list_eval_partition.txt")
    if path is None:
        return dict.fromkeys(names, "train")
    partition = _read_pairs(path)
    wrong = [(name, number) for name, number in partition.items() if number not in range(len(SPLITS))]
    if wrong:
        raise BuildError(f"{path}: {wrong[0][0]} has the part {wrong[0][1]}, and the parts are 0, 1 and 2")
    return {name: SPLITS[number] for name, number in partition.items()}


def _split_persons(root: Path) -> dict[str, str]:
    path = _find_table(root, "identity_CelebA.txt")
    if path is None:
        raise BuildError(f"{root}: identity_CelebA.txt is missing, and --split person needs it")
    person_of = _read_pairs(path)
    persons = sorted(set(person_of.values()))
    random.Random(SHUFFLE_SEED).shuffle(persons)
    held_out = max(1, round(PERSON_SHARE * len(persons)))
    test, val = set(persons[:held_out]), set(persons[held_out : 2 * held_out])
    return {
        name: "test" if person in test else "val" if person in val else "train" for name, person in person_of.items()
    }


def _problem(one: Input, present: set[str], splits: dict[str, str]) -> str:
    if PurePosixPath(one.id).is_absolute() or ".." in PurePosixPath(one.id).parts:
        return "the name leads out of the folder of photos"
    if one.id not in present:
        return "no such photo"
    return "" if one.id in splits else "no row in the table of splits"


def _printable(one: Input) -> Input:
    """Escape a name that no table can hold, such as one with a line break or not in UTF-8, and leave its photo out."""
    if one.id.isprintable():
        return one
    escaped = one.id.encode("unicode_escape").decode("ascii")
    return replace(one, id=escaped, problem="the name holds characters that cannot be printed")


def _find_images(root: Path) -> Path:
    found = [root / name for name in IMAGE_FOLDERS if (root / name).is_dir()]
    if not found:
        raise BuildError(f"{root}: the folder img_align_celeba is missing; unpack img_align_celeba.zip there")
    with_photos = [folder for folder in found if any(path.suffix.lower() in SUFFIXES for path in folder.iterdir())]
    return (with_photos or found)[0]


def _find_table(root: Path, name: str) -> Path | None:
    return next((root / folder / name for folder in TABLE_FOLDERS if (root / folder / name).is_file()), None)


def _read_pairs(path: Path) -> dict[str, int]:
    pairs: dict[str, int] = {}
    for number, line in enumerate(_read_lines(path), 1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != 2 or not NUMBER.fullmatch(cells[1]):
            raise BuildError(f"{path}, line {number}: a photo's name and a number are expected, not {line[:60]!r}")
        pairs[cells[0]] = int(cells[1])
    return pairs


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BuildError(f"{path}: not a text file") from error
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}") from error
