"""COCO instances into label maps: polygons and run-length codes, painted in the order of their classes."""

import re
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.errors import ExchangeError, MaskkitError
from maskkit.exchange.folders import check_export
from maskkit.exchange.formats.label_png import voc_color
from maskkit.exchange.formats.pairs import outside
from maskkit.exchange.incoming import LARGEST_TABLE, Incoming, Known, Pair
from maskkit.files.json_text import parse_json
from maskkit.files.regular import read_regular
from maskkit.masks.raster import LabelMap, fill_polygon
from maskkit.masks.regions import Region, RegionScheme, load_scheme
from maskkit.photos.images import LARGEST_PIXELS, Picture, read_image
from maskkit.points.landmarks import check_points
from maskkit.shards.description import SPLITS

PLACES = ("annotations/instances_*.json", "annotations/*.json", "*/_annotations.coco.json", "*.json")
SPLIT_WORDS = re.compile("(train)|(val)|(test)")
LONGEST_PART = 255  # bytes of a file's name
LARGEST_WORK = 1 << 28  # numbers of a polygon times rows of its photo; a byte each is taken to draw it
MANIFESTS = ("export.json", "scheme.json")  # of an export

Entry = dict[str, Any]


def read(source: Path, scheme: str | None, images: str | None) -> Incoming:
    """Find the photos that COCO's JSON files in `source` annotate, each split's named after it (instances_val.json).

    Classes are the categories, in the order of their numbers and after the background, or those of `scheme` or of the
    `scheme.json` of an export by their names. Ids, attributes and points of an export come back. Raises ExchangeError.
    """
    files = next((found for place in PLACES if (found := _json_files(source, place))), [])
    if not files:
        raise ExchangeError(f"{source}: there is no annotations/instances_train.json or its like")
    check_export(source)
    contents = {path: _content(path) for path in files}
    own = source / "scheme.json"
    regions = load_scheme(scheme or own.absolute()) if scheme or own.is_file() else None
    regions = regions or _scheme_of([one for content in contents.values() for one in content["categories"]], source)
    pairs, known = [], dict[str, Known]()
    names: list[str] = []
    for path, content in contents.items():
        try:
            drawn = _annotations(content, regions, path)
            for entry in content["images"]:
                row, photo, problem = _photo(source, images, path, entry, len(files) > 1)
                names = names or list(entry.get("maskkit", {}).get("attributes", {}))
                size = entry["height"], entry["width"]
                pairs.append(
                    Pair(row.id, row.split, row.attributes, problem, (photo, size, drawn.get(entry["id"], [])))
                )
                known[row.id] = row
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ExchangeError(f"{path}: not COCO instances ({type(error).__name__}: {error})") from error
    pairs = [pair if len(pair.attributes) == len(names) else _without(pair, len(names)) for pair in pairs]
    pointed = all(row.points is not None for row in known.values())
    return Incoming("coco", regions, tuple(names), pairs, _load, known if pointed else {})


def _without(pair: Pair, count: int) -> Pair:
    problem = pair.problem or "its attributes are not those of the others"
    return Pair(pair.id, pair.split, (0,) * count, problem, pair.files)


def _json_files(source: Path, place: str) -> list[Path]:
    files = sorted(path for path in source.glob(place) if path.name not in MANIFESTS)
    for path in files:
        if problem := outside(source, source, path):
            raise ExchangeError(f"{source}: {problem}")
    return files


def _content(path: Path) -> dict[str, list[Entry]]:
    try:
        content = parse_json(read_regular(path, LARGEST_TABLE))
    except (OSError, ValueError) as error:
        raise ExchangeError(f"{path}: not JSON that can be read ({error})") from error
    lists = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(name), list) for name in lists):
        raise ExchangeError(f"{path}: not COCO instances: the lists {', '.join(lists)} are expected")
    for name in lists:
        if not all(isinstance(entry, dict) for entry in content[name]):
            raise ExchangeError(f"{path}: an entry of {name} is no object")
    return content


def _scheme_of(categories: list[Entry], source: Path) -> RegionScheme:
    names: dict[str, Any] = {}
    for entry in sorted(categories, key=lambda entry: str(entry.get("id")).zfill(20)):
        names.setdefault(str(entry.get("name")), entry.get("color"))
    regions = [Region("background", (0, 0, 0), (), "background")]
    for name, color in names.items():
        if name != "background":
            regions.append(Region(name, color or voc_color(len(regions) % 256), (), name))
    return RegionScheme.from_dict({"name": "coco", "regions": [vars(region) for region in regions]}, str(source))


