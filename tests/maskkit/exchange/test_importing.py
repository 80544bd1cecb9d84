"""Imports against slow independent conversions, round trips, and sources from strangers."""

import csv
import json
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

import maskkit
from cli.maskkit_command import group
from maskkit.errors import ExchangeError, ImageError, MaskkitError, OutputError
from maskkit.exchange.formats.label_png import read_label_map
from maskkit.exchange.grid import nearest
from maskkit.exchange.incoming import read_tables
from maskkit.shards.guard import read_matlab
from maskkit.shards.ledger import read_ledger

Options = maskkit.ImportOptions
# The order in which CelebAMask-HQ's own script paints parts, and so its class numbers from 1.
PARTS = [
    "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip",
    "hair", "hat", "ear_r", "neck_l", "neck", "cloth",
]  # fmt: skip


def same(left: dict[str, Any], right: dict[str, Any], but: tuple[str, ...] = ()) -> bool:
    keys = set(left) - set(but)
    return keys == set(right) - set(but) and all(np.array_equal(left[key], right[key]) for key in keys)


def rows(folder: Path, split: str) -> list[dict[str, Any]]:
    reader = maskkit.ShardReader(folder, split)
    return [reader[i] for i in range(len(reader))]


@pytest.fixture(scope="module")
def exported(drawn_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn data set as palette PNGs and in parts. Not to be written to."""
    folder = tmp_path_factory.mktemp("exported")
    for kind in ("palette", "celebamask-hq"):
        maskkit.export_shards(drawn_shards, folder / kind, kind)
    return folder


def reasons(folder: Path) -> dict[str, str]:
    return {line["id"]: line["reason"] for line in read_ledger(folder) if line["outcome"] == "skipped"}


def test_a_round_trip_loses_nothing(drawn_shards: Path, exported: Path, tmp_path: Path) -> None:
    result = maskkit.import_masks(exported / "palette", tmp_path / "back", "label-png", Options(size=64))
    assert (result.kept, result.skipped, result.splits) == (48, 0, {"train": 40, "val": 8, "test": 0})
    parts = Options(size=64, scheme="scgan")
    maskkit.import_masks(exported / "celebamask-hq", tmp_path / "parts", "celebamask-hq", parts)
    for split in ("train", "val"):
        for row, back, part in zip(
            rows(drawn_shards, split), rows(tmp_path / "back", split), rows(tmp_path / "parts", split), strict=True
        ):
            assert same(row, back)
            assert same(row, part, but=("image",))  # the layout's photos are JPEG
    assert maskkit.verify(tmp_path / "back").rows == maskkit.verify(tmp_path / "parts").rows == 48


def test_the_same_source_gives_the_same_bytes_wherever_it_lies(exported: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(exported / "palette", tmp_path / "elsewhere" / "palette"))
    (moved / "val" / "masks" / "000041.png").write_bytes(b"broken")
    other = Path(shutil.copytree(moved, tmp_path / "third"))
    for source, out in ((moved, "a"), (other, "b")):
        maskkit.import_masks(source, tmp_path / out, "label-png", Options(shard_size=16))
    assert reasons(tmp_path / "a") == {"000041.png": "val/masks/000041.png: not a PNG"}
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_points_move_with_the_photo_and_draw_the_mask_anew(drawn_shards: Path, exported: Path, tmp_path: Path) -> None:
    maskkit.import_masks(exported / "palette", tmp_path / "small", "label-png", Options(size=48, split="test"))
    assert maskkit.verify(tmp_path / "small").rows == 48
    row, small = rows(drawn_shards, "train")[5], rows(tmp_path / "small", "test")[5]
    assert np.abs(small["landmarks"] - maskkit.scale_points(row["landmarks"], 64, 48)).max() < 1e-4
    edited = Path(shutil.copytree(exported / "palette", tmp_path / "edited"))
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(edited / "val" / "masks" / "000040.png")
    maskkit.import_masks(edited, tmp_path / "skips", "label-png", Options(size=64))
    assert "do not draw its mask; to take the masks alone, remove" in reasons(tmp_path / "skips")["000040.png"]
    (edited / "landmarks.csv").unlink()
    with pytest.raises(ExchangeError, match=r"landmarks\.csv"):
        maskkit.import_masks(edited, tmp_path / "no", "label-png", Options(size=64))
    lines = [line[:8] for line in csv.reader((edited / "samples.csv").open())]  # without what found the points
    (edited / "samples.csv").write_text("\n".join(map(",".join, lines)))
    with pytest.raises(ExchangeError, match=r"landmarks\.csv: No such file.*remove export\.json"):
        maskkit.import_masks(edited, tmp_path / "no", "label-png", Options(size=64))
    (edited / "export.json").unlink()
    maskkit.import_masks(edited, tmp_path / "taken", "label-png", Options(size=64, attributes=("Young", "Male")))
    first = rows(tmp_path / "taken", "val")[0]
    assert not first["mask"].any() and "landmarks" not in first
    assert first["attributes"].tolist() == rows(drawn_shards, "val")[0]["attributes"][[4, 3]].tolist()


def slow_labels(mask: np.ndarray, size: int) -> list[list[int]]:
    """The label at each pixel's centre, one pixel at a time, in fractions of whole numbers."""
    side = len(mask)
    at = [next(i for i in range(side) if (2 * u + 1) * side < 2 * size * (i + 1)) for u in range(size)]
    return [[int(mask[y][x]) for x in at] for y in at]


def test_real_pairs_equal_a_slow_conversion(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "celebamaskhq"
    options = Options(images="images", masks="masks19")
    result = maskkit.import_masks(source, tmp_path / "pairs", "celebamask-hq", options)
    assert (result.kept, result.skipped) == (180, 0)
    maskkit.verify(tmp_path / "pairs")
    chosen = Options(images="images", masks="masks19", size=64, translate="scgan", limit=12)
    maskkit.import_masks(source, tmp_path / "scgan", "celebamask-hq", chosen)
    translated = rows(tmp_path / "scgan", "train")
    table = maskkit.label_table("celebamask-hq", "scgan")
    for number, row in enumerate(rows(tmp_path / "pairs", "train")):
        stored = Image.open(source / "masks19" / row["id"].replace(".jpg", ".png"))
        assert (row["mask"] == np.asarray(stored.resize((128, 128), Image.Resampling.NEAREST))).all()
        photo = np.asarray(Image.open(source / "images" / row["id"]), dtype=float)
        blocks = photo.reshape(128, 4, 128, 4, 3).mean(axis=(1, 3))
        assert np.abs(row["image"] - blocks).max() <= 0.5
        if number < 12:
            slow = slow_labels(np.asarray(stored), 64)
            assert translated[number]["mask"].tolist() == [[table[label] for label in line] for line in slow]


def test_real_parts_equal_a_slow_conversion(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "celebamaskhq" / "derived_per_part"
    maskkit.import_masks(source, tmp_path / "parts", "celebamask-hq", Options(size=256))
    found = rows(tmp_path / "parts", "train")
    assert [row["id"] for row in found] == [f"{face}.jpg" for face in (0, 2, 6, 7, 8, 9)]
    for row in found:
        painted = np.zeros((512, 512), np.uint8)
        for number, part in enumerate(PARTS, 1):
            path = source / "CelebAMask-HQ-mask-anno" / "0" / f"{int(row['id'][:-4]):05d}_{part}.png"
            if path.exists():
                painted[np.asarray(Image.open(path).convert("L")) > 0] = number
        assert (row["mask"] == painted[1::2, 1::2]).all()  # of four pixels, the one below and to the right


def test_real_photos_of_another_size_than_their_masks(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "maskgan_samples"
    maskkit.import_masks(source, tmp_path / "out", "celebamask-hq", Options(size=512, images=".", masks="."))
    for row in rows(tmp_path / "out", "train"):
        assert (row["mask"] == np.asarray(Image.open(source / row["id"].replace(".jpg", ".png")))).all()
        photo = np.asarray(Image.open(source / row["id"]), dtype=float)
        assert np.abs(row["image"] - photo.reshape(512, 2, 512, 2, 3).mean(axis=(1, 3))).max() <= 0.5


@given(st.integers(1, 40), st.integers(0, 20), st.integers(1, 40), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_labels_take_the_nearest_pixel_of_the_square_in_the_middle(side: int, more: int, size: int, seed: int) -> None:
    mask = np.random.default_rng(seed).integers(0, 19, (side, side + more), dtype=np.uint8)
    square = mask[:, more // 2 : more // 2 + side]
    assert nearest(mask, size).tolist() == slow_labels(square, size)


def celebamask_folder(folder: Path, faces: int = 4) -> Path:
    """A small data set in CelebAMask-HQ's own layout, photos twice the size of the masks."""
    rng = np.random.default_rng(1)
    (folder / "CelebA-HQ-img").mkdir(parents=True)
    (folder / "CelebAMask-HQ-mask-anno" / "0").mkdir(parents=True)
    for face in range(faces):
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)).save(folder / "CelebA-HQ-img" / f"{face}.jpg")
        for part in ("skin", "hair", "l_eye"):
            region = rng.random((16, 16)) < 0.4
            path = folder / "CelebAMask-HQ-mask-anno" / "0" / f"{face:05d}_{part}.png"
            Image.fromarray(region.astype(np.uint8) * 200).save(path)  # anything but black counts
    lines = [f"{face}.jpg  1 {1 if face % 2 else -1}" for face in range(faces)]
    table = "\n".join([str(faces), "Bald Smiling", *lines])
    (folder / "CelebAMask-HQ-attribute-anno.txt").write_text(table + "\n")
    return folder


def test_attributes_and_the_official_split_of_celebamask_hq(tmp_path: Path) -> None:
    source = celebamask_folder(tmp_path / "source")
    mapping = [f"{face} {face + 100} {face + 101:06d}.jpg" for face in range(4)]
    (source / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(["idx orig_idx orig_file", *mapping]))
    maskkit.import_masks(source, tmp_path / "all", "celebamask-hq", Options(size=16))
    assert [set(np.unique(row["mask"])) for row in rows(tmp_path / "all", "train")] == [{0, 1, 4, 13}] * 4
    (source / "list_eval_partition.txt").write_text("000101.jpg 0\n000102.jpg 2\n000103.jpg 1\n000104.jpg 0\n")
    result = maskkit.import_masks(source, tmp_path / "split", "celebamask-hq", Options(size=16))
    assert result.splits == {"train": 2, "val": 1, "test": 1}
    (test,) = rows(tmp_path / "split", "test")
    assert (test["id"], test["attributes"].tolist()) == ("1.jpg", [1, 1])
    (tmp_path / "table.csv").write_text("id,split\n3.jpg,val\n0.jpg,train\n")
    chosen = Options(size=16, split=str(tmp_path / "table.csv"), attributes=("Smiling",))
    result = maskkit.import_masks(source, tmp_path / "own", "celebamask-hq", chosen)
    assert (result.splits["val"], result.reasons, result.too_many_skipped) == (
        1, {"no row in the table of splits": 2}, True
    )  # fmt: skip
    assert rows(tmp_path / "own", "val")[0]["attributes"].tolist() == [1]


@pytest.mark.parametrize(
    ("damage", "face", "message"),
    [
        (lambda parts: (parts / "00001_skin.png").write_bytes(b"x"), "1.jpg", "not a PNG"),
        (lambda parts: (parts / "00002_tail.png").write_bytes(b"x"), "2.jpg", "tail is no class of celebamask-hq"),
        (lambda parts: [path.unlink() for path in parts.glob("00003_*")], "3.jpg", "no part of this face"),
        (lambda parts: (parts.parents[1] / "CelebA-HQ-img" / "0.jpg").unlink(), "0", "no photo of this face"),
        (lambda parts: Image.new("L", (8, 8)).save(parts / "00001_hair.png"), "1.jpg", "another part has other sides"),
        (lambda parts: Image.new("RGB", (64, 32)).save(parts.parents[1] / "CelebA-HQ-img" / "2.jpg"), "2.jpg",
         "64 x 32 pixels and the mask 16 x 16, another shape"),
    ],
)  # fmt: skip
def test_odd_faces_are_left_out_with_a_reason(
    tmp_path: Path, damage: Callable[[Path], object], face: str, message: str
) -> None:
    source = celebamask_folder(tmp_path / "source")
    damage(source / "CelebAMask-HQ-mask-anno" / "0")
    result = maskkit.import_masks(source, tmp_path / "out", "celebamask-hq", Options(size=16))
    assert (result.kept, result.skipped) == (3, 1) and message in reasons(tmp_path / "out")[face]


def one_mask(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


def test_every_kind_of_label_png(tmp_path: Path) -> None:
    scheme = maskkit.load_scheme("deepfashion")
    labels = np.random.default_rng(0).integers(0, 7, (9, 11), dtype=np.uint8)
    kinds = {
        "grey": Image.fromarray(labels),
        "sixteen": Image.fromarray(labels.astype(np.uint16)),
        "colors": Image.fromarray(maskkit.colorize(labels, scheme)),
    }
    for name, image in kinds.items():
        assert (read_label_map(one_mask(tmp_path / f"{name}.png", image), scheme) == labels).all()
    two = one_mask(tmp_path / "bits.png", Image.fromarray(labels > 3))
    assert (read_label_map(two, scheme) == (labels > 3)).all()
    maskkit.write_palette_png(tmp_path / "palette.png", labels, scheme)
    assert (read_label_map(tmp_path / "palette.png", scheme) == labels).all()
    wrong = maskkit.colorize(labels, scheme)
    wrong[4, 5] = (1, 2, 3)
    for image, message in (
        (Image.fromarray(labels + 1), "value 7 is outside of the classes 0 to 6"),
        (Image.fromarray(labels.astype(np.uint16) + 70), "value 76 is outside"),
        (Image.fromarray(wrong), r"colour \(1, 2, 3\) at x 5, y 4 is none of deepfashion's"),
        (Image.new("RGBA", (4, 4)), "without transparent pixels is needed"),
    ):
        with pytest.raises(ImageError, match=message):
            read_label_map(one_mask(tmp_path / "wrong.png", image), scheme)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_pictures_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    for side in (30_000, 12_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        (tmp_path / "huge.png").write_bytes(data)
        with pytest.raises(ImageError, match=r"huge\.png: .*more than the 64,000,000|more pixels than the 64,000,000"):
            read_label_map(tmp_path / "huge.png", maskkit.load_scheme("scgan"))


def pairs_folder(folder: Path, names: tuple[str, ...]) -> Path:
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for name in names:
        (folder / "images" / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (20, 20), "red").save(folder / "images" / f"{name}.bmp")
        (folder / "masks" / name).parent.mkdir(exist_ok=True)
        Image.new("L", (20, 20), 3).save(folder / "masks" / f"{name}.png")
    return folder


def test_pairs_are_matched_and_links_do_not_lead_out(tmp_path: Path) -> None:
    source = pairs_folder(tmp_path / "source", ("a/one", "b/one", "two", "both", "linked", "loop", "lonely"))
    Image.new("RGB", (20, 20)).save(source / "images" / "both.jpg")
    (source / "images" / "lonely.bmp").unlink()
    (source / "masks" / "two.png").unlink()
    Image.new("L", (20, 20)).save(tmp_path / "secret.png")
    for name, target in (("linked", tmp_path / "secret.png"), ("loop", source / "masks" / "loop.png")):
        (source / "masks" / f"{name}.png").unlink()
        (source / "masks" / f"{name}.png").symlink_to(target)
    options = Options(size=10, scheme="deepfashion")
    maskkit.import_masks(source, tmp_path / "out", "label-png", options)
    assert [row["id"] for row in rows(tmp_path / "out", "train")] == ["a/one.bmp", "b/one.bmp"]
    assert reasons(tmp_path / "out") == {
        "both.bmp": "several photos of this name",
        "lonely.png": "no photo of this name",
        "two.bmp": "no mask of this name",
        "linked.bmp": "linked.png leads out of the folder source",
        "loop.bmp": "loop.png leads out of the folder source",
    }
    (tmp_path / "trap").mkdir()
    for part in ("images", "masks"):
        (tmp_path / "trap" / part).symlink_to(source / part)
    with pytest.raises(ExchangeError, match="leads out of the folder trap"):
        maskkit.import_masks(tmp_path / "trap", tmp_path / "no", "label-png", options)
    named = Options(size=10, scheme="deepfashion", images=str(source / "images"), masks=str(source / "masks"))
    assert maskkit.import_masks(tmp_path / "trap", tmp_path / "yes", "label-png", named).kept == 2


def fashion_folder(folder: Path, count: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fashion Synthesis in its exact layout; give its pictures (N, H, W, 3), label maps (N, H, W) and colours."""
    folder.mkdir()
    rng = np.random.default_rng(2)
    pictures = rng.integers(20, 200, (count, 24, 24, 3), np.uint8)
    labels = rng.integers(0, 7, (count, 24, 24), np.uint8)
    colors = rng.integers(1, 18, (count, 1))
    upright = (pictures / 255).transpose(0, 3, 1, 2).astype(np.float32)
    mean = upright.mean(axis=0)
    with h5py.File(folder / "G2.h5", "w") as file:
        file["ih"] = (upright - mean).swapaxes(2, 3)
        file["ih_mean"] = mean.swapaxes(1, 2)
        file.create_dataset("b_", data=labels[:, None].swapaxes(2, 3).astype(np.float32), compression="gzip")
    words = np.array([[f"a person {i}"] for i in range(count)], dtype=object)
    savemat(folder / "language_original.mat", {"engJ": words, "color_": colors, "gender_": colors % 2})
    order = rng.permutation(count)[:, None] + 1
    savemat(folder / "ind.mat", {"train_ind": order[:4], "test_ind": order[4:]}, do_compression=True)
    return pictures, labels, colors


def test_fashion_synthesis(tmp_path: Path) -> None:
    pictures, labels, colors = fashion_folder(tmp_path / "fashion")
    result = maskkit.import_masks(tmp_path / "fashion", tmp_path / "out", "deepfashion", Options(size=24))
    assert result.splits == {"train": 4, "val": 0, "test": 2}
    maskkit.verify(tmp_path / "out")
    assert maskkit.ShardReader(tmp_path / "out").attribute_names[8] == "color_09"
    for row in rows(tmp_path / "out", "train") + rows(tmp_path / "out", "test"):
        number = int(row["id"])
        assert (row["image"] == pictures[number]).all() and (row["mask"] == labels[number]).all()
        assert np.flatnonzero(row["attributes"]).tolist() == [colors[number, 0] - 1]
    each = Options(size=24, brightness="per-image")
    maskkit.import_masks(tmp_path / "fashion", tmp_path / "each", "deepfashion", each)
    for row in rows(tmp_path / "each", "train"):
        picture = pictures[int(row["id"])].astype(float)
        stretched = (picture - picture.min()) / (picture.max() - picture.min()) * 255
        assert np.abs(row["image"] - stretched).max() <= 0.51


def _replace(name: str, make: Callable[[h5py.File], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        with h5py.File(folder / "G2.h5", "r+") as file:
            del file[name]
            make(file)

    return damage


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((6, 1, 24, 24), "f4")
    layout[:] = h5py.VirtualSource("/nowhere/outside", "x", (6, 1, 24, 24))
    file.create_virtual_dataset("b_", layout)


def _mat(name: str, **variables: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: savemat(folder / name, variables)


def _bomb(folder: Path) -> None:
    packed = zlib.compress(struct.pack("<II", 14, 1 << 31) + bytes(5000))
    content = (folder / "ind.mat").read_bytes()[:128] + struct.pack("<II", 15, len(packed)) + packed
    (folder / "ind.mat").write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_replace("ih", lambda file: file.create_dataset("ih", (10**12, 3, 24, 24), "f4", chunks=(1, 3, 24, 24))),
         r"ih claims the shape \(1000000000000, 3, 24, 24\)"),
        (_replace("ih", lambda file: file.create_dataset("ih", (6, 3, 10**5, 10**5), "f4", chunks=(1, 1, 9, 9))),
         "ih claims the shape"),
        (_replace("b_", lambda file: file.create_dataset("b_", (6, 1, 24, 24), "S9")), "not numbers"),
        (_replace("b_", lambda file: file.__setitem__("b_", h5py.ExternalLink("/nowhere/f", "/b_"))), "its own data"),
        (_replace("b_", lambda file: file.create_dataset("b_", (6, 1, 24, 24), "f4", external="/nowhere/outside")),
         "its own data"),
        (_replace("b_", _virtual), "its own data"),
        (_replace("b_", lambda file: file.create_group("b_")), "its own data"),
        (_replace("b_", lambda file: file.__setitem__("b_", np.zeros((5, 1, 24, 24)))), "not of one set"),
        (_replace("ih_mean", lambda file: file.__setitem__("ih_mean", np.full((3, 24, 24), 128.0))), "from 128 to 128"),
        (_mat("language_original.mat", color_=np.full((6, 1), 18)), "not 6 values from 1 to 17"),
        (_mat("language_original.mat", colour=np.ones((6, 1))), "no numbers under the name color_"),
        (_mat("ind.mat", train_ind=np.array([[1], [1]]), test_ind=np.array([[2]])), "train_ind holds 1, which"),
        (_mat("ind.mat", train_ind=np.array([[0.5]]), test_ind=np.array([[2]])), "train_ind holds 0.5, which"),
        (_mat("ind.mat", train_ind=np.array([[np.nan]]), test_ind=np.array([[2]])), "train_ind holds nan"),
        (_bomb, "larger than the 67,108,864 bytes"),
        (lambda folder: (folder / "ind.mat").write_bytes(b"\x89HDF" + bytes(600)), "not a MATLAB 5 file"),
        (lambda folder: (folder / "G2.h5").write_bytes(b"no"), r"G2\.h5: not an HDF5 file"),
        (lambda folder: (folder / "ind.mat").unlink(), "No such file"),
    ],
)  # fmt: skip
def test_hostile_fashion_is_refused(tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    fashion_folder(tmp_path / "fashion")
    damage(tmp_path / "fashion")
    with pytest.raises(ExchangeError, match=message):
        maskkit.import_masks(tmp_path / "fashion", tmp_path / "out", "deepfashion", Options(size=24))
    assert not (tmp_path / "out").exists()


def test_odd_rows_of_fashion_are_left_out(tmp_path: Path) -> None:
    fashion_folder(tmp_path / "fashion")
    with h5py.File(tmp_path / "fashion" / "G2.h5", "r+") as file:
        file["b_"][2, 0, 3, 3], file["ih"][4, 0, 0, 0] = 7, np.nan
    result = maskkit.import_masks(tmp_path / "fashion", tmp_path / "out", "deepfashion", Options(size=24))
    assert result.kept == 4
    assert reasons(tmp_path / "out") == {
        "000002": "row 000002: the label 7 is outside of the classes 0 to 6",
        "000004": "row 000004: the picture holds NaN or infinity",
    }


def test_a_matlab_file_that_crashes_its_reader_ends_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "colors.mat"
    savemat(path, {"color_": np.arange(1, 13, dtype=np.uint8)[:, None]})
    assert read_matlab(path, "color_").ravel().tolist() == list(range(1, 13))
    damaged = bytearray(path.read_bytes())
    damaged[184] ^= 2  # SciPy 1.17 reads its type as one that it does not know, and ends the process
    path.write_bytes(damaged)
    with pytest.raises(ExchangeError, match=r"colors\.mat: (damaged: SciPy's reader ended with signal|not a MATLAB 5)"):
        read_matlab(path, "color_")
    with pytest.raises(ExchangeError, match=r"there are no numbers under the name other"):
        savemat(path, {"color_": 1})
        read_matlab(path, "other")


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_only_our_own_errors_come_out_of_damaged_files(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    if not folder.exists():
        fashion_folder(folder)
        maskkit.write_palette_png(folder / "mask.png", np.arange(7, dtype=np.uint8).reshape(1, 7))
        (folder / "samples.csv").write_text("split,name,id,A,detector,score,left,top,right,bottom\n"
                                            "train,a,a.png,1,hog,0.5,1,2,3,4\n")  # fmt: skip
        (folder / "landmarks.csv").write_text("id" + ",x" * 136 + "\na.png" + ",1.5" * 136 + "\n")
    readers: dict[str, Callable[[], object]] = {
        "mask.png": lambda: read_label_map(folder / "mask.png", maskkit.load_scheme("scgan")),
        "ind.mat": lambda: read_matlab(folder / "ind.mat", "train_ind"),
        "language_original.mat": lambda: read_matlab(folder / "language_original.mat", "color_"),
        "samples.csv": lambda: read_tables(folder),
        "landmarks.csv": lambda: read_tables(folder),
        "G2.h5": lambda: maskkit.import_masks(folder, folder / "out", "deepfashion", Options(size=8), overwrite=True),
    }
    name = data.draw(st.sampled_from(sorted(readers)))
    sound = (folder / name).read_bytes()
    damaged = bytearray(sound)
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(sound) - 1), st.integers(0, 255)), max_size=8)):
        damaged[at % (4096 if data.draw(st.booleans()) else len(sound)) % len(sound)] = value
    cut = data.draw(st.integers(0, len(sound)) | st.just(len(sound)))
    try:
        (folder / name).write_bytes(bytes(damaged[:cut]))
        readers[name]()
    except MaskkitError as error:
        assert len(str(error)) > 10
    finally:
        (folder / name).write_bytes(sound)


def test_wrong_requests_are_sentences(exported: Path, tmp_path: Path) -> None:
    source = exported / "palette"
    bad = tmp_path / "bad.csv"
    bad.write_text("id,split\na,training\n")
    for message, kind, options in (
        ("no import format 'tar'", "tar", {}),
        ("size is 4; it must lie between 8 and 4096", "label-png", {"size": 4}),
        ("attributes Bald not each is there once", "label-png", {"attributes": ("Bald",)}),
        ("bad.csv, line 2: an id and one of train", "label-png", {"split": str(bad)}),
        ("no table from the labels of scgan", "label-png", {"translate": "secgan"}),
        ("no such folder; name the folders", "label-png", {"masks": "labels"}),
        ("there is no range 'wide'", "deepfashion", {"brightness": "wide"}),
        ("no such folder; name the folders", "celebamask-hq", {}),
    ):
        with pytest.raises(MaskkitError, match=message):
            maskkit.import_masks(source, tmp_path / "out", kind, Options(**options))
    plain = pairs_folder(tmp_path / "plain", ("a",))
    with pytest.raises(ExchangeError, match="does not tell what its labels mean: give --scheme"):
        maskkit.import_masks(plain, tmp_path / "out", "label-png")
    with pytest.raises(ExchangeError, match=r"none of 1 rows can be used; a\.bmp: .* outside of the classes 0 to 1"):
        own = {"name": "two", "regions": [{"name": name, "color": [0, 0, i]} for i, name in enumerate("ab")]}
        (plain / "scheme.json").write_text(json.dumps(own))
        maskkit.import_masks(plain, tmp_path / "out", "label-png")
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not a data set made by maskkit"):
        maskkit.import_masks(source, tmp_path / "out", "label-png", overwrite=True)


def test_the_command(exported: Path, tmp_path: Path) -> None:
    arguments = ["import", str(exported / "palette"), str(tmp_path / "out"), "--format", "label-png", "--size", "32"]
    done = CliRunner().invoke(group, [*arguments, "--limit", "9", "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["kept"] == 9
    (tmp_path / "table.csv").write_text("id,split\n000001.png,val\n")
    chosen = ["--split", str(tmp_path / "table.csv"), "--attributes", "Male", "--overwrite"]
    failed = CliRunner().invoke(group, [*arguments, *chosen], standalone_mode=False)
    assert failed.return_value == 1 and "97.9% of the rows were left out" in failed.stderr
    assert maskkit.ShardReader(tmp_path / "out", "val").attribute_names == ("Male",)
