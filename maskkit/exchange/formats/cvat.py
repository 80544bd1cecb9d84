"""CVAT's segmentation masks, a kind of Pascal VOC: SegmentationClass/NAME.png in the colours of labelmap.txt.

labelmap.txt                             a line for each class: name:red,green,blue:parts:actions
SegmentationClass/, SegmentationObject/  regions by class and, each in a colour of its own, by object
JPEGImages/                              the photos; CVAT leaves them out
ImageSets/Segmentation/SPLIT.txt         names without endings, here SPLIT/NAME
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from maskkit.errors import ExchangeError
from maskkit.exchange.formats.label_png import encode_png, read_label_map, voc_color
from maskkit.exchange.formats.pairs import find_pairs
from maskkit.exchange.incoming import LARGEST_TABLE, Incoming, Known, Pair, Tables, read_tables
from maskkit.exchange.outgoing import Outgoing, SampleTable
from maskkit.files.regular import read_regular_text
from maskkit.masks.pictures import colorize
from maskkit.masks.raster import LabelMap
from maskkit.masks.regions import Region, RegionScheme, load_scheme
from maskkit.photos.images import Picture, read_image
from maskkit.shards.description import SPLITS

IMAGES, MASKS, OBJECTS, SETS, LABELS = (
    "JPEGImages", "SegmentationClass", "SegmentationObject", Path("ImageSets/Segmentation"), "labelmap.txt"
)  # fmt: skip
BACKGROUND = "background"


def write(outgoing: Outgoing, folder: Path) -> None:
    """Write photos, masks in the scheme's colours, the same as objects (each region is one), names and labels."""
    # A separator in a name would end the line's field; CVAT takes the class by name, so no other name will do.
    odd = [name for name in outgoing.scheme.names if ":" in name or name.startswith("#")]
    if odd:
        raise ExchangeError(f"the class {odd[0]} cannot be written to {LABELS}, whose lines are split at colons")
    lines = ["# label:color_rgb:parts:actions"]
    for label, region in enumerate(outgoing.scheme.regions):
        name = BACKGROUND if label == 0 else region.name
        lines.append(f"{name}:{','.join(map(str, region.color))}::")
    (folder / LABELS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    objects = np.array([voc_color(label) for label in range(len(outgoing.scheme))], dtype=np.uint8)
    (folder / SETS).mkdir(parents=True)
    with SampleTable(folder, outgoing) as table:
        for split in outgoing.splits:
            names = []
            for sample in outgoing.samples(split):
                classes = colorize(sample.mask, outgoing.scheme)
                pictures = {IMAGES: sample.image, MASKS: classes, OBJECTS: objects[sample.mask]}
                for kind, picture in pictures.items():
                    path = folder / kind / split / f"{sample.name}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(encode_png(picture))
                names.append(f"{split}/{sample.name}")  # two splits may hold the same name
                table.add(sample, names[-1])
            (folder / SETS / f"{split}.txt").write_text("\n".join(names) + "\n", encoding="utf-8")


def read(source: Path, scheme: str | None, images: str | None, masks: str | None, ignore: int | None) -> Incoming:
    """Find CVAT's masks and the photos of the same names, in `images` or JPEGImages.

    The classes are those of labelmap.txt, the background first; with `scheme`, or the `scheme.json` of an export, the
    classes of these by their names. Without labelmap.txt the masks hold the class numbers of `scheme` or Pascal VOC's
    colours for these. Raises ExchangeError.
    """
    own = source / "scheme.json"
    regions = load_scheme(scheme or own.absolute()) if scheme or own.is_file() else None
    if (source / LABELS).is_file():
        labels = _read_labels(source / LABELS)
    elif regions:
        named = (replace(region, color=voc_color(label)) for label, region in enumerate(regions.regions))
        labels = RegionScheme(regions.name, tuple(named))
    else:
        raise ExchangeError(f"{source}: without {LABELS} nothing tells what the colours mean: give --scheme")
    regions = regions or labels
    table = _table(labels, regions, source / LABELS)
    splits = _splits(source / SETS)
    tables = read_tables(source) or Tables((), {})
    rows = {name: known for (_, name), known in tables.rows.items()}
    pairs = []
    for name, photo, mask, problem in find_pairs(source, source / (images or IMAGES), source / (masks or MASKS)):
        blank = Known(f"{name}{photo.suffix}", splits.get(name, "train"), (0,) * len(tables.attribute_names))
        known = rows.get(name, blank)
        problem = problem or ("no row in samples.csv" if rows and known is blank else "")
        pairs.append(Pair(known.id, known.split, known.attributes, problem, (photo, mask)))

    def load(pair: Pair) -> tuple[Picture, LabelMap]:
        photo, mask = pair.files
        return read_image(photo), table[read_label_map(mask, labels, ignore)]

    return Incoming("cvat", regions, tables.attribute_names, pairs, load, tables.with_points())


def _read_labels(path: Path) -> RegionScheme:
    try:
        text = read_regular_text(path, LARGEST_TABLE)
    except (OSError, UnicodeDecodeError) as error:
        raise ExchangeError(f"{path} cannot be read ({error})") from error
    regions: list[Region] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, color, *_ = (*line.strip().split(":"), "")
        try:
            red, green, blue = map(int, color.split(",")) if color else voc_color(len(regions))
        except ValueError as error:
            raise ExchangeError(f"{path}, line {number}: {color[:40]!r} is no colour such as 255,0,0") from error
        regions.append(Region(name, (red, green, blue), (), name))
    black = Region(BACKGROUND, (0, 0, 0), (), BACKGROUND)
    regions.sort(key=lambda region: region.name != BACKGROUND)  # which CVAT may put anywhere, or leave out
    if not regions or regions[0].name != BACKGROUND:
        regions.insert(0, black)
    return RegionScheme.from_dict(RegionScheme("cvat", tuple(regions)).to_dict(), str(path))


def _table(labels: RegionScheme, regions: RegionScheme, path: Path) -> LabelMap:
    """The class of `regions` for each of `labels` by name, the first of both being the background."""
    names = (labels.names[0], *regions.names[1:])
    missing = [name for name in labels.names if name not in names]
    if missing:
        raise ExchangeError(f"{path}: {missing[0]} is no class of {regions.name}: {', '.join(regions.names)}")
    return np.array([names.index(name) for name in labels.names], dtype=np.uint8)


def _splits(folder: Path) -> dict[str, str]:
    """The split of each name; those of CVAT's `default.txt` and of no file are left to be train."""
    splits: dict[str, str] = {}
    for split in SPLITS:
        path = folder / f"{split}.txt"
        if not path.exists():
            continue
        try:
            splits |= dict.fromkeys(read_regular_text(path, LARGEST_TABLE).splitlines(), split)
        except (OSError, UnicodeDecodeError) as error:
            raise ExchangeError(f"{path} cannot be read ({error})") from error
    return splits
