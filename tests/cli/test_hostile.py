"""Files made to do harm, given to every command that reads such files: each ends in a sentence that names the file."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import maskkit
from maskkit.shards.description import DIGEST, read_dataset
from maskkit.shards.ledger import read_ledger
from tests.cli.conftest import Command
from tests.maskkit.photos.test_images import _png_that_promises

HUGE = 30_000  # pixels a side


@pytest.fixture
def photos(tmp_path: Path, faces_fixture: Path) -> Path:
    """A folder with one good photo, one of 900 million pixels, and links: out of it, to a folder outside, to itself."""
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(faces_fixture / "collins.jpg", folder / "good.jpg")
    (folder / "huge.png").write_bytes(_png_that_promises(HUGE))
    (folder / "leak.jpg").symlink_to(faces_fixture / "hopper.jpg")
    (folder / "album").symlink_to(faces_fixture)
    (folder / "loop.jpg").symlink_to("loop.jpg")
    return folder


def test_photos_that_do_harm_are_left_out_and_named(command: Command, photos: Path, tmp_path: Path) -> None:
    status, _ = command("maskkit", "build-folder", photos, tmp_path / "shards", "--max-skipped", 0.9, "--workers", 1)
    ledger = {line["id"]: line["reason"] for line in read_ledger(tmp_path / "shards")}
    assert status == 0
    assert ledger == {
        "good.jpg": "",
        "huge.png": "more pixels than the 64,000,000 allowed",
        "leak.jpg": "a symbolic link that leads out of the folder of photos",
        "album": "a symbolic link that leads out of the folder of photos",
        "loop.jpg": "Too many levels of symbolic links",
    }
    for name in ("landmarks", "segment"):
        status, said = command("maskkit", name, photos, "-o", tmp_path / name)
        assert status == 1 and "huge.png: more pixels than" in said
        assert "leak.jpg: a symbolic link that leads out of" in said and "loop.jpg: a symbolic link that leads" in said
        assert {path.stem for path in (tmp_path / name).glob("[!.]*")} == {"good"}
    status, said = command("maskkit", "morph", photos / "good.jpg", photos / "huge.png", "-o", tmp_path / "m.gif")
    assert status == 1 and "huge.png: more pixels than" in said


def test_photos_and_zips_of_celeba(command: Command, photos: Path, celeba_fixture: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(celeba_fixture, tmp_path / "celeba"))
    shutil.copy(photos / "huge.png", root / "img_align_celeba" / "000001.jpg")
    status, said = command("maskkit", "build-celeba", root, tmp_path / "out", "--limit", 3, "--max-skipped", 0.5)
    assert status == 0 and "more pixels than the 64,000,000 allowed: 1" in said
    with zipfile.ZipFile(root / "img_align_celeba.zip", "w") as packed:
        packed.writestr("img_align_celeba/000002.jpg", b"")
        packed.writestr("../000003.jpg", b"")
    shutil.rmtree(root / "img_align_celeba")
    for build in (("build-celeba", root), ("build-folder", root / "img_align_celeba.zip")):
        status, said = command("maskkit", *build, tmp_path / "other")
        assert status == 1 and "the name '../000003.jpg' leads out of the zip" in said


def test_names_cannot_steer_the_terminal(command: Command, photos: Path, tmp_path: Path) -> None:
    row = "\x1b[2J.jpg -1 -1 -1 -1 -1\n"
    (tmp_path / "img_align_celeba").mkdir()
    (tmp_path / "list_attr_celeba.txt").write_text(f"2\nBlack_Hair Blond_Hair Brown_Hair Male Young\n{row}{row}")
    status, said = command("maskkit", "build-celeba", tmp_path, tmp_path / "out")
    assert status == 1 and "has a row already" in said and "\x1b" not in said
    (photos / "\x1b[2J.png").write_bytes(b"")
    status, said = command("maskkit", "landmarks", photos, "-o", tmp_path / "points")
    assert status == 1 and "[2J.png: the name holds characters that cannot be" in said and "\x1b" not in said


def test_imported_pictures(command: Command, photos: Path, tmp_path: Path) -> None:
    source = tmp_path / "pairs"
    for folder in ("images", "masks"):
        (source / folder).mkdir(parents=True)
        for name in ("a", "b", "c"):
            maskkit.write_png(
                source / folder / f"{name}.png", np.zeros((16, 16, 3)[: 2 + (folder == "images")], np.uint8)
            )
    shutil.copy(photos / "huge.png", source / "images" / "b.png")
    shutil.copy(photos / "huge.png", source / "masks" / "c.png")
    arguments = ("--format", "label-png", "--scheme", "scgan", "--size", 16, "--max-skipped", 0.9)
    status, said = command("maskkit", "import", source, tmp_path / "out", *arguments)
    assert status == 0 and said.count(".png: more pixels than the 64,000,000 allowed: 1") == 2


# --- shards


def _replace(file: h5py.File, make: Callable[[tuple[int, ...]], object]) -> None:
    shape = file["image"].shape
    del file["image"]
    make(shape)


def _huge(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for name in list(file):
            shape, kind, attributes = file[name].shape, file[name].dtype, dict(file[name].attrs)
            del file[name]
            file.create_dataset(name, (1 << 20, *shape[1:]), kind).attrs.update(attributes)


def _link(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        _replace(file, lambda shape: file.__setitem__("image", h5py.ExternalLink("/nowhere/outside", "/image")))


def _storage(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        outside = [("/nowhere/outside", 0, h5py.h5f.UNLIMITED)]
        _replace(file, lambda shape: file.create_dataset("image", shape, "uint8", external=outside))


def _virtual(path: Path) -> None:
    def make(shape: tuple[int, ...]) -> None:
        layout = h5py.VirtualLayout(shape, "uint8")
        layout[...] = h5py.VirtualSource("/nowhere/outside", "image", shape)
        file.create_virtual_dataset("image", layout)

    with h5py.File(path, "r+") as file:
        _replace(file, make)


def _sequence(path: Path) -> None:
    """Bytes of any number where a text belongs: HDF5 2.0.0 may end the process over such, when they are damaged."""
    content = np.empty((), dtype=object)
    content[()] = np.array([1, 2], "u1")
    with h5py.File(path, "r+") as file:
        file.attrs.create("format", content, dtype=h5py.vlen_dtype("u1"))


def _endless(path: Path) -> None:
    """A free object without a size in the heap of texts: HDF5 2.0.0 would walk for ever, and could not be stopped."""
    data = bytearray(path.read_bytes())
    place = data.index(b"GCOL") + 16
    while number := int.from_bytes(data[place : place + 2], "little"):
        place += 16 + (int.from_bytes(data[place + 8 : place + 16], "little") + 7) // 8 * 8
    assert number == 0
    data[place + 8 : place + 16] = bytes(8)
    path.write_bytes(data)


def _moved(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere.h5")
    path.symlink_to(path.parent.parent / "elsewhere.h5")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_huge, "claims the shape"),
        (_link, "does not hold its own data"),
        (_storage, "does not hold its own data"),
        (_virtual, "does not hold its own data"),
        (_sequence, "the attribute format is not a text"),
        (_endless, "a heap of texts is damaged"),
        (_moved, "is a link that leads out of the folder"),
    ],
)
def test_shards_that_do_harm_are_refused(
    command: Command, drawn_shards: Path, tmp_path: Path, harm: Callable[[Path], None], message: str
) -> None:
    folder = Path(shutil.copytree(drawn_shards, tmp_path / "shards"))
    path = folder / "train-00000.h5"
    harm(path)
    dataset = read_dataset(drawn_shards)
    data = path.read_bytes()
    dataset.shards[0].bytes, dataset.shards[0].sha256 = len(data), hashlib.sha256(data).hexdigest()
    dataset.write(folder)
    row = f"{path}#0"
    calls: list[tuple[object, ...]] = [
        ("maskkit", "verify", folder),
        ("maskkit", "inspect", folder, "-o", tmp_path / "report.html"),
        ("maskkit", "export", folder, tmp_path / "export", "--format", "numpy"),
        ("gan", "fit", folder, "--out", tmp_path / "run", "--preset", "tiny", "--steps", 1, "--device", "cpu"),
    ]
    if harm is not _moved:  # a row of a shard is a file that the user names
        calls.append(("maskkit", "morph", row, row, "-o", tmp_path / "m.gif"))
    for call in calls:
        status, said = command(*call)
        assert status == 1 and message in said and "train-00000.h5" in said, call


def test_a_description_that_claims_too_much_is_refused(drawn_shards: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(drawn_shards, tmp_path / "shards"))
    whole = json.loads((folder / "dataset.json").read_text())
    del whole[DIGEST]
    for change, counts in (({"rows": 1 << 40}, 1 << 40), ({"rows": -16}, -16)):
        content = json.loads(json.dumps(whole))
        content["shards"][0] |= change
        content["counts"]["train"] += counts - 16
        (folder / "dataset.json").write_text(json.dumps(content))
        with pytest.raises(maskkit.errors.ShardError, match="is not within 0 and"):
            maskkit.ShardReader(folder)
    for size in (0, 10**9):
        (folder / "dataset.json").write_text(json.dumps({**whole, "image_size": size}))
        with pytest.raises(maskkit.errors.ShardError, match="is not within 1 and 4096"):
            maskkit.inspect_shards(folder)
    (folder / "dataset.json").write_text(json.dumps({**whole, "attribute_names": ["\ud800"]}))
    with pytest.raises(maskkit.errors.ShardError, match="not valid JSON"):
        maskkit.ShardReader(folder)
