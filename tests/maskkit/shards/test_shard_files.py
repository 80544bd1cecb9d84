"""The shard format: reading, pickling, refusing what is not as promised."""

import json
import multiprocessing
import pickle
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import maskkit
from maskkit.errors import ShardError
from maskkit.shards.description import DIGEST, read_dataset
from tests.drawn import drawn_row, write_drawn_shards


@pytest.fixture
def copy(drawn_shards: Path, tmp_path: Path) -> Path:
    """A data set that may be damaged."""
    return Path(shutil.copytree(drawn_shards, tmp_path / "shards"))


def test_rows_come_back_as_written(drawn_shards: Path) -> None:
    reader = maskkit.ShardReader(drawn_shards)
    assert (len(reader), reader.size, len(reader.attribute_names)) == (40, 64, 5)
    for index in (0, 15, 16, 39, -1):
        row, sample = drawn_row(index % 40, 64), reader[index]
        assert sample["id"] == row.id
        for key in ("image", "mask", "attributes", "landmarks"):
            assert (sample[key] == getattr(row, key)).all()
        assert (sample["detector"], sample["score"]) == ("hog", 1.0)
    assert len(maskkit.ShardReader(drawn_shards, "test")) == 0
    with pytest.raises(IndexError, match="row 40 of 40"):
        reader[40]
    assert [row["id"] for row in reader[38:50]] == [reader[38]["id"], reader[39]["id"]]
    assert [row["id"] for row in reader[2::-2]] == [reader[2]["id"], reader[0]["id"]] and reader[40:] == []


def test_images_can_be_memory_mapped_and_masks_are_chunked(drawn_shards: Path) -> None:
    with h5py.File(drawn_shards / "train-00000.h5") as file:
        offset, shape = file["image"].id.get_offset(), file["image"].shape
        first = file["image"][0]
        assert file["mask"].chunks == (1, 64, 64)
        assert json.loads(file.attrs["scheme"])["name"] == "scgan"
    mapped = np.memmap(drawn_shards / "train-00000.h5", np.uint8, "r", offset, shape)
    assert (mapped[0] == first).all()


def _read_all(reader: maskkit.ShardReader, answer: "multiprocessing.SimpleQueue[tuple[int, bool]]") -> None:
    """Answer with a checksum of all photos, and whether every file was opened in this process."""
    before = list(reader._open.values())
    total = sum(int(reader[i]["image"].sum()) for i in range(len(reader)))
    answer.put((total, not any(shard in before for shard in reader._open.values())))


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_reader_crosses_processes_after_use(drawn_shards: Path, method: str) -> None:
    reader = maskkit.ShardReader(drawn_shards, "val")
    here = sum(int(reader[i]["image"].sum()) for i in range(len(reader)))
    context = multiprocessing.get_context(method)
    answer = context.SimpleQueue()
    process = context.Process(target=_read_all, args=(reader, answer))
    process.start()
    assert answer.get() == (here, True)
    process.join()
    assert len(pickle.loads(pickle.dumps(reader))) == 8


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    first = write_drawn_shards(tmp_path / "a", {"train": 5})
    second = write_drawn_shards(tmp_path / "b", {"train": 5})
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_a_data_set_without_attributes_is_fine(tmp_path: Path) -> None:
    folder = write_drawn_shards(tmp_path / "shards", {"train": 3}, names=())
    assert maskkit.ShardReader(folder)[2]["attributes"].shape == (0,)
    assert maskkit.verify(folder).rows == 3


