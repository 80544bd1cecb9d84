"""CelebA as mirrors ship it: CSV tables, nested folders, the zip; hostile zips, links and tables."""

import shutil
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import maskkit
from maskkit.building.celeba import read_celeba
from maskkit.detection import mtcnn
from maskkit.errors import BuildError, ImageError, MaskkitError
from maskkit.photos import archive
from maskkit.photos.archive import PhotoFolder, open_zip
from maskkit.photos.tables import read_attribute_table, read_five_points, read_point_table

OPTIONS = maskkit.BuildOptions(size=32, shard_size=5, attributes=("Blond_Hair", "Young"), limit=12)
FIVE = np.array([[69, 111], [108, 111], [88, 135], [73, 155], [104, 155]])


def as_csv(text: str, header: str) -> str:
    """A table of CelebA's as mirrors ship it."""
    return "\n".join([header, *(",".join(line.split()) for line in text.splitlines() if line)]) + "\n"


@pytest.fixture
def mirror(celeba_fixture: Path, tmp_path: Path) -> Path:
    """The fixture as a mirror ships it, wrapped in one more folder."""
    root = tmp_path / "download" / "archive"
    shutil.copytree(celeba_fixture / "img_align_celeba", root / "img_align_celeba" / "img_align_celeba")
    lines = (celeba_fixture / "list_attr_celeba.txt").read_text().splitlines()
    names = ",".join(["image_id", *lines[1].split()])
    (root / "list_attr_celeba.csv").write_text(as_csv("\n".join(lines[2:]), names))
    partition = (celeba_fixture / "list_eval_partition.txt").read_text()
    (root / "list_eval_partition.csv").write_text(as_csv(partition, "image_id,partition"))
    return root.parent


