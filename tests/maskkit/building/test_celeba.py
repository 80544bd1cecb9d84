"""CelebA as mirrors ship it: CSV tables, nested folders, the zip; hostile zips, links and tables."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import maskkit
from maskkit.building.celeba import read_celeba
from maskkit.detection import mtcnn
from maskkit.errors import BuildError
from maskkit.photos.tables import read_five_points

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
