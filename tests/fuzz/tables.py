"""The readers of tables, each called by a letter."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np

import maskkit
from maskkit.building.celeba import read_celeba
from maskkit.building.folder import read_folder
from maskkit.exchange.formats import celebamask_hq, coco_reading, cvat
from maskkit.exchange.incoming import read_splits, read_tables
from maskkit.photos.tables import (
    read_attribute_table,
    read_column,
    read_five_points,
    read_header,
    read_pairs,
    read_point_table,
)
from maskkit.shards.description import LEDGER
from maskkit.shards.ledger import read_ledger
from tests.fuzz.refusals import refusals

Reader = Callable[[Path, list[bytes]], object]


COCO = (
    '{"images":[{"id":1,"file_name":"a.png","height":8,"width":8}],"categories":[{"id":2,"name":"skin","color":[1,2,3]}],'
    '"annotations":[{"image_id":1,"category_id":2,"segmentation":[[1,1,6,1,6,6.5]]},'
    '{"image_id":1,"category_id":2,"segmentation":{"size":[8,8],"counts":[20,4,40]}},'
    '{"image_id":1,"category_id":2,"segmentation":{"size":[8,8],"counts":"d04X1"}}]}'
)


def _table(name: str, read: Callable[[Path], object]) -> Reader:
    def run(folder: Path, parts: list[bytes]) -> object:
        (folder / name).write_bytes(parts[0])
        return read(folder / name)

    return run


def _signs(table: tuple[list[str], dict[str, list[int]]]) -> None:
    assert all(value in (-1, 0, 1) and len(row) == len(table[0]) for row in table[1].values() for value in row)


def _celeba(folder: Path, parts: list[bytes]) -> object:
    """A whole root of CelebA's with one photo, its four tables from the parts."""
    _photo(folder / "img_align_celeba" / "000001.jpg")
    files = (
        "list_attr_celeba.txt",
        "list_eval_partition.txt",
        "identity_CelebA.txt",
        "list_landmarks_align_celeba.txt",
    )
    for name, part in zip(files, parts, strict=False):
        (folder / name).write_bytes(part)
    for rule in ("official", "scgan", "person"):
        with refusals():
            read_celeba(folder, ("Male",), rule)
    return None


def _mask_hq(folder: Path, parts: list[bytes]) -> object:
    """CelebAMask-HQ's folder with one photo and part, its tables from the parts."""
    _photo(folder / "CelebA-HQ-img" / "0.jpg")
    _photo(folder / "CelebAMask-HQ-mask-anno" / "0" / "00000_hair.png")
    for name, part in zip(
        (celebamask_hq.ATTRIBUTES, celebamask_hq.MAPPING, celebamask_hq.PARTITION), parts, strict=False
    ):
        (folder / name).write_bytes(part)
    return celebamask_hq.read(folder, None, None, None)


def _export(folder: Path, parts: list[bytes]) -> object:
    (folder / "samples.csv").write_bytes(parts[0])
    (folder / "landmarks.csv").write_bytes(parts[1] if len(parts) > 1 else b"")
    return read_tables(folder)


def _any_folder(folder: Path, parts: list[bytes]) -> object:
    _photo(folder / "photos" / "000001.jpg")
    (folder / "table.csv").write_bytes(parts[0])
    return read_folder(folder / "photos", ("Male",), folder / "table.csv", "split", (0.1, 0.1), several=True)


def _ledger(folder: Path, parts: list[bytes]) -> object:
    (folder / LEDGER).write_bytes(parts[0])
    return read_ledger(folder)


def _coco(folder: Path, parts: list[bytes]) -> object:
    """COCO's JSON with one photo of 8 x 8 pixels, and every region drawn."""
    _photo(folder / "images" / "a.png")
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "annotations" / "instances_train.json").write_bytes(parts[0])
    incoming = coco_reading.read(folder, None, None)
    for pair in incoming.pairs:
        with refusals():
            _, mask = incoming.load(pair)
            assert mask.dtype == np.uint8 and mask.max(initial=0) < len(incoming.scheme)
    return incoming


