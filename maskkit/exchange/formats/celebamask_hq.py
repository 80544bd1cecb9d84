"""CelebAMask-HQ: a black and white picture for each part of a face, or label maps of its 19 classes.

CelebA-HQ-img/0.jpg                              photos, 1024 x 1024
CelebAMask-HQ-mask-anno/0/00000_hair.png         parts, 512 x 512, 2,000 faces a folder
CelebAMask-HQ-attribute-anno.txt                 as CelebA's table
CelebA-HQ-to-CelebA-mapping.txt                  with CelebA's list_eval_partition.txt beside it: the official split
"""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from maskkit.errors import BuildError, ExchangeError, ImageError
from maskkit.exchange.folders import EXPORT
from maskkit.exchange.formats.label_png import encode_png, read_label_map
from maskkit.exchange.formats.pairs import find_pairs, load, outside
from maskkit.exchange.incoming import LARGEST_TABLE, Incoming, Pair, read_tables
from maskkit.exchange.outgoing import Outgoing, SampleTable
from maskkit.files.regular import file_sha256, read_regular_text
from maskkit.files.walking import files_below
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import Region, RegionScheme, load_scheme
from maskkit.photos.images import SUFFIXES, Picture, read_image
from maskkit.photos.tables import read_attribute_table
from maskkit.shards.description import SPLITS

IMAGES, MASKS, ATTRIBUTES = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno", "CelebAMask-HQ-attribute-anno.txt"
MAPPING, PARTITION = "CelebA-HQ-to-CelebA-mapping.txt", "list_eval_partition.txt"
FACES_A_FOLDER = 2000
JPEG_QUALITY = 95
PART = re.compile(r"(?P<face>[0-9]{5,9})_(?P<part>.+)\.png")
BLACK_AND_WHITE = RegionScheme(
    "part", tuple(Region(f"{value}", (value, value, value), (), f"{value}") for value in range(256))
)