def _edit(path: Path, dataset: str, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file[dataset][1] = value


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _link_outside(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["image"]
        file["image"] = h5py.ExternalLink("train-00001.h5", "/image")


def _store_outside(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        shape = file["image"].shape
        del file["image"]
        file.create_dataset("image", shape, "uint8", external=[("/nowhere/outside", 0, h5py.h5f.UNLIMITED)])


def _resign(folder: Path) -> None:
    """Make the checksums fit a damaged shard, so that the checks behind them are reached."""
    import hashlib

    dataset = read_dataset(folder)
    for entry in dataset.shards:
        data = (folder / entry.file).read_bytes()
        entry.bytes, entry.sha256 = len(data), hashlib.sha256(data).hexdigest()
    dataset.write(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: _edit(path, "mask", 9), "mask holds the value 9, and the classes are 0 to 6"),
        (lambda path: _edit(path, "mask", 0), "not the one that its points draw"),
        (lambda path: _edit(path, "attributes", 2), "an attribute is 2"),
        (lambda path: _edit(path, "landmarks", np.nan), "NaN"),
        (lambda path: _edit(path, "id", b"000000.png"), r"same id stands in train-00000\.h5"),
        (lambda path: _edit(path, "id", b"000099.png"), "ids are not sorted"),
        (lambda path: _edit(path, "score", 0.5), "does not list what the shards"),
        (_cut, "not an HDF5 file|damaged|cannot be read"),
        (_link_outside, "does not hold its own data"),
        (_store_outside, "does not hold its own data"),
        (lambda path: path.unlink(), "No such file"),
    ],
)
def test_verify_names_the_first_broken_promise(copy: Path, damage: object, message: str) -> None:
    path = copy / "train-00000.h5"
    damage(path)  # type: ignore[operator]
    if path.exists():
        with pytest.raises(ShardError, match=r"SHA-256|bytes, and dataset\.json promises"):
            maskkit.verify(copy)
        _resign(copy)
    with pytest.raises(ShardError, match=message) as error:
        maskkit.verify(copy)
    assert "train-00000.h5" in str(error.value) or "ledger.csv" in str(error.value)


def test_mixed_up_names_are_noticed(copy: Path) -> None:
    path = copy / "dataset.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "attribute_names": ["Bald"]}))
    with pytest.raises(ShardError, match=r"is not what was written, by the sha256 in it.*remove that key"):
        maskkit.verify(copy)
    text = json.dumps({key: value for key, value in content.items() if key != DIGEST})
    for old, new, message in (("Black_Hair", "Bald", "attribute_names"), ('"skin"', '"scarf"', "scheme")):
        path.write_text(text.replace(old, new))
        with pytest.raises(ShardError, match=f"its {message} is"):
            maskkit.verify(copy)


def _store_again(path: Path, name: str, **storage: object) -> None:
    with h5py.File(path, "r+") as file:
        data = file[name][:]
        del file[name]
        file.create_dataset(name, data=data, **storage)


def _leave_the_filter_out(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["mask"].id.write_direct_chunk((3, 0, 0), file["mask"][3].tobytes(), filter_mask=1)


def _put_a_block_before(path: Path) -> None:
    with h5py.File(path) as file, h5py.File(path.with_suffix(".new"), "w", userblock_size=1024) as other:
        for name in file:
            file.copy(name, other)
        other.attrs.update(file.attrs)
    path.with_suffix(".new").rename(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: None,
        lambda path: _store_again(path, "image", chunks=(1, 64, 64, 3), compression="gzip"),
        lambda path: _store_again(path, "mask"),
        lambda path: _store_again(path, "mask", chunks=(1, 64, 64), compression="lzf"),
        lambda path: _store_again(path, "mask", chunks=(1, 64, 64), compression="gzip", shuffle=True),
        lambda path: _store_again(path, "mask", chunks=(2, 64, 64), compression="gzip"),
        _leave_the_filter_out,
        _put_a_block_before,
    ],
    ids=["plain", "packed photos", "flat masks", "lzf", "shuffled", "two a chunk", "one unpacked", "user block"],
)
def test_rows_are_what_hdf5_itself_reads(copy: Path, change: Callable[[Path], None]) -> None:
    change(copy / "train-00000.h5")
    _resign(copy)
    reader = maskkit.ShardReader(copy)
    with h5py.File(copy / "train-00000.h5") as file:
        for row in range(16):
            for name in ("image", "mask"):
                assert (reader[row][name] == file[name][row]).all()
                assert reader[row][name].flags.writeable


@pytest.mark.parametrize(
    "chunk",
    [b"\1" * 4096, zlib.compress(bytes(10)), zlib.compress(bytes(4_000_000)), zlib.compress(bytes(64 * 64))[:-4]],
    ids=["no zlib", "too short", "too long", "without its checksum"],
)
def test_damaged_rows_end_in_a_sentence(copy: Path, chunk: bytes) -> None:
    with h5py.File(copy / "train-00000.h5", "r+") as file:
        file["mask"].id.write_direct_chunk((3, 0, 0), chunk)
    _resign(copy)
    reader = maskkit.ShardReader(copy)
    with pytest.raises(ShardError, match=r"train-00000\.h5, row 3: cannot be read"):
        reader[3]
    assert reader[4]["mask"].shape == (64, 64)
    _cut(copy / "train-00000.h5")  # behind the back of the reader that has it open
    with pytest.raises(ShardError, match="row 15: cannot be read"):
        reader[15]


def test_a_reader_refuses_a_cut_shard_and_an_unfinished_build(copy: Path) -> None:
    _cut(copy / "train-00001.h5")
    reader = maskkit.ShardReader(copy)
    assert reader[0]["id"] == "000000.png"
    with pytest.raises(ShardError, match=r"train-00001\.h5: .* bytes, and dataset.json promises"):
        reader[20]
    dataset = read_dataset(copy)
    dataset.complete = False
    dataset.write(copy)
    with pytest.raises(ShardError, match="run the same build again"):
        maskkit.ShardReader(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "zip"}, "not the description"),
        ({"version": 2}, "format version 2"),
        ({"image_size": None}, "wrong kind"),
        ({"counts": {"train": 1}}, "not the sums of its shards"),
        (
            {
                "shards": [{"file": "../x.h5", "split": "train", "rows": 1, "bytes": 1, "sha256": "", "skipped": []}],
                "counts": {"train": 1, "val": 0, "test": 0, "skipped": 0},
            },
            "no name of a shard",
        ),
    ],
)  # fmt: skip
def test_descriptions_are_checked(copy: Path, change: dict[str, object], message: str) -> None:
    path = copy / "dataset.json"
    content = json.loads(path.read_text())
    del content[DIGEST]  # as in data sets of old
    path.write_text(json.dumps({**content, **change}))
    with pytest.raises(ShardError, match=message) as error:
        maskkit.ShardReader(copy)
    assert str(path) in str(error.value)
    path.write_text("{")
    with pytest.raises(ShardError, match="not valid JSON"):
        maskkit.ShardReader(copy)
    with pytest.raises(ShardError, match=r"holds no dataset\.json"):
        maskkit.ShardReader(copy / "nowhere")