def _photo(source: Path, images: str | None, path: Path, entry: Entry, several: bool) -> tuple[Known, Path, str]:
    """What is known of a photo, where it lies, and why it cannot be taken."""
    name = str(entry["file_name"])
    word = SPLIT_WORDS.search(path.stem) or SPLIT_WORDS.search(path.parent.name)
    split = SPLITS[word.lastindex - 1] if word and word.lastindex else "train"
    height, width = entry["height"], entry["width"]
    if not all(type(side) is int and side > 0 for side in (height, width)) or height * width > LARGEST_PIXELS:
        raise ValueError(f"the photo {name[:80]} has {width} x {height} pixels")
    pure, photo = PurePosixPath(name), source
    problem = "" if pure.parts and ".." not in pure.parts and not pure.is_absolute() else "its name leads elsewhere"
    if any(len(part.encode(errors="replace")) > LONGEST_PART for part in pure.parts):
        problem = "its name is longer than a file's can be"
    if not problem:
        subset = path.stem.removeprefix("instances_")
        folders = (f"images/{subset}", "images", subset, f"{path.parent.name}", "")
        places = [source / folder / pure for folder in ((images,) if images else folders)]
        photo = next((place for place in places if place.is_file()), places[0])
        root = source / images if images else source
        problem = outside(source, root, photo) if photo.is_file() else "no photo of this name"
    return _known(entry.get("maskkit", {}), split, f"{split}/{name}" if several else name, path), photo, problem


def _known(about: Entry, split: str, name: str, path: Path) -> Known:
    if not about:
        return Known(name, split, ())
    values = tuple(about["attributes"].values())
    if about["split"] not in SPLITS or not set(values) <= {0, 1} or not isinstance(about["id"], str):
        raise ValueError(f"the split, attributes or id of {str(about['id'])[:80]} are not what an export writes")
    if "landmarks" not in about:
        return Known(about["id"], about["split"], values)
    left, top, right, bottom = map(float, about["box"])
    score = float("nan") if about["score"] is None else float(about["score"])
    points = check_points(about["landmarks"], str(path))
    return Known(about["id"], about["split"], values, points, str(about["detector"]), score, (left, top, right, bottom))


def _annotations(content: dict[str, list[Entry]], scheme: RegionScheme, path: Path) -> dict[Any, list[tuple[int, Any]]]:
    """The class and the segmentation of every region of each photo, classes in rising order."""
    labels: dict[Any, int] = {}
    for entry in content["categories"]:
        if entry["name"] not in scheme.names and entry["name"] != "background":
            raise ExchangeError(
                f"{path}: {str(entry['name'])[:80]} is no class of {scheme.name}: {', '.join(scheme.names)}"
            )
        labels[entry["id"]] = scheme.names.index(entry["name"]) if entry["name"] in scheme.names else 0
    regions: dict[Any, list[tuple[int, Any]]] = defaultdict(list)
    for entry in content["annotations"]:
        if entry.get("segmentation"):  # a box alone paints nothing
            regions[entry["image_id"]].append((labels[entry["category_id"]], entry["segmentation"]))
    for drawn in regions.values():
        drawn.sort(key=lambda one: one[0])
    return regions


def _load(pair: Pair) -> tuple[Picture, LabelMap]:
    photo, (height, width), drawn = pair.files
    mask = np.zeros((height, width), dtype=np.uint8)
    for label, segmentation in drawn:
        try:
            mask[_region(segmentation, height, width)] = label
        except (KeyError, TypeError, ValueError, OverflowError, MaskkitError) as error:
            raise ExchangeError(f"a region cannot be drawn ({error})") from error
    return read_image(photo), mask


def _region(segmentation: Any, height: int, width: int) -> NDArray[np.bool_]:
    if isinstance(segmentation, dict):
        if list(segmentation["size"]) != [height, width]:
            raise ValueError(f"its code is for {segmentation['size']}, and the photo is [{height}, {width}]")
        counts = segmentation["counts"]
        return from_run_lengths(unpacked(counts) if isinstance(counts, str) else counts, height, width)
    region = np.zeros((height, width), dtype=bool)
    for polygon in segmentation:
        if len(polygon) * height > LARGEST_WORK:
            raise ValueError(f"a polygon of {len(polygon) // 2:,} corners is too long")
        # COCO counts from the corner of the first pixel, polygons here from its centre.
        region |= fill_polygon(np.array(polygon, dtype=np.float64).reshape(-1, 2) - 0.5, (height, width))
    return region


def from_run_lengths(counts: list[int], height: int, width: int) -> NDArray[np.bool_]:
    """COCO's runs, down the columns and beginning with those outside, to a region, bool (H, W); else ValueError."""
    lengths = np.array(counts, dtype=np.int64)
    if lengths.ndim != 1 or (lengths < 0).any() or lengths.max(initial=0) > height * width:
        raise ValueError("its runs are not lengths within the photo")
    if lengths.sum() != height * width:
        raise ValueError(f"its runs cover {lengths.sum():,} of {height * width:,} pixels")
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(width, height).T


def unpacked(code: str) -> list[int]:
    """The runs of COCO's packed text: five bits a character, each run from the third on less the one before the last.

    As maskApi.c of pycocotools writes them; read here because its reader trusts them.
    """
    counts: list[int] = []
    value = shift = 0
    for character in code.encode("ascii"):
        bits = character - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError("its packed runs hold what COCO does not write")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    return counts
