"""Tables that contradict themselves or each other: the line is named, and no value wins in silence."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import maskkit
from maskkit.detection.cascade import STEPS
from maskkit.errors import BuildError, ExchangeError
from maskkit.exchange.formats import celebamask_hq
from maskkit.exchange.incoming import read_splits, read_tables
from maskkit.photos.tables import read_attribute_table, read_five_points, read_pairs
from maskkit.shards.description import Dataset
from maskkit.shards.writer import write_shard
from tests.drawn import ATTRIBUTES, drawn_row, write_drawn_shards

FIVE = "1\na b c d e f g h i j\n"


@pytest.fixture
def exported(drawn_shards: Path, tmp_path: Path) -> Path:
    """An export as one would have it who made its tables by hand, without a promise of what is in them."""
    maskkit.export_shards(drawn_shards, tmp_path / "export", "palette")
    (tmp_path / "export" / "export.json").unlink()
    return tmp_path / "export"


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("landmarks.csv", lambda lines: lines[:7] + lines[8:], r"samples\.csv, line 8: landmarks\.csv has no row for"),
        ("landmarks.csv", lambda lines: [*lines, lines[3]], r"landmarks\.csv, line 50: 000002\.png has a row already"),
        ("samples.csv", lambda lines: lines[:7] + lines[8:], r"landmarks\.csv: 000006\.png has no row in samples\.csv"),
        ("samples.csv", lambda lines: [*lines, lines[3]], r"line 50: train, 000002 has a row already"),
        ("samples.csv", lambda lines: [*lines, lines[3].replace("train", "val", 1)],
         r"line 50: the id 000002\.png stands in line 4 already"),
    ],
)  # fmt: skip
def test_tables_of_an_export(exported: Path, name: str, change: Callable[[list[str]], list[str]], said: str) -> None:
    path = exported / name
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    with pytest.raises(ExchangeError, match=said):
        read_tables(exported)


@pytest.mark.parametrize(
    ("name", "text", "read", "said"),
    [
        ("p.txt", "a.jpg 0\nb.jpg 1\na.jpg 2\n", read_pairs, "p.txt, line 3: a.jpg has a row already"),
        ("f.txt", FIVE + f"a.jpg{' 1' * 10}\na.jpg{' 2' * 10}\n", read_five_points, "line 4: a.jpg has a row already"),
        ("f.txt", FIVE + f"a.jpg 1e308{' 1' * 9}\n", read_five_points, "line 3: a point lies farther out than 1e"),
        ("s.csv", "id,split\na,val\na,test\n", read_splits, "s.csv, line 3: a has a row already"),
        ("t.csv", "id,Young,Male,Young\na.jpg,1,0,0\n", read_attribute_table, "line 1: there are two columns of the"),
        ("t.txt", "1\nYoung Male Young\na.jpg 1 -1 -1\n", read_attribute_table, "line 2: there are two columns of"),
    ],
)
def test_tables_of_photos(tmp_path: Path, name: str, text: str, read: Callable[[Path], object], said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises((BuildError, ExchangeError), match=said):
        read(tmp_path / name)


def test_two_pictures_of_one_part(tmp_path: Path) -> None:
    for folder in ("0", "1"):
        (tmp_path / "CelebAMask-HQ-mask-anno" / folder).mkdir(parents=True)
        (tmp_path / "CelebAMask-HQ-mask-anno" / folder / "00003_hair.png").touch()
    (tmp_path / "CelebA-HQ-img").mkdir()
    (tmp_path / "CelebA-HQ-img" / "3.jpg").touch()
    (pair,) = celebamask_hq.read(tmp_path, None, None, None).pairs
    assert pair.problem == "two pictures of its part hair"


def test_attributes_with_spaces_come_back_from_celebamask_hq(tmp_path: Path) -> None:
    shards = write_drawn_shards(tmp_path / "shards", {"train": 4}, names=("Young face", "Male", "a b"))
    maskkit.export_shards(shards, tmp_path / "export", "celebamask-hq")
    names, table = read_attribute_table(tmp_path / "export" / celebamask_hq.ATTRIBUTES)
    assert names == ["Young_face", "Male", "a_b"] and len(table) == 4
    shards = write_drawn_shards(tmp_path / "twice", {"train": 4}, names=("a b", "a_b"))
    with pytest.raises(ExchangeError, match="'a b' and 'a_b' would have the same name"):
        maskkit.export_shards(shards, tmp_path / "no", "celebamask-hq")


def test_a_long_id_forbids_no_export(tmp_path: Path) -> None:
    rows = [drawn_row(i, 32) for i in range(3)]
    rows[0].id, rows[1].id = "é" * 110 + "a.jpg", "é" * 110 + "b.jpg"
    shards = tmp_path / "shards"
    shards.mkdir()
    dataset = Dataset(maskkit.load_scheme("scgan"), 32, ATTRIBUTES, {"kind": "drawn"}, {}, {})
    dataset.shards.append(write_shard(shards, "train-00000.h5", rows, dataset, tuple(STEPS)))
    dataset.complete = True
    dataset.write(shards)
    for layout in ("palette", "webdataset", "coco"):
        maskkit.export_shards(shards, tmp_path / layout, layout)
    maskkit.import_masks(tmp_path / "palette", tmp_path / "back", "label-png", maskkit.exchange.ImportOptions(size=32))
    reader = maskkit.ShardReader(tmp_path / "back")
    assert {reader[i]["id"] for i in range(3)} == {row.id for row in rows}
    assert np.array_equal(reader[1]["image"], rows[0].image)


@pytest.mark.parametrize(
    ("format", "name", "old", "new"),
    [
        ("coco", "annotations/instances_val.json", '"Male": 1', '"Male": 0'),
        ("cvat", "labelmap.txt", "lips:255,0,0", "lips:255,0,1"),
        ("cvat", "ImageSets/Segmentation/val.txt", "val/000042", "val/000043"),
    ],
)
def test_tables_of_exports_to_tools(
    drawn_shards: Path, tmp_path: Path, format: str, name: str, old: str, new: str
) -> None:
    maskkit.export_shards(drawn_shards, tmp_path / "out", format, split="val")
    path = tmp_path / "out" / name
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ExchangeError, match=rf"{path.name} is not what was exported, .*remove export\.json"):
        maskkit.import_masks(tmp_path / "out", tmp_path / "back", format)


def test_a_jpeg_of_an_export_that_decodes_otherwise_is_left_out(drawn_shards: Path, tmp_path: Path) -> None:
    maskkit.export_shards(drawn_shards, tmp_path / "out", "celebamask-hq", split="val")
    photo = tmp_path / "out" / "CelebA-HQ-img" / "3.jpg"
    Image.open(photo).save(photo, quality=50)
    options = maskkit.ImportOptions(scheme="scgan")
    result = maskkit.import_masks(tmp_path / "out", tmp_path / "back", "celebamask-hq", options)
    (reason,) = result.reasons
    assert result.skipped == 1 and "CelebA-HQ-img/3.jpg is not what was exported" in reason


@pytest.mark.parametrize("name", ["t.csv", "t.txt"])
def test_a_block_that_a_disk_has_lost_is_no_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"".join(b"%06d.jpg%s%d\n" % (i, b"," if name == "t.csv" else b" ", i % 3) for i in range(9000)))
    assert len(read_pairs(path)) > 8000
    content = bytearray(path.read_bytes())
    content[4102:4108] = bytes(6)  # inside of a name, which would be another's
    path.write_bytes(content)
    with pytest.raises(BuildError, match=rf"{name}: damaged, or no text: it holds zero bytes"):
        read_pairs(path)