def pack(folder: Path, target: Path, inside: str = "img_align_celeba") -> Path:
    """A zip of the photos of a folder, with what some packers leave beside them."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(f"{inside}/", b"")
        for path in sorted(folder.iterdir()):
            packed.write(path, f"{inside}/{path.name}")
        packed.writestr("__MACOSX/img_align_celeba/._000001.jpg", b"junk")
        packed.writestr("readme.txt", b"photos")
    return target


def seen(root: Path) -> list[tuple[object, ...]]:
    inputs = read_celeba(root, ("Young", "Male"), "official")[1]
    return [(one.id, one.attributes, one.split, one.problem) for one in inputs]


def test_a_mirror_reads_as_the_original_does(mirror: Path, celeba_fixture: Path) -> None:
    assert seen(mirror) == seen(celeba_fixture)


@pytest.mark.parametrize("inside", ["img_align_celeba", "img_align_celeba/img_align_celeba"])
def test_the_zip_gives_the_bytes_that_the_folder_gives(celeba_fixture: Path, tmp_path: Path, inside: str) -> None:
    root = tmp_path / "celeba"
    (root / "Img").mkdir(parents=True)
    pack(celeba_fixture / "img_align_celeba", root / "Img" / "img_align_celeba.zip", inside)
    for table in celeba_fixture.glob("*.txt"):
        shutil.copy(table, root)
    assert seen(root) == seen(celeba_fixture)
    if inside == "img_align_celeba":
        maskkit.build_celeba(root, tmp_path / "packed", OPTIONS, workers=2)
        maskkit.build_celeba(celeba_fixture, tmp_path / "plain", OPTIONS)
        for path in (tmp_path / "plain").iterdir():
            assert path.read_bytes() == (tmp_path / "packed" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../out.jpg", "leads out of the zip"),
        ("a/../../out.jpg", "leads out of the zip"),
        ("/etc/passwd", "leads out of the zip"),
        ("..\\out.jpg", "leads out of the zip"),
        ("C:\\out.jpg", "leads out of the zip"),
        ("link.jpg", "is a symbolic link"),
        ("twice.jpg", "holds 'twice.jpg' twice"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_zips_are_refused(tmp_path: Path, name: str, message: str) -> None:
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as packed:
        info = zipfile.ZipInfo("x")
        info.filename = info.orig_filename = name
        if name == "link.jpg":
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
        for _ in range(2 if name == "twice.jpg" else 1):
            packed.writestr(info, b"/etc/passwd")
    with pytest.raises(BuildError, match=message) as error:
        maskkit.build_folder(path, tmp_path / "out")
    assert str(path) in str(error.value)
    assert not (tmp_path / "out").exists()


def test_bombs_locked_and_broken_members_are_told(
    celeba_fixture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = (celeba_fixture / "img_align_celeba" / "000001.jpg").read_bytes()
    monkeypatch.setattr(archive, "LARGEST_MEMBER", 1 << 20)
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bomb.jpg", bytes(1 << 22))
        packed.writestr("good.jpg", photo)
        packed.writestr("lies.jpg", bytes(1 << 22))
        packed.writestr("lzma.jpg", photo, zipfile.ZIP_LZMA)
        packed.writestr("text.jpg", b"not a photo")
        for name, size in (("lies.jpg", 1000),):  # the table of contents promises less than there is
            packed.getinfo(name).file_size = size
    photos = open_zip(path)
    assert photos.names() == {
        "bomb.jpg": "4,194,304 bytes once unpacked are more than the 1,048,576 allowed",
        "good.jpg": "",
        "lies.jpg": "",
        "lzma.jpg": "packed by method 14, which is not read",
        "text.jpg": "",
    }
    assert photos.read("good.jpg").shape == (218, 178, 3)
    for name, message in (("lies.jpg", "cannot be unpacked"), ("text.jpg", "not a picture"), ("bomb.jpg", "allowed")):
        with pytest.raises(ImageError, match=message):
            photos.read(name)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BuildError, match="not a zip that can be read"):
        open_zip(path)


def test_links_out_of_the_folder_are_left_out(celeba_fixture: Path, tmp_path: Path) -> None:
    photo = celeba_fixture / "img_align_celeba" / "000001.jpg"
    outside, photos = tmp_path / "outside", tmp_path / "photos"
    for folder in (outside, photos / "below"):
        folder.mkdir(parents=True)
    shutil.copy(photo, outside / "secret.jpg")
    shutil.copy(photo, photos / "below" / "own.jpg")
    (photos / "leak.jpg").symlink_to(outside / "secret.jpg")
    (photos / "album").symlink_to(outside)
    (photos / "alias.jpg").symlink_to("below/own.jpg")
    out = "a symbolic link that leads out of the folder of photos"
    assert PhotoFolder(photos).names() == {"album": out, "alias.jpg": "", "below/own.jpg": "", "leak.jpg": out}
    result = maskkit.build_folder(photos, tmp_path / "out", maskkit.FolderOptions(size=32))
    assert (result.kept, result.reasons) == (2, {out: 2})


def test_the_official_five_points_are_the_last_step(
    celeba_fixture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mtcnn, "available", lambda: False)
    monkeypatch.setattr("maskkit.detection.dlib_models.find_boxes", lambda image, upsample: [])
    root = tmp_path / "celeba"
    shutil.copytree(celeba_fixture, root)
    places = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
    header = " ".join(f"{place}_{axis}" for place in places for axis in "xy")
    rows = [f"{number:06d}.jpg " + " ".join(map(str, FIVE.ravel())) for number in range(1, 73)]
    text = root / "list_landmarks_align_celeba.txt"
    text.write_text("\n".join(["72", header, *rows]) + "\n")
    table = read_five_points(text)
    text.with_suffix(".csv").write_text(as_csv("\n".join(rows), "image_id," + header.replace(" ", ",")))
    assert (read_five_points(text.with_suffix(".csv"))["000072.jpg"] == table["000072.jpg"]).all()
    result = maskkit.build_celeba(root, tmp_path / "out", OPTIONS)
    assert result.detectors == {"five-points": 12}
    sample = maskkit.ShardReader(tmp_path / "out")[0]
    assert (sample["detector"], np.isnan(sample["score"])) == ("five-points", True)
    text.unlink()
    text.with_suffix(".csv").write_text("image_id,x\n000001.jpg,3\n")
    with pytest.raises(BuildError, match="names 1 coordinates"):
        maskkit.build_celeba(root, tmp_path / "other", OPTIONS)


def test_csv_tables_hold_one_kind_of_no(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("photo,Young\na.jpg,1\nb.jpg,0\n")
    assert read_attribute_table(table) == (["Young"], {"a.jpg": [1], "b.jpg": [0]})
    for text, message in (
        ("photo,Young\na.jpg,0\nb.jpg,-1\n", "both 0 and -1"),
        ("photo,Young\na.jpg,2\n", "line 2: '2' is neither 1 nor 0"),
        ("photo,Young\na.jpg,1,1\n", "line 2: 2 values for 1 attributes"),
        ("", "the first line is a header"),
    ):
        table.write_text(text)
        with pytest.raises(BuildError, match=message):
            read_attribute_table(table)


def test_given_points_are_taken_and_nothing_is_detected(
    celeba_fixture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = sorted((celeba_fixture / "img_align_celeba").glob("*.jpg"))[:3]
    found = {path.name: maskkit.detect_aligned(maskkit.read_image(path))[0].points for path in photos}
    table = tmp_path / "points.csv"
    header = ",".join(["id", *(f"{axis}{i}" for i in range(68) for axis in "xy")])
    rows = [",".join([name, *map(repr, points.astype(float).ravel().tolist())]) for name, points in found.items()]
    table.write_text("\n".join([header, *rows[:2]]) + "\n")
    plain = maskkit.BuildOptions(size=64, limit=3, attributes=())
    maskkit.build_celeba(celeba_fixture, tmp_path / "plain", plain)
    monkeypatch.setattr(
        "maskkit.detection.dlib_models.find_boxes", lambda *arguments: pytest.fail("something was detected")
    )
    options = maskkit.BuildOptions(size=64, limit=3, attributes=(), landmarks=table)
    result = maskkit.build_celeba(celeba_fixture, tmp_path / "given", options)
    assert (result.detectors, result.reasons) == ({"given": 2}, {"no row in points.csv": 1})
    for index in range(2):
        ours, theirs = (maskkit.ShardReader(tmp_path / name)[index] for name in ("plain", "given"))
        assert (ours["landmarks"] == theirs["landmarks"]).all() and (ours["mask"] == theirs["mask"]).all()
        assert theirs["box"][0] == found[theirs["id"]][:, 0].min()
    table.write_text("\n".join([header, *rows[:2]]).replace("000002", "000003") + "\n")
    with pytest.raises(BuildError, match="landmarks_sha256"):
        maskkit.build_celeba(celeba_fixture, tmp_path / "given", options)
    for text, message in (
        (f"{header}\n{rows[0][:-5]},nan\n", "line 2: 136 finite numbers"),
        (f"{header}\n{rows[0]}\n{rows[0]}\n", "line 3: 000001.jpg has a row already"),
        (f"x{header}\nother{rows[0]}\n", "names other000001.jpg, and no photo has such an id"),
        (f"{header},x68\n", r"header id,x0,y0"),
    ):
        table.write_text(text)
        with pytest.raises(BuildError, match=message):
            maskkit.build_celeba(celeba_fixture, tmp_path / "broken", options)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=300), st.text("0123456789,.-\n xyaid\"'\\\0", max_size=300).map(str.encode)))
@pytest.mark.parametrize("ending", [".txt", ".csv", ".zip"])
def test_anything_for_a_table_or_zip_ends_in_our_own_errors(tmp_path: Path, ending: str, data: bytes) -> None:
    path = tmp_path / f"any{ending}"
    path.write_bytes(data)
    readers = [open_zip] if ending == ".zip" else [read_attribute_table, read_five_points, read_point_table]
    for read in readers:
        try:
            read(path)
        except MaskkitError as error:
            assert str(path) in str(error)