def _cvat(folder: Path, parts: list[bytes]) -> object:
    _photo(folder / "JPEGImages" / "a.png")
    _photo(folder / "SegmentationClass" / "a.png")
    (folder / "labelmap.txt").write_bytes(parts[0])
    (folder / "ImageSets" / "Segmentation").mkdir(parents=True, exist_ok=True)
    (folder / "ImageSets" / "Segmentation" / "val.txt").write_bytes(parts[1] if len(parts) > 1 else b"")
    incoming = cvat.read(folder, None, None, None, None)
    return [incoming.load(pair) for pair in incoming.pairs]


READERS: dict[bytes, Reader] = {
    b"a": _table("attributes.txt", lambda path: _signs(read_attribute_table(path))),
    b"b": _table("attributes.csv", lambda path: _signs(read_attribute_table(path))),
    b"c": _table("attributes.csv", lambda path: read_attribute_table(path, ("Male",))),
    b"d": _table("header.csv", read_header),
    b"e": _table("column.csv", lambda path: read_column(path, "split")),
    b"f": _table("partition.txt", read_pairs),
    b"g": _table("identity.csv", read_pairs),
    b"h": _table("five.txt", read_five_points),
    b"i": _table("five.csv", read_five_points),
    b"j": _table("points.csv", read_point_table),
    b"k": _export,
    b"l": _table("splits.csv", read_splits),
    b"m": _mask_hq,
    b"n": _ledger,
    b"o": _any_folder,
    b"p": _celeba,
    b"q": _coco,
    b"r": _cvat,
}


def run(data: bytes, folder: Path) -> None:
    """One of the tables, by the first byte; files that belong together are parted by zero bytes."""
    letter = data[:1] if data[:1] in READERS else b"a"
    own = folder / letter.decode()  # each reader finds only its own files
    own.mkdir(exist_ok=True)
    with refusals():
        READERS[letter](own, data[1:].split(b"\0"))


def starts() -> Iterator[bytes]:
    """A small table of each kind."""
    attributes = "2\nMale Young\n000001.jpg -1  1\n000002.jpg  1 -1\n"
    partition, identity = "000001.jpg 0\n000002.jpg 2\n", "000001.jpg 2880\n000002.jpg 17\n"
    five_names = (
        "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
    )
    five = f"1\n{five_names}\n000001.jpg 69 109 106 113 77 142 73 152 108 154\n"
    header, row = ",".join(f"x{i},y{i}" for i in range(68)), ",".join(str(i / 4) for i in range(136))
    for letter, content in {
        "a": attributes,
        "b": "image_id,Male,Young\n000001.jpg,-1,1\n000002.jpg,1,-1\n",
        "c": "image,Male,Name,Young\n000001.jpg,0,x,1\n",
        "d": "image,Male,split\n",
        "e": 'image,split,Male\n000001.jpg,train,1\n"a, b.jpg",2,0\n',
        "f": partition,
        "g": "image_id,identity\n000001.jpg,7\n",
        "h": five,
        "i": five.split("\n", 1)[1].replace("lefteye_x", "image_id lefteye_x", 1).replace(" ", ","),
        "j": f"id,{header}\n000001.jpg,{row}\n",
        "k": "split,name,id,Male,detector,score,left,top,right,bottom\ntrain,0,a.jpg,1,hog,0.5,1,2,3,4\n"
        f"\0id,{header}\na.jpg,{row}\n",
        "l": "id,split\na.jpg,train\nb.jpg,val\n",
        "m": "1\nMale Young\n0.jpg -1  1\n\0idx orig_idx orig_file\n0 119613 119614.jpg\n\x00119614.jpg 1\n",
        "n": "id,outcome,reason,detector,score,split\na.jpg,kept,,hog,0.5000,train\n",
        "o": "image,Male,split\n000001.jpg,1,valid\n",
        "p": f"{attributes}\0{partition}\0{identity}\0{five}",
        "q": COCO,
        "r": "# label:color_rgb:parts:actions\nskin:255,0,0::\nbackground:0,0,0::\n\0a\n",
    }.items():
        yield (letter + content).encode()


@cache
def _photo(path: Path) -> None:
    """A small picture at `path`, once per folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    maskkit.write_png(path, np.zeros((8, 8, 3), dtype=np.uint8))
