"""COCO instances: images/SPLIT/NAME.png and annotations/instances_SPLIT.json, one annotation for each region."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from maskkit.errors import MissingExtraError
from maskkit.exchange.formats.label_png import encode_png
from maskkit.exchange.outgoing import Outgoing, Sample
from maskkit.exchange.outlines import outline
from maskkit.masks.regions import RegionScheme


def write(outgoing: Outgoing, folder: Path, polygons: bool) -> None:
    """Write photos and annotations; the category is the class number, and class 0 is what no annotation covers.

    Regions are run-length codes, or polygons along the edges of pixels, whose inside is exactly the region. A photo's
    entry also holds id, attributes and points. Raises MissingExtraError without pycocotools.
    """
    encode = _polygons if polygons else _run_lengths()
    (folder / "annotations").mkdir()
    head = json.dumps(_head(outgoing.scheme), ensure_ascii=False)
    for split in outgoing.splits:
        start = f'{head[:-1]},\n"annotations": ['
        path = folder / "annotations" / f"instances_{split}.json"
        # Two lists grow at a time and neither fits into memory: the second waits in a file of its own.
        with path.open("w", encoding="utf-8") as file, TemporaryFile("w+", encoding="utf-8", dir=folder) as images:
            _write_lists(outgoing, split, folder / "images" / split, encode, _List(file, start), _List(images, "["))
            images.seek(0)
            file.write('],\n"images": ')
            shutil.copyfileobj(images, file)
            file.write("]}\n")


def _head(scheme: RegionScheme) -> dict[str, Any]:
    categories = [
        {"id": i, "name": region.name, "supercategory": scheme.name, "color": list(region.color)}
        for i, region in enumerate(scheme.regions) if i
    ]  # fmt: skip
    return {
        "info": {"description": f"{scheme.name} masks, exported by maskkit", "version": "1.0"},
        "licenses": [{"id": 1, "name": "see the source of the photos", "url": ""}],
        "categories": categories,
    }


class _List:
    """A JSON list written entry by entry, without its end."""

    def __init__(self, file: TextIO, start: str) -> None:
        self.file, self.entries = file, 0
        file.write(start)

    def add(self, entry: dict[str, Any]) -> None:
        self.entries += 1
        self.file.write((",\n" if self.entries > 1 else "\n") + json.dumps(entry, ensure_ascii=False))


def _write_lists(outgoing: Outgoing, split: str, folder: Path, encode: Any, annotations: _List, images: _List) -> None:
    for sample in outgoing.samples(split):
        path = folder / f"{sample.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(sample.image))
        about: dict[str, Any] = {"id": sample.number + 1, "file_name": f"{sample.name}.png"}
        about |= {"height": outgoing.size, "width": outgoing.size, "license": 1}
        images.add({**about, "maskkit": sample.about(outgoing.attribute_names)})
        for entry in _annotations(sample, encode):
            annotations.add({"id": annotations.entries + 1, **entry})


def _annotations(sample: Sample, encode: Any) -> Iterator[dict[str, Any]]:
    for label in np.unique(sample.mask).tolist():
        if label == 0:
            continue
        region = sample.mask == label
        ys, xs = np.nonzero(region)
        left, top = int(xs.min()), int(ys.min())
        yield {
            "image_id": sample.number + 1,
            "category_id": label,
            "segmentation": encode(region),
            "area": len(xs),
            "bbox": [left, top, int(xs.max()) + 1 - left, int(ys.max()) + 1 - top],
            "iscrowd": 0,
        }


def _polygons(region: NDArray[np.bool_]) -> list[list[int]]:
    return [np.ravel(piece.corners).tolist() for piece in outline(region)]


def _run_lengths() -> Any:
    try:
        from pycocotools import mask
    except ImportError as error:
        raise MissingExtraError("pycocotools", "exchange", "writing COCO's run-length codes") from error

    def encode(region: NDArray[np.bool_]) -> dict[str, Any]:
        code = mask.encode(np.asfortranarray(region.astype(np.uint8)))
        return {"size": list(code["size"]), "counts": code["counts"].decode("ascii")}

    return encode
