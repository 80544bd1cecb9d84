"""Every export read back by a foreign reader, and the same bytes, whole or not at all."""

import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet
import pytest
import torch
import webdataset
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

import maskkit
from cli.maskkit_command import group
from maskkit.errors import ExchangeError, MissingExtraError, OutputError, SchemeError
from maskkit.exchange import EXPORT_FORMATS
from maskkit.exchange.outlines import outline
from maskkit.shards.description import Dataset
from maskkit.shards.ledger import write_ledger
from maskkit.shards.writer import Row, write_shard
from tests.conftest import ROOT

SIZE = 64
SPLITS = {"train": 40, "val": 8}


@pytest.fixture(scope="module")
def exports(drawn_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn data set in every format, each in a folder of the format's name."""
    folder = tmp_path_factory.mktemp("exports")
    for name in EXPORT_FORMATS:
        result = maskkit.export_shards(drawn_shards, folder / name, name)
        assert (result.splits, result.scheme) == (SPLITS, "scgan")
    return folder


def rows(shards: Path, split: str) -> list[dict[str, Any]]:
    reader = maskkit.ShardReader(shards, split)
    return [reader[i] for i in range(len(reader))]


@pytest.mark.parametrize("kind", ["palette", "grey"])
def test_pngs_read_by_pillow_and_opencv(drawn_shards: Path, exports: Path, kind: str) -> None:
    colors = maskkit.load_scheme("scgan").palette
    for split in SPLITS:
        for row in rows(drawn_shards, split):
            photo, mask = (exports / kind / split / part / row["id"] for part in ("images", "masks"))
            assert (np.asarray(Image.open(photo)) == row["image"]).all()
            assert (np.asarray(Image.open(mask)) == row["mask"]).all()
            seen = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
            expected = row["mask"] if kind == "grey" else colors[row["mask"]][..., ::-1]
            assert (seen == expected).all()
    classes = list(csv.reader((exports / kind / "classes.csv").open()))
    assert classes[3] == ["2", "right_eye", "0", "0", "192", "left_eye"]
    assert maskkit.load_scheme(exports / kind / "scheme.json") == maskkit.load_scheme("scgan")


def test_tables_beside_the_pictures(drawn_shards: Path, exports: Path) -> None:
    lines = list(csv.DictReader((exports / "grey" / "samples.csv").open()))
    points = list(csv.reader((exports / "grey" / "landmarks.csv").open()))
    everything = rows(drawn_shards, "train") + rows(drawn_shards, "val")
    for line, numbers, row in zip(lines, points[1:], everything, strict=True):
        assert (line["id"], line["name"], line["detector"]) == (row["id"], row["id"][:-4], row["detector"])
        names = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
        assert [int(line[name]) for name in names] == row["attributes"].tolist()
        assert (np.array(numbers[1:], dtype=np.float32).reshape(68, 2) == row["landmarks"]).all()


def test_parts_painted_by_hand_give_the_labels(drawn_shards: Path, exports: Path) -> None:
    root, names = exports / "celebamask-hq", maskkit.load_scheme("scgan").names
    everything = rows(drawn_shards, "train") + rows(drawn_shards, "val")
    table = (root / "CelebAMask-HQ-attribute-anno.txt").read_text().splitlines()
    assert (table[0], table[1].split()[3]) == ("48", "Male")
    for face, row in enumerate(everything):
        painted = np.zeros((SIZE, SIZE), np.uint8)
        for path in (root / "CelebAMask-HQ-mask-anno" / "0").glob(f"{face:05d}_*.png"):
            part = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            assert part.shape == (SIZE, SIZE, 3) and set(np.unique(part)) == {0, 255}
            # Parsers of the data set read its parts like this.
            painted[np.array(Image.open(path).convert("P")) == 225] = names.index(path.stem.split("_", 1)[1])
        assert (painted == row["mask"]).all()
        photo = np.asarray(Image.open(root / "CelebA-HQ-img" / f"{face}.jpg")).astype(int)
        assert np.abs(photo - row["image"]).mean() < 4
        assert table[2 + face].split()[1:] == ["1" if one else "-1" for one in row["attributes"]]


@pytest.mark.parametrize("kind", ["coco", "coco-polygons"])
def test_coco_read_by_pycocotools(drawn_shards: Path, exports: Path, kind: str) -> None:
    for split in SPLITS:
        coco = COCO(str(exports / kind / "annotations" / f"instances_{split}.json"))
        assert coco.dataset["info"]["description"] and coco.dataset["licenses"]
        for number, row in enumerate(rows(drawn_shards, split), 1):
            about = coco.loadImgs([number])[0]
            photo = exports / kind / "images" / split / about["file_name"]
            assert (np.asarray(Image.open(photo)) == row["image"]).all()
            assert about["maskkit"]["id"] == row["id"]
            assert np.float32(about["maskkit"]["landmarks"]).tolist() == row["landmarks"].tolist()
            painted = np.zeros((SIZE, SIZE), np.uint8)
            for entry in coco.loadAnns(coco.getAnnIds(imgIds=[number])):
                region = coco.annToMask(entry).astype(bool)
                code = coco_mask.encode(np.asfortranarray(region.astype(np.uint8)))
                assert entry["area"] == region.sum() and entry["bbox"] == coco_mask.toBbox(code).tolist()
                assert not painted[region].any()
                painted[region] = entry["category_id"]
            assert (painted == row["mask"]).all()
        assert [one["name"] for one in coco.loadCats(coco.getCatIds())][1] == "right_eye"


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20), st.floats(0.05, 0.98))
@settings(max_examples=120, deadline=None)
def test_any_regions_outline_encloses_it(seed: int, height: int, width: int, share: float) -> None:
    region = np.random.default_rng(seed).random((height, width)) < share
    pieces = outline(region)
    polygons = [np.ravel(piece.corners).tolist() for piece in pieces]
    assert len(polygons) == cv2.connectedComponents(region.astype(np.uint8), connectivity=4)[0] - 1
    if polygons:
        drawn = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, height, width)))
        assert (drawn == region).all()
    filled = np.zeros((height, width), np.uint8)
    for piece in pieces:  # as ultralytics and supervision fill: inside and line
        cv2.fillPoly(filled, [np.array(piece.pixels, np.int32)], 1)
    assert (filled == region).all()


