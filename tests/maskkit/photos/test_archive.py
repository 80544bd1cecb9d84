"""Photos in folders and zips: hostile zips, bombs, links that lead out."""

import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import maskkit
from maskkit.errors import BuildError, ImageError, MaskkitError
from maskkit.photos import archive
from maskkit.photos.archive import PhotoFolder, open_zip


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


def test_a_zip_is_read_below_the_first_folder_that_holds_photos(celeba_fixture: Path, tmp_path: Path) -> None:
    photo = (celeba_fixture / "img_align_celeba" / "000001.jpg").read_bytes()
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as packed:
        for name in ("a/1.jpg", "a/b/2.jpg", "c/3.jpg", "readme.txt", "__MACOSX/a/._1.jpg"):
            packed.writestr(name, photo)
    assert list(open_zip(tmp_path / "photos.zip").names()) == ["a/1.jpg", "a/b/2.jpg", "c/3.jpg"]
    assert list(open_zip(tmp_path / "photos.zip", ("x", "a")).names()) == ["1.jpg", "b/2.jpg"]
    assert open_zip(tmp_path / "photos.zip", ("a",)).read("b/2.jpg").shape == (218, 178, 3)


def test_a_replaced_zip_is_opened_anew(celeba_fixture: Path, tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    for name in ("one.jpg", "other.jpg"):
        with zipfile.ZipFile(path, "w") as packed:
            packed.write(celeba_fixture / "img_align_celeba" / "000001.jpg", name)
            packed.writestr("note", name)  # so that the size differs where the clock does not
        assert list(open_zip(path).names()) == [name]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300))
def test_anything_for_a_zip_ends_in_our_own_errors(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.zip"
    path.write_bytes(data)
    try:
        open_zip(path)
    except MaskkitError as error:
        assert str(path) in str(error)
