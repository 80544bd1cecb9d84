"""Photos and label PNGs of one name in two folders: the layout that most projects share."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from maskkit.errors import ExchangeError
from maskkit.exchange.formats.label_png import read_label_map
from maskkit.exchange.incoming import Incoming, Known, Pair, Tables, read_tables
from maskkit.files.walking import files_below
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import RegionScheme, load_scheme
from maskkit.photos.images import SUFFIXES, Picture, read_image
from maskkit.shards.description import SPLITS
from maskkit.shards.own_files import inputs_below


def read_label_pngs(
    source: Path, scheme: str | None, images: str | None, masks: str | None, ignore: int | None
) -> Incoming:
    """Find the pairs of SOURCE/images and SOURCE/masks, or of these in SOURCE/train, val and test.

    A mask and its photo have one path but for the ending; the photo may have any size of the same shape. With the
    `samples.csv` of an export, ids, splits, attributes and points are as it says. The scheme comes from `scheme` or
    the export's `scheme.json`.
    """
    images, masks = images or "images", masks or "masks"
    if scheme is None and not (source / "scheme.json").exists():
        raise ExchangeError(f"{source} does not tell what its labels mean: give --scheme, a name or a .json file")
    regions = load_scheme(scheme or (source / "scheme.json").absolute())
    parts = {split: source / split for split in SPLITS if (source / split / masks).is_dir()}
    if Path(masks).is_absolute() or not parts:  # joined to any split, an absolute folder would be found there
        parts = {"": source}
    tables = read_tables(source) or Tables((), {})
    pairs = []
    for split, folder in parts.items():
        for name, photo, mask, problem in find_pairs(source, folder / images, folder / masks):
            one = f"{name}{photo.suffix}"
            blank = Known(f"{split}/{one}" if split else one, split or "train", (0,) * len(tables.attribute_names))
            known = tables.rows.get((split, name), blank)
            missing = "no row in samples.csv" if tables.rows and known is blank else ""
            pairs.append(Pair(known.id, known.split, known.attributes, problem or missing, (photo, mask)))
    return Incoming(
        "label-png",
        regions,
        tables.attribute_names,
        pairs,
        lambda pair: load(pair, regions, ignore),
        tables.with_points(),
    )


def load(pair: Pair, scheme: RegionScheme, ignore: int | None = None) -> tuple[Picture, LabelMap]:
    """Read photo and label map of a pair; ImageError where one cannot be read."""
    photo, mask = pair.files
    return read_image(photo), read_label_map(mask, scheme, ignore)


def find_pairs(source: Path, images: Path, masks: Path) -> Iterator[tuple[str, Path, Path, str]]:
    """Name, photo, mask and problem of every mask below `masks` and every photo below `images` without one.

    Raises ExchangeError where a folder is missing or lies, by a symbolic link, outside of `source`.
    """
    for folder in (images, masks):
        if not folder.is_dir():
            raise ExchangeError(f"{folder}: no such folder; name the folders with --images and --masks")
    photos: dict[str, list[Path]] = defaultdict(list)
    for path in _inputs_below(images, SUFFIXES):
        photos[path.relative_to(images).with_suffix("").as_posix()].append(path)
    for mask in _inputs_below(masks, (".png",)):
        name = mask.relative_to(masks).with_suffix("").as_posix()
        found = [path for path in photos.pop(name, []) if path != mask]
        problem = "" if len(found) == 1 else "several photos of this name" if found else "no photo of this name"
        photo = found[0] if found else mask
        yield name, photo, mask, problem or outside(source, images, photo) or outside(source, masks, mask)
    for name, left in photos.items():
        yield name, left[0], left[0], "no mask of this name"


def _inputs_below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files of these endings below a folder, but not in a data set, such as an earlier import's own preview."""
    names = (path.relative_to(folder).as_posix() for path in files_below(folder, suffixes))
    return [folder / name for name in inputs_below(folder, names)]


def outside(source: Path, folder: Path, path: Path) -> str:
    """Why a file below `folder` may not be read, "" if it may: a link must not show other files of this machine.

    Everything must lie in the data set's folder `source`, or in `folder` where the user named one elsewhere.
    """
    root = source if folder.is_relative_to(source) else folder
    try:
        inside = path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a link to itself
        inside = False
    return "" if inside else f"{path.name} leads out of the folder {root.name}"