def test_tars_read_by_webdataset(drawn_shards: Path, exports: Path) -> None:
    for split, count in SPLITS.items():
        files = sorted(map(str, (exports / "webdataset").glob(f"{split}-*.tar")))
        assert len(files) == 1 and count < 512
        found = list(webdataset.WebDataset(files, shardshuffle=False))
        for one, row in zip(found, rows(drawn_shards, split), strict=True):
            assert (np.asarray(Image.open(io.BytesIO(one["image.png"]))) == row["image"]).all()
            assert (np.asarray(Image.open(io.BytesIO(one["mask.png"]))) == row["mask"]).all()
            about = json.loads(one["json"])
            assert (about["id"], about["attributes"]["Male"]) == (row["id"], row["attributes"][3])
            assert np.float32(about["landmarks"]).tolist() == row["landmarks"].tolist()


def test_parquet_read_by_pyarrow(drawn_shards: Path, exports: Path) -> None:
    for split, name in {"train": "train", "val": "validation"}.items():
        files = sorted((exports / "parquet" / "data").glob(f"{name}-*.parquet"))
        assert files[-1].name == f"{name}-{len(files) - 1:05d}-of-{len(files):05d}.parquet"
        found = [one for file in files for one in pyarrow.parquet.read_table(file).to_pylist()]
        for one, row in zip(found, rows(drawn_shards, split), strict=True):
            assert (np.asarray(Image.open(io.BytesIO(one["image"]["bytes"]))) == row["image"]).all()
            assert (np.asarray(Image.open(io.BytesIO(one["mask"]["bytes"]))) == row["mask"]).all()
            assert (one["id"], list(one["attributes"].values())) == (row["id"], row["attributes"].tolist())
            assert np.float32(one["landmarks"]).tolist() == row["landmarks"].tolist()
        about = json.loads(pyarrow.parquet.read_schema(files[0]).metadata[b"huggingface"])
        assert about["info"]["features"]["mask"] == {"_type": "Image"}
        assert set(about["info"]["features"]) == set(found[0])


def test_arrays_read_by_numpy(drawn_shards: Path, exports: Path) -> None:
    for split in SPLITS:
        arrays = {path.stem: np.load(path, mmap_mode="r") for path in (exports / "numpy" / split).glob("*.npy")}
        for i, row in enumerate(rows(drawn_shards, split)):
            for array, key in {"images": "image", "masks": "mask", "attributes": "attributes"}.items():
                assert (arrays[array][i] == row[key]).all()
            assert (arrays["landmarks"][i] == row["landmarks"]).all() and arrays["ids"][i] == row["id"]


def write_labels(folder: Path, ids: list[str], scheme: str) -> Path:
    """A data set of random label maps without points and attributes."""
    folder.mkdir()
    regions, rng = maskkit.load_scheme(scheme), np.random.default_rng(0)
    dataset = Dataset(regions, 16, (), {"kind": "drawn", "inputs": len(ids), "inputs_sha256": ""}, {}, {})
    made = [
        Row(name, rng.integers(0, 255, (16, 16, 3), np.uint8), rng.integers(0, len(regions), (16, 16), np.uint8),
            np.zeros(0, np.uint8)) for name in ids
    ]  # fmt: skip
    dataset.shards = [write_shard(folder, "test-00000.h5", made, dataset, ())]
    dataset.complete = True
    write_ledger(folder, dataset)
    dataset.write(folder)
    return folder


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_noise_without_points_and_attributes_is_exported_too(tmp_path: Path, kind: str) -> None:
    shards = write_labels(tmp_path / "shards", ["a/x.jpg", "b/x.jpg"], "celebamask-hq")
    result = maskkit.export_shards(shards, tmp_path / "out", kind, scheme="face-parsing")
    assert (result.splits, result.scheme) == ({"test": 2}, "face-parsing")
    table = maskkit.label_table("celebamask-hq", "face-parsing")
    second = table[rows(shards, "test")[1]["mask"]]
    if kind == "coco-polygons":
        coco = COCO(str(tmp_path / "out" / "annotations" / "instances_test.json"))
        found = coco.loadAnns(coco.getAnnIds(imgIds=[2]))
        assert (sum(coco.annToMask(one) * np.uint8(one["category_id"]) for one in found) == second).all()
    if kind == "grey":
        assert (np.asarray(Image.open(tmp_path / "out" / "test" / "masks" / "b" / "x.png")) == second).all()


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_the_same_rows_give_the_same_bytes(drawn_shards: Path, exports: Path, tmp_path: Path, kind: str) -> None:
    maskkit.export_shards(drawn_shards, tmp_path / "again", kind)
    files = sorted(path.relative_to(exports / kind) for path in (exports / kind).rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file())
    assert all((exports / kind / file).read_bytes() == (tmp_path / "again" / file).read_bytes() for file in files)