def write(outgoing: Outgoing, folder: Path) -> None:
    """Write photos as JPEG, as this layout has them, and a picture for each class that a face has but class 0.

    Faces are numbered through all splits; `samples.csv` tells each one's id and split.
    """
    names = _column_names(outgoing.attribute_names)
    (folder / IMAGES).mkdir()
    face, lines = 0, []
    with SampleTable(folder, outgoing) as table:
        for split in outgoing.splits:
            for sample in outgoing.samples(split):
                picture = Image.fromarray(sample.image)
                picture.save(folder / IMAGES / f"{face}.jpg", "JPEG", quality=JPEG_QUALITY, subsampling=0)
                parts = folder / MASKS / str(face // FACES_A_FOLDER)
                parts.mkdir(parents=True, exist_ok=True)
                for label in np.unique(sample.mask[sample.mask > 0]).tolist():
                    # In colours, as the data set's own: parsers open a part by convert("P") and look for 225, which
                    # white becomes in RGB alone.
                    region = np.where(sample.mask == label, np.uint8(255), np.uint8(0))[..., None].repeat(3, axis=2)
                    (parts / f"{face:05d}_{outgoing.scheme.names[label]}.png").write_bytes(encode_png(region))
                lines.append(f"{face}.jpg " + " ".join("1" if one else "-1" for one in sample.attributes))
                table.add(sample, str(face))
                face += 1
    text = "\n".join([str(face), " ".join(names), *lines]) + "\n"
    (folder / ATTRIBUTES).write_text(text, encoding="utf-8")


def _column_names(names: tuple[str, ...]) -> list[str]:
    """Names for a table whose columns are divided by spaces; ExchangeError where two would be one."""
    columns = ["_".join(name.split()) or "_" for name in names]
    for i, column in enumerate(columns):
        if column in columns[:i]:
            other = names[columns.index(column)]
            raise ExchangeError(f"the attributes {other!r} and {names[i]!r} would have the same name in {ATTRIBUTES}")
    return columns


def read(source: Path, scheme: str | None, images: str | None, masks: str | None) -> Incoming:
    """Find CelebAMask-HQ's pairs: parts if the folder of masks has files such as 00000_hair.png, label maps otherwise.

    Parts are painted in the order of the scheme, later over earlier, as the data set's own script does. Attributes
    and the official split are read where their tables lie in SOURCE.
    """
    regions = load_scheme(scheme or "celebamask-hq")
    photos, labels = source / (images or IMAGES), source / (masks or MASKS)
    for folder in (photos, labels):
        if not folder.is_dir():
            raise ExchangeError(f"{folder}: no such folder; name the folders with --images and --masks")
    if any(PART.fullmatch(path.name) for path in labels.glob("*/*.png")):
        return _with_tables(_as_exported(_read_parts(source, photos, labels, regions), source), source)
    pairs = [
        Pair(f"{name}{photo.suffix}", "train", (), problem, (photo, mask))
        for name, photo, mask, problem in find_pairs(source, photos, labels)
    ]
    incoming = Incoming("celebamask-hq", regions, (), pairs, lambda pair: load(pair, regions))
    return _with_tables(_as_exported(incoming, source), source)


def _as_exported(incoming: Incoming, source: Path) -> Incoming:
    """Compare each photo with the list of an export, where there is one: JPEG has no checksum of its own."""
    listed, load_pair = EXPORT.read(source), incoming.load

    def load(pair: Pair) -> tuple[Picture, LabelMap]:
        photo: Path = pair.files[0]
        promised = listed.get(photo.relative_to(source).as_posix()) if photo.is_relative_to(source) else None
        if promised and file_sha256(photo) != promised:
            raise ImageError(
                f"{photo} is not what was exported, by its SHA-256 in {EXPORT.name}; take it from a copy, or remove "
                f"{EXPORT.name} to have it read as it is"
            )
        return load_pair(pair)

    incoming.load = load
    return incoming


def _read_parts(source: Path, photos: Path, labels: Path, scheme: RegionScheme) -> Incoming:
    parts: dict[int, dict[str, Path]] = defaultdict(dict)
    twice: dict[int, str] = {}
    for path in sorted(labels.glob("*/*.png")):
        if named := PART.fullmatch(path.name):
            face, part = int(named["face"]), named["part"]
            if part in parts[face]:
                twice[face] = f"two pictures of its part {part}"
            parts[face][part] = path
    # A face of an export may be all background; in the data set itself a face without parts is one that is missing.
    may_be_empty = (source / "samples.csv").exists()
    pairs = []
    for photo in files_below(photos, SUFFIXES):
        name = photo.relative_to(photos).as_posix()
        found = parts.pop(int(photo.stem), {}) if re.fullmatch(r"[0-9]{1,9}", photo.stem) else {}
        problem = "" if found or may_be_empty else "no part of this face"
        problem = problem or (twice.get(int(photo.stem), "") if found else "")
        strange = [part for part in found if part not in scheme.names]
        if strange:
            problem = f"the part {strange[0]} is no class of {scheme.name}"
        links = [outside(source, photos, photo), *(outside(source, labels, path) for path in found.values())]
        pairs.append(Pair(name, "train", (), problem or max(links), (photo, found)))
    pairs += [Pair(f"{face}", "train", (), "no photo of this face", ()) for face in parts]
    return Incoming("celebamask-hq", scheme, (), pairs, lambda pair: _load_parts(pair, scheme))


def _load_parts(pair: Pair, scheme: RegionScheme) -> tuple[Picture, LabelMap]:
    photo, parts = pair.files
    image = read_image(photo)
    mask = np.zeros(image.shape[:2], dtype=np.uint8)
    for number, (name, path) in enumerate(sorted(parts.items(), key=lambda item: scheme.names.index(item[0]))):
        part = read_label_map(path, BLACK_AND_WHITE)
        if number == 0:
            mask = np.zeros(part.shape, dtype=np.uint8)
        if part.shape != mask.shape:
            raise ImageError(f"{path}: {part.shape[1]} x {part.shape[0]} pixels, and another part has other sides")
        mask[part != 0] = scheme.names.index(name)
    return image, mask


def _with_tables(incoming: Incoming, source: Path) -> Incoming:
    """Add ids, attributes and splits from the tables that lie in the source."""
    if tables := read_tables(source):
        rows = {name: known for (_, name), known in tables.rows.items()}
        for i, pair in enumerate(incoming.pairs):
            if known := rows.get(Path(pair.id).stem):
                incoming.pairs[i] = replace(pair, id=known.id, split=known.split, attributes=known.attributes)
            else:
                blank = (0,) * len(tables.attribute_names)
                incoming.pairs[i] = replace(pair, attributes=blank, problem=pair.problem or "no row in samples.csv")
        incoming.attribute_names, incoming.known = tables.attribute_names, tables.with_points()
        return incoming
    if (source / ATTRIBUTES).exists():
        _add_attributes(incoming, source / ATTRIBUTES)
    if (source / MAPPING).exists() and (source / PARTITION).exists():
        splits = _official_splits(source)
        for i, pair in enumerate(incoming.pairs):
            split = splits.get(Path(pair.id).stem, "")
            incoming.pairs[i] = replace(
                pair, split=split or "train", problem=pair.problem or ("" if split else f"no row in {MAPPING}")
            )
    return incoming


def _add_attributes(incoming: Incoming, path: Path) -> None:
    try:
        names, table = read_attribute_table(path)
    except BuildError as error:
        raise ExchangeError(str(error)) from error
    incoming.attribute_names = tuple(names)
    for i, pair in enumerate(incoming.pairs):
        cells = table.get(pair.id)
        values = tuple(int(cell == 1) for cell in cells) if cells else (0,) * len(names)
        incoming.pairs[i] = replace(
            pair, attributes=values, problem=pair.problem or ("" if cells else f"no row in {ATTRIBUTES}")
        )


def _official_splits(source: Path) -> dict[str, str]:
    """The split of each face by the photo of CelebA that it comes from."""
    parts = {cells[0]: cells[1] for cells in _rows(source / PARTITION, 2)}
    splits = {}
    for number, _, photo in _rows(source / MAPPING, 3)[1:]:
        if parts.get(photo) in ("0", "1", "2"):
            splits[number] = SPLITS[int(parts[photo])]
    return splits


def _rows(path: Path, columns: int) -> list[list[str]]:
    try:
        rows = [line.split() for line in read_regular_text(path, LARGEST_TABLE).splitlines() if line.strip()]
    except OSError as error:
        raise ExchangeError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ExchangeError(f"{path}: not a text file") from error
    wrong = [number for number, cells in enumerate(rows, 1) if len(cells) != columns]
    if wrong:
        raise ExchangeError(f"{path}, row {wrong[0]}: {len(rows[wrong[0] - 1])} cells, and {columns} are expected")
    seen: set[str] = set()
    for number, cells in enumerate(rows, 1):
        if cells[0] in seen:
            raise ExchangeError(f"{path}, row {number}: {cells[0]} has a row already")
        seen.add(cells[0])
    return rows
