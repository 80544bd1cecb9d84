"""CelebA to shards: what is kept and skipped and why, the same bytes, and refusals that lose nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import maskkit
from maskkit.building.celeba import read_celeba
from maskkit.building.inputs import Input
from maskkit.building.photo_rows import in_chunks
from maskkit.errors import BuildError, OutputError
from maskkit.photos.tables import read_attribute_table
from maskkit.points.landmarks import GROUPS
from maskkit.shards.ledger import read_ledger
from tests.maskkit.building.small_builds import OPTIONS, contents


def test_every_photo_becomes_a_sound_row(built: Path, celeba_fixture: Path) -> None:
    assert maskkit.verify(built).rows == 72
    _, table = read_attribute_table(celeba_fixture / "list_attr_celeba.txt")
    names, _ = read_attribute_table(celeba_fixture / "list_attr_celeba.txt")
    areas: dict[bool, list[float]] = {True: [], False: []}
    for split, count in (("train", 48), ("val", 12), ("test", 12)):
        reader = maskkit.ShardReader(built, split)
        assert len(reader) == count
        for index in range(count):
            sample = reader[index]
            values = dict(zip(names, table[sample["id"]], strict=True))
            assert sample["attributes"].tolist() == [int(values[name] == 1) for name in OPTIONS.attributes]
            inner = sample["landmarks"][list(GROUPS["inner_lip"])]
            areas[values["Mouth_Slightly_Open"] == 1].append(float(np.ptp(inner[:, 1])))
    assert min(areas[True]) > max(areas[False])  # the detector sees what the table says


def test_progress_begins_before_the_first_photo_and_the_first_photo_is_not_waited_for(
    root: Path, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    maskkit.build_celeba(root, tmp_path / "out", OPTIONS, on_progress=lambda *done: told.append(done))
    assert told == [(done, 12) for done in range(13)]
    inputs = [Input(f"{number}.jpg", "train", ()) for number in range(100)]
    chunks = in_chunks(inputs)
    assert [len(chunk) for chunk in chunks] == [1, 2, 4, 8, 16, 32, 32, 5]
    assert [one for chunk in chunks for one in chunk] == inputs


def test_the_same_bytes_with_two_workers(built: Path, celeba_fixture: Path, tmp_path: Path) -> None:
    maskkit.build_celeba(celeba_fixture, tmp_path / "out", OPTIONS, workers=2)
    assert contents(tmp_path / "out") == contents(built)


def test_the_same_bytes_where_photos_go_on_to_the_networks(root: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (218, 178, 3), dtype=np.uint8)
    for number in (2, 3, 12):
        Image.fromarray(noise).save(root / "img_align_celeba" / f"{number:06d}.jpg")
    (root / "img_align_celeba" / "000005.jpg").write_bytes(b"no picture")
    for workers in (1, 2):
        result = maskkit.build_celeba(root, tmp_path / str(workers), OPTIONS, workers=workers)
        assert (result.detectors, result.skipped) == ({"hog": 8, "usual-box": 3}, 1)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_skipped_photos_are_told_with_their_reasons(root: Path, tmp_path: Path) -> None:
    photos = root / "img_align_celeba"
    (photos / "000001.jpg").write_bytes(b"not a photo")
    (photos / "000002.jpg").unlink()
    Image.new("RGB", (100, 100)).save(photos / "000003.jpg")
    Image.new("RGB", (200, 240)).save(photos / "000004.jpg")
    Image.new("RGB", (178, 218)).save(photos / "extra.jpg")
    text = (root / "list_attr_celeba.txt").read_text()
    (root / "list_attr_celeba.txt").write_text(text.replace("000012.jpg", "../../etc/passwd"))
    shutil.copy(photos / "000005.jpg", photos / "a\rb.jpg")
    shutil.copy(photos / "000005.jpg", os.fsencode(photos) + b"/\xff.jpg")
    result = maskkit.build_celeba(root, tmp_path / "out", OPTIONS)
    assert (result.kept, result.skipped, result.too_many_skipped) == (7, 9, True)
    reasons = {line["id"]: line["reason"] for line in read_ledger(tmp_path / "out") if line["outcome"] == "skipped"}
    assert reasons == {
        "../../etc/passwd": "the name leads out of the folder of photos",
        "000001.jpg": "not a picture of a known format (JPEG, PNG, BMP, PPM, TIFF, WEBP, GIF)",
        "000002.jpg": "no such photo",
        "000003.jpg": "a photo of 100 x 100 pixels has no square of 178",
        "000004.jpg": "no face found",
        "000012.jpg": "no row in list_attr_celeba.txt",
        "extra.jpg": "no row in list_attr_celeba.txt",
        "a\\rb.jpg": "the name holds characters that cannot be printed",
        "\\udcff.jpg": "the name holds characters that cannot be printed",
    }
    assert maskkit.verify(tmp_path / "out").skipped == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("000003.jpg  1 -1", "000003.jpg  1"), r"line 5: 9 values for 10 attributes"),
        (lambda text: text.replace("000003.jpg  1 -1", "000003.jpg  1 maybe"), "line 5: 'maybe' is neither 1 nor -1"),
        (lambda text: text.replace("12\n", "13\n", 1), "promises 13 rows and there are 12"),
        (lambda text: text.replace("000003.jpg", "000002.jpg"), r"line 5: 000002\.jpg has a row already"),
        (lambda text: text.replace("Young", "Old"), "has no attribute Young; it has Black_Hair"),
        (lambda text: "", "the first line is the number of photos"),
    ],
)
def test_broken_attribute_tables_end_before_any_work(root: Path, tmp_path: Path, change: object, message: str) -> None:
    table = root / "list_attr_celeba.txt"
    table.write_text(change(table.read_text()))  # type: ignore[operator]
    with pytest.raises(BuildError, match=message) as error:
        maskkit.build_celeba(root, tmp_path / "out", OPTIONS)
    assert str(table) in str(error.value)
    assert not (tmp_path / "out").exists()


def test_splits(celeba_fixture: Path, root: Path) -> None:
    def splits(folder: Path, rule: str) -> dict[str, str]:
        return {one.id: one.split for one in read_celeba(folder, ("Young",), rule)[1]}

    assert set(splits(root, "official").values()) == {"train"}  # no partition table there
    official = splits(celeba_fixture, "official")
    assert [official[f"{number:06d}.jpg"] for number in (1, 49, 61)] == ["train", "val", "test"]
    assert set(splits(celeba_fixture, "scgan").values()) == {"test"}  # fewer than 1,999
    persons = dict(line.split() for line in (celeba_fixture / "identity_CelebA.txt").read_text().splitlines())
    by_person = splits(celeba_fixture, "person")
    assert len({(persons[name], split) for name, split in by_person.items()}) == 2
    with pytest.raises(BuildError, match=r"identity_CelebA\.txt is missing"):
        splits(root, "person")


def test_a_full_disk_ends_in_a_sentence_and_the_build_goes_on_later(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # A limit on the size of files stands for a full disk: the system refuses to write on, in the middle of a shard.
    script = (
        "import resource, signal, sys, maskkit\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try:\n"
        f"    maskkit.build_celeba({str(root)!r}, {str(out)!r}, maskkit.BuildOptions(size=32, attributes=('Young',)))\n"
        "except maskkit.MaskkitError as error:\n"
        "    sys.exit(str(error))\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.returncode == 1
    assert process.stderr.strip() == f"{out / 'train-00000.h5'} could not be written: File too large"
    assert sorted(path.name for path in out.iterdir()) == ["dataset.json"]
    assert maskkit.build_celeba(root, out, maskkit.BuildOptions(size=32, attributes=("Young",))).kept == 12
    assert maskkit.verify(out).rows == 12


def test_bad_places_and_options(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OutputError, match="could not be made"):
        maskkit.build_celeba(root, file / "out", OPTIONS)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(BuildError, match="no such folder"):
        maskkit.build_celeba(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(BuildError, match=r"neither the folder img_align_celeba nor img_align_celeba\.zip"):
        maskkit.build_celeba(tmp_path / "nothing", tmp_path / "out")
    for options, message in (
        (maskkit.BuildOptions(size=0), "the size is 0"),
        (maskkit.BuildOptions(limit=0), "the limit is 0"),
        (maskkit.BuildOptions(detector="none"), "no detector 'none'"),
        (maskkit.BuildOptions(attributes=("Young", "Young")), "named twice"),
        (maskkit.BuildOptions(split="mine"), "no split rule 'mine'"),
    ):
        with pytest.raises(BuildError, match=message):
            maskkit.build_celeba(root, tmp_path / "out", options)


def test_real_celeba(real_data: Path, tmp_path: Path) -> None:
    result = maskkit.build_celeba(real_data / "celeba", tmp_path / "out", workers=2)
    assert result.kept >= 2397
    assert result.detectors["hog"] >= 0.97 * 2400
    assert maskkit.verify(tmp_path / "out").rows == result.kept
