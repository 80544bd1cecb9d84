"""Exports as the tools that they are for read them, and annotations that come back from tools."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet
import pytest
import webdataset
from click.testing import CliRunner
from PIL import Image
from pycocotools import mask as coco_mask

import maskkit
from cli.maskkit_command import group
from maskkit import ImportOptions as Options
from maskkit.errors import ExchangeError
from maskkit.exchange.formats.coco_reading import from_run_lengths, unpacked
from maskkit.exchange.formats.label_png import read_label_map, voc_color

SIZE = 64


def rows(shards: Path, split: str = "train") -> list[dict[str, Any]]:
    reader = maskkit.ShardReader(shards, split)
    return [reader[i] for i in range(len(reader))]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("to_pixels", [np.trunc, np.round])
def test_yolo_as_ultralytics_and_supervision_fill_it(drawn_shards: Path, tmp_path: Path, to_pixels: Any) -> None:
    maskkit.export_shards(drawn_shards, tmp_path / "yolo", "yolo")
    for split in ("train", "val"):
        for row in rows(drawn_shards, split):
            drawn = np.zeros((SIZE, SIZE), np.uint8)
            for line in (tmp_path / "yolo" / "labels" / split / f"{row['id'][:-4]}.txt").read_text().splitlines():
                label, *shares = line.split()
                corners = to_pixels(np.array(shares, np.float32).reshape(-1, 2) * SIZE).astype(np.int32)
                assert len(corners) >= 3
                cv2.fillPoly(drawn, [corners], int(label) + 1)
            assert (drawn == row["mask"]).all()
            assert (pixels(tmp_path / "yolo" / "images" / split / row["id"]) == row["image"]).all()
    text = (tmp_path / "yolo" / "data.yaml").read_text()
    assert 'val: images/val\nnames:\n  0: "skin"\n  1: "right_eye"\n' in text


def test_diffusers_gets_its_columns_and_captions(drawn_shards: Path, tmp_path: Path) -> None:
    caption = "a {Male:man|woman} with {Black_Hair:black|other} hair{Young:, young}"
    maskkit.export_shards(drawn_shards, tmp_path / "out", "diffusers", caption=caption)
    maskkit.export_shards(drawn_shards, tmp_path / "plain", "diffusers", split="val")
    found = [one for path in sorted((tmp_path / "out" / "data").glob("train-*")) for one in read_parquet(path)]
    colors = maskkit.load_scheme("scgan").palette
    for one, row in zip(found, rows(drawn_shards), strict=True):
        assert list(one) == ["image", "conditioning_image", "text"]
        assert (decoded(one["image"]) == row["image"]).all()
        assert (decoded(one["conditioning_image"]) == colors[row["mask"]]).all()
        black, _, _, male, young = row["attributes"]
        said = f"a {'man' if male else 'woman'} with {'black' if black else 'other'} hair{', young' if young else ''}"
        assert one["text"] == said
    (plain,) = {one["text"] for one in read_parquet(next((tmp_path / "plain" / "data").iterdir()))[:1]}
    names, first = maskkit.ShardReader(drawn_shards).attribute_names, rows(drawn_shards, "val")[0]["attributes"]
    words = [name.lower().replace("_", " ") for name, has in zip(names, first, strict=True) if has]
    assert plain == ", ".join(["a portrait of a person", *words])
    for wrong, message in (("a {Smiling:x}", "asks for Smiling"), ("a {Male}", "{Male:words"), ("a {", "brace")):
        with pytest.raises(ExchangeError, match=message):
            maskkit.export_shards(drawn_shards, tmp_path / "wrong", "diffusers", caption=wrong)
    with pytest.raises(ExchangeError, match="caption is an option of diffusers, and the format is grey"):
        maskkit.export_shards(drawn_shards, tmp_path / "wrong", "grey", caption="a face")


def read_parquet(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return found


def decoded(cell: dict[str, Any]) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(cell["bytes"], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_pix2pix_halves_and_cyclegan_folders(drawn_shards: Path, tmp_path: Path) -> None:
    for kind in ("pix2pix", "cyclegan"):
        maskkit.export_shards(drawn_shards, tmp_path / kind, kind)
    colors = maskkit.load_scheme("scgan").palette
    for row in rows(drawn_shards, "val"):
        joined = pixels(tmp_path / "pix2pix" / "val" / row["id"])
        a, b = joined[:, : joined.shape[1] // 2], joined[:, joined.shape[1] // 2 :]  # as its aligned data set cuts
        assert (a == colors[row["mask"]]).all() and (b == row["image"]).all()
        assert (pixels(tmp_path / "cyclegan" / "valA" / row["id"]) == a).all()
        assert (pixels(tmp_path / "cyclegan" / "valB" / row["id"]) == b).all()


def test_tars_of_as_many_rows_as_are_asked_for(drawn_shards: Path, tmp_path: Path) -> None:
    arguments = ["export", str(drawn_shards), str(tmp_path / "out"), "--format", "webdataset", "--rows-per-tar", "9"]
    assert CliRunner().invoke(group, arguments, catch_exceptions=False).exit_code == 0
    files = sorted(map(str, (tmp_path / "out").glob("train-*.tar")))
    counts = [len(list(webdataset.WebDataset([file], shardshuffle=False))) for file in files]
    assert counts == [9, 9, 9, 9, 4]


@pytest.mark.parametrize("kind", ["coco", "coco-polygons", "cvat"])
def test_there_and_back_loses_nothing(drawn_shards: Path, tmp_path: Path, kind: str) -> None:
    maskkit.export_shards(drawn_shards, tmp_path / "out", kind)
    result = maskkit.import_masks(tmp_path / "out", tmp_path / "back", kind.split("-")[0], Options(size=SIZE))
    assert (result.kept, result.splits, result.warnings) == (48, {"train": 40, "val": 8, "test": 0}, ())
    for split in ("train", "val"):
        for row, back in zip(rows(drawn_shards, split), rows(tmp_path / "back", split), strict=True):
            assert row.keys() == back.keys()
            assert all(np.array_equal(row[key], back[key]) for key in row)


def coco_folder(folder: Path, segmentations: list[Any], **more: Any) -> Path:
    """A photo of 8 x 8 pixels and its annotations, as an annotation tool writes them."""
    (folder / "images" / "default").mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "images" / "default" / "a.png")
    image = {"id": 7, "file_name": "a.png", "width": 8, "height": 8, **more}
    entries = [{"image_id": 7, "category_id": 4 - i, "segmentation": one} for i, one in enumerate(segmentations)]
    categories = [{"id": 4, "name": "nose", "color": [1, 2, 3]}, {"id": 3, "name": "skin"}]
    (folder / "annotations").mkdir()
    content = {"images": [image], "annotations": entries, "categories": categories}
    (folder / "annotations" / "instances_default.json").write_text(json.dumps(content))
    return folder


def test_coco_of_an_annotation_tool(tmp_path: Path) -> None:
    expected = np.zeros((8, 8), np.uint8)
    expected[:, 1:7], expected[2:4, 3:5] = 1, 2  # the nose on the skin, whichever was annotated first
    packed = coco_mask.encode(np.asfortranarray((expected == 2).astype(np.uint8)))["counts"].decode()
    noses = (
        {"size": [8, 8], "counts": packed},
        {"size": [8, 8], "counts": [26, 2, 6, 2, 28]},
        [[3, 2, 5, 2, 5, 4, 3, 4]],
    )
    for number, nose in enumerate(noses):
        source = coco_folder(tmp_path / str(number), [nose, [[1, 0, 7, 0, 7, 8, 1, 8]]])
        maskkit.import_masks(source, tmp_path / f"out{number}", "coco", Options(size=8))
        (row,) = rows(tmp_path / f"out{number}")
        assert (row["mask"] == expected).all() and row["id"] == "a.png"
        scheme = maskkit.ShardReader(tmp_path / f"out{number}").scheme
        assert scheme.names == ("background", "skin", "nose") and scheme.palette[2].tolist() == [1, 2, 3]
    maskkit.import_masks(tmp_path / "0", tmp_path / "named", "coco", Options(size=8, scheme="scgan"))
    assert (rows(tmp_path / "named")[0]["mask"] == np.uint8([0, 1, 4])[expected]).all()


@pytest.mark.parametrize(
    ("drawn", "more", "message"),
    [
        ({"size": [8, 8], "counts": [65]}, {}, "not lengths within the photo"),
        ({"size": [8, 8], "counts": [20, 2]}, {}, "its runs cover 22 of 64"),
        ({"size": [60, 80], "counts": [4800]}, {}, r"its code is for \[60, 80\]"),
        ({"size": [8, 8], "counts": "o" * 40}, {}, "COCO does not write"),
        ([[1, 2, 3]], {}, "cannot be drawn"),
        ([[1e308, 2, 3, 4, 5, 6]], {}, "cannot be drawn"),
        ([[0, 0, 8, 0, 8, 6]], {"file_name": "../a.png"}, "its name leads elsewhere"),
        ([[0, 0, 8, 0, 8, 6]], {"file_name": "b.png"}, "no photo of this name"),
        ([[0, 0, 8, 0, 8, 6]], {"width": 10**9}, "has 1000000000 x 8 pixels"),
        ([[0, 0, 8, 0, 8, 6]], {"id": [7]}, "not COCO instances"),
        ([[0, 0, 8, 0, 8, 6]], {"maskkit": {"id": "a"}}, "not COCO instances"),
    ],
)
def test_hostile_coco_is_refused(tmp_path: Path, drawn: Any, more: dict[str, Any], message: str) -> None:
    source = coco_folder(tmp_path / "source", [drawn], **more)
    with pytest.raises(ExchangeError, match=message):
        maskkit.import_masks(source, tmp_path / "out", "coco", Options(size=8))
    assert not (tmp_path / "out").exists()


def test_packed_runs_equal_pycocotools() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        height, width = rng.integers(1, 90, 2).tolist()
        region = rng.random((height, width)) < rng.random() ** 3
        packed = coco_mask.encode(np.asfortranarray(region.astype(np.uint8)))["counts"].decode()
        assert (from_run_lengths(unpacked(packed), height, width) == region).all()


def test_cvat_puts_the_background_anywhere_and_leaves_photos_out(drawn_shards: Path, tmp_path: Path) -> None:
    maskkit.export_shards(drawn_shards, tmp_path / "out", "cvat", split="val")
    for name in ("scheme.json", "samples.csv", "landmarks.csv"):
        (tmp_path / "out" / name).unlink()
    (tmp_path / "out" / "JPEGImages").rename(tmp_path / "photos")
    lines = (tmp_path / "out" / "labelmap.txt").read_text().splitlines()
    (tmp_path / "out" / "labelmap.txt").write_text("\n".join([lines[0], *lines[:1:-1], lines[1]]))
    maskkit.import_masks(
        tmp_path / "out", tmp_path / "back", "cvat", Options(size=SIZE, images=str(tmp_path / "photos"))
    )
    assert maskkit.ShardReader(tmp_path / "back").scheme.names[:2] == ("background", "inner_mouth")
    maskkit.import_masks(
        tmp_path / "out", tmp_path / "named", "cvat",
        Options(size=SIZE, images=str(tmp_path / "photos"), scheme="scgan"),
    )  # fmt: skip
    for row, back in zip(rows(drawn_shards, "val"), rows(tmp_path / "named", "val"), strict=True):
        assert (row["mask"] == back["mask"]).all() and back["id"] == f"val/{row['id']}"


def test_voc_colours_without_a_label_map(drawn_shards: Path, tmp_path: Path) -> None:
    assert [voc_color(label) for label in (1, 2, 8, 255)] == [(128, 0, 0), (0, 128, 0), (64, 0, 0), (224, 224, 192)]
    mask = rows(drawn_shards)[0]["mask"]
    for kind in ("JPEGImages", "SegmentationClass"):
        (tmp_path / "voc" / kind).mkdir(parents=True)
    colored = np.array([voc_color(label) for label in range(7)], np.uint8)[mask]
    colored[0, :3] = voc_color(255)
    alpha = np.dstack([colored, np.full(mask.shape, 255, np.uint8)])
    Image.fromarray(alpha).save(tmp_path / "voc" / "SegmentationClass" / "a.png")
    Image.fromarray(alpha).save(tmp_path / "voc" / "JPEGImages" / "a.png")
    options = {"size": SIZE, "scheme": "scgan"}
    with pytest.raises(ExchangeError, match=r"the colour \(224, 224, 192\) at x 0, y 0 is none of scgan's"):
        maskkit.import_masks(tmp_path / "voc", tmp_path / "out", "cvat", Options(**options))
    maskkit.import_masks(tmp_path / "voc", tmp_path / "out", "cvat", Options(**options, ignore=255))
    mask[0, :3] = 0
    (row,) = rows(tmp_path / "out")
    assert (row["mask"] == mask).all() and (row["image"] == colored).all()
    shutil.rmtree(tmp_path / "out")
    alpha[1, 1, 3] = 254
    Image.fromarray(alpha).save(tmp_path / "voc" / "SegmentationClass" / "a.png")
    with pytest.raises(ExchangeError, match="without transparent pixels"):
        maskkit.import_masks(tmp_path / "voc", tmp_path / "out", "cvat", Options(**options, ignore=255))


def test_an_ignored_value_becomes_background(tmp_path: Path) -> None:
    values = np.array([[0, 1], [255, 2]], np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    scheme = maskkit.load_scheme("scgan")
    assert read_label_map(tmp_path / "a.png", scheme, 255).tolist() == [[0, 1], [0, 2]]
    with pytest.raises(maskkit.MaskkitError, match="value 255 is outside"):
        read_label_map(tmp_path / "a.png", scheme)


def test_tables_beside_the_tools_exports_name_the_files(drawn_shards: Path, tmp_path: Path) -> None:
    maskkit.export_shards(drawn_shards, tmp_path / "out", "yolo", split="val")
    (first, *_) = csv.DictReader((tmp_path / "out" / "samples.csv").open())
    assert (tmp_path / "out" / "labels" / first["split"] / f"{first['name']}.txt").is_file()