def test_an_export_is_whole_or_not_there(drawn_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(done: int, total: int) -> None:
        assert total == 48
        if done == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        maskkit.export_shards(drawn_shards, tmp_path / "out", "grey", on_progress=stop)
    assert list(tmp_path.iterdir()) == []
    maskkit.export_shards(drawn_shards, tmp_path / "out", "grey", split="val")
    with pytest.raises(OutputError, match="--overwrite"):
        maskkit.export_shards(drawn_shards, tmp_path / "out", "numpy")
    with pytest.raises(KeyboardInterrupt):
        maskkit.export_shards(drawn_shards, tmp_path / "out", "grey", overwrite=True, on_progress=stop)
    assert len(list((tmp_path / "out").rglob("*.png"))) == 16  # the earlier one is still whole
    maskkit.export_shards(drawn_shards, tmp_path / "out", "numpy", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"] and not list((tmp_path / "out").rglob("*.png"))
    (tmp_path / "out" / ".maskkit-export.sha256").unlink()
    with pytest.raises(OutputError, match="is not an export made by maskkit"):
        maskkit.export_shards(drawn_shards, tmp_path / "out", "grey", overwrite=True)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"\[exchange\]"):
        maskkit.export_shards(drawn_shards, tmp_path / "new", "parquet")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["../out.png", "/etc/x.png", "a/../../x.png", "a\\b.png", "a\nb"])
def test_ids_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    shards = write_labels(tmp_path / "shards", [name], "deepfashion")
    with pytest.raises(OutputError, match="cannot be a file's name"):
        maskkit.export_shards(shards, tmp_path / "out", "grey")
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]


def test_two_rows_of_one_stem_get_their_whole_ids(tmp_path: Path) -> None:
    shards = write_labels(tmp_path / "shards", ["a.jpg", "a.png"], "deepfashion")
    maskkit.export_shards(shards, tmp_path / "out", "grey")
    assert {path.name for path in (tmp_path / "out" / "test" / "masks").iterdir()} == {"a.jpg.png", "a.png.png"}


def test_wrong_requests_are_sentences(drawn_shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for error, message, options in (
        (ExchangeError, "no export format 'zip'", {"format": "zip"}),
        (ExchangeError, "no split 'all'", {"format": "grey", "split": "all"}),
        (ExchangeError, "no rows to export", {"format": "grey", "split": "test"}),
        (SchemeError, "no table from the labels of scgan", {"format": "grey", "scheme": "secgan"}),
    ):
        with pytest.raises(error, match=message):
            maskkit.export_shards(drawn_shards, out, **options)
    assert not out.exists()


def test_the_command(drawn_shards: Path, tmp_path: Path) -> None:
    arguments = ["export", str(drawn_shards), str(tmp_path / "out"), "--format", "grey", "--split", "val"]
    done = CliRunner().invoke(group, [*arguments, "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["splits"] == {"val": 8}
    assert "export SHARDS" not in done.stdout and len(list((tmp_path / "out" / "val" / "masks").iterdir())) == 8


def test_the_guides_code_runs(drawn_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "exchange.md").read_text(), re.DOTALL)
    (tmp_path / "shards").symlink_to(drawn_shards)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec("".join(blocks), names)
    first = rows(drawn_shards, "train")[0]
    exact = torch.from_numpy(maskkit.one_hot(first["mask"], 7))[None]
    assert (names["semantics"] == exact).all() and (names["one_hot"] == exact).all()
    assert names["image"].shape == (1, 3, SIZE, SIZE)
    assert ((names["image"] + 1) * 127.5 - torch.from_numpy(first["image"]).permute(2, 0, 1)).abs().max() < 1e-3
    lines = [json.loads(line) for line in (tmp_path / "controlnet" / "prompt.json").read_text().splitlines()]
    assert len(lines) == 40 and lines[0]["prompt"].startswith("a portrait of a")
    condition = np.asarray(Image.open(tmp_path / "controlnet" / lines[0]["source"]))
    assert (condition == maskkit.colorize(first["mask"])).all()
    assert (names["skin"] == (first["mask"] == 1)).all() and len(names["keys"]) == 40 and names["rows"] == 48
