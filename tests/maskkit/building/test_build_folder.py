"""Any folder of photos to shards: alignment, odd pictures, several faces, attributes and splits from a table."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import maskkit
from maskkit.detection import dlib_models, mtcnn
from maskkit.errors import BuildError
from maskkit.photos.alignment import Alignment
from maskkit.photos.archive import PhotoFolder
from maskkit.photos.celeba_geometry import ALIGNED_EYES
from maskkit.points.landmarks import eye_centres
from maskkit.shards.description import read_dataset
from maskkit.shards.ledger import read_ledger
from tests.maskkit.detection.test_cascade import Middle
from tests.maskkit.detection.test_photo_files import Painted, painted
from tests.maskkit.video.small_films import write_film

SMALL = {"size": 64}


@pytest.fixture
def photos(faces_fixture: Path, tmp_path: Path) -> Path:
    """A folder for photos with Collins in it, small."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    collins(faces_fixture).save(folder / "collins.png")
    return folder


def collins(faces_fixture: Path) -> Image.Image:
    with Image.open(faces_fixture / "collins.jpg") as photo:
        return photo.resize((320, 320 * photo.height // photo.width))


def two_faces(faces_fixture: Path) -> Image.Image:
    """Collins and, to her right, larger and mirrored, Collins."""
    photo = collins(faces_fixture)
    both = Image.new("RGB", (700, 440), "gray")
    both.paste(photo, (0, 0))
    larger = photo.resize((photo.width * 5 // 4, photo.height * 5 // 4))
    both.paste(larger.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (310, 0))
    return both


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rows(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    reader = maskkit.ShardReader(folder)
    return {sample["id"]: sample for sample in (reader[i] for i in range(len(reader)))}


def test_photo_and_points_move_together_onto_celebas_place() -> None:
    rng = np.random.default_rng(0)
    for size, side, angle, scale in ((64, 178, 0.3, 0.2), (128, 178, -0.5, 1.7), (96, 260, 0.1, 0.7)):
        points = rng.uniform(300, 340, (68, 2)).astype(np.float32)
        # The eyes end where CelebA has them: that is what the alignment is asked for.
        turn = scale * np.array([np.cos(angle), np.sin(angle)])
        points[36:42], points[42:48] = 300, 300 + 38.5 / turn @ turn * turn / scale
        view = Alignment.by_eyes(points, side, size)
        wanted = (ALIGNED_EYES + 0.5 - ((178 - side) // 2, (218 - side) // 2)) * size / side - 0.5
        assert np.abs(eye_centres(view.points(points)) - wanted).max() < 1e-3
        # A bright spot in the photo is found again, as its centre of mass, where the points say.
        photo = np.zeros((640, 640, 3), dtype=np.uint8)
        y, x = np.mgrid[:640, :640]
        photo[(x - 310) ** 2 + (y - 322) ** 2 < 150] = 250
        moved = view.image(photo)[..., 0].astype(float)
        row, column = np.mgrid[:size, :size]
        found = np.array([(column * moved).sum(), (row * moved).sum()]) / moved.sum()
        points[0] = (310, 322)
        assert np.abs(found - view.points(points)[0]).max() < 0.1


def test_pictures_of_every_kind_give_the_same_face(photos: Path, faces_fixture: Path, tmp_path: Path) -> None:
    photo = collins(faces_fixture)
    grey = photo.convert("L")
    photo.rotate(20, Image.Resampling.BICUBIC, expand=True, fillcolor="gray").save(photos / "below" / "tilted.png")
    photo.resize((960, 960 * photo.height // photo.width), Image.Resampling.BICUBIC).save(photos / "large.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    photo.transpose(Image.Transpose.ROTATE_90).save(photos / "turned.png", exif=turned)
    grey.save(photos / "grey.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(photos / "deep.png")
    photo.convert("CMYK").save(photos / "cmyk.jpg", quality=95)
    clear = photo.convert("RGBA")
    clear.putalpha(255)
    clear.save(photos / "clear.webp", lossless=True)
    (photos / "notes.txt").write_text("no photo")
    (photos / "broken.jpg").write_bytes(b"no photo")
    Image.new("RGB", (300, 200)).save(photos / "black.png")
    result = maskkit.build_folder(photos, tmp_path / "out", maskkit.FolderOptions(**SMALL), max_skipped=0.1)
    assert (result.kept, result.skipped, result.too_many_skipped) == (8, 2, True)
    assert sorted(result.reasons) == ["no face found", "not a picture of a known format (JPEG, PNG, BMP, PPM, TIFF, "
                                      "WEBP, GIF)"]  # fmt: skip
    found = rows(tmp_path / "out")
    assert list(found) == sorted(found)
    plain = found["collins.png"]
    assert np.abs(eye_centres(plain["landmarks"]) - ((ALIGNED_EYES + 0.5 - (0, 20)) * 64 / 178 - 0.5)).max() < 0.01
    for name, sample in found.items():
        limit = 1.5 if name in ("below/tilted.png", "large.png") else 0.8
        assert np.linalg.norm(sample["landmarks"] - plain["landmarks"], axis=1).mean() < limit, name
        middle = (slice(12, 52), slice(12, 52))
        difference = sample["image"][middle].mean(axis=-1) - plain["image"][middle].mean(axis=-1)
        assert np.abs(difference).mean() < 9, name
    assert maskkit.verify(tmp_path / "out").rows == 8


def test_several_faces_give_several_rows(photos: Path, faces_fixture: Path, tmp_path: Path) -> None:
    both = two_faces(faces_fixture)
    both.save(photos / "both.png")
    both.save(photos / "a#b.png")
    every = maskkit.FolderOptions(face="all", **SMALL)
    result = maskkit.build_folder(photos, tmp_path / "all", every)
    found = rows(tmp_path / "all")
    assert list(found) == ["both.png#001", "both.png#002", "collins.png#001"]
    assert found["both.png#001"]["box"][0] > 310 > found["both.png#002"]["box"][2]  # the largest is first
    assert result.reasons == {"the name holds #, which marks the faces of a photo": 1}
    assert [line["id"] for line in read_ledger(tmp_path / "all")] == ["a#b.png", *found]
    assert maskkit.verify(tmp_path / "all").skipped == 1
    second = maskkit.build_folder(photos, tmp_path / "second", maskkit.FolderOptions(face=2, **SMALL))
    assert second.reasons == {"face 2 was asked for, and 1 were found": 1}
    one = rows(tmp_path / "second")["both.png"]
    assert (one["landmarks"] == found["both.png#002"]["landmarks"]).all()


def test_a_stopped_build_of_several_faces_goes_on(photos: Path, faces_fixture: Path, tmp_path: Path) -> None:
    for number in range(5):
        two_faces(faces_fixture).save(photos / f"{number}.png")
    (photos / "2.png").write_bytes(b"no photo")
    options = maskkit.FolderOptions(face="all", val=0, shard_size=2, **SMALL)
    maskkit.build_folder(photos, tmp_path / "whole", options)

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        maskkit.build_folder(photos, tmp_path / "stopped", options, on_progress=stop)
    finished = read_dataset(tmp_path / "stopped").shards
    assert [(entry.rows, entry.covered) for entry in finished] == [(2, 1), (2, 1), (2, 2)]
    plans: list[maskkit.BuildPlan] = []
    maskkit.build_folder(photos, tmp_path / "stopped", options, on_plan=plans.append, workers=2)
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    assert plans[0].inputs == {"train": 6, "val": 0, "test": 0} and plans[0].bytes < 3 * (64 * 64 * 3 + 4000)


def test_attributes_and_splits_come_from_a_table(photos: Path, tmp_path: Path) -> None:
    for name in ("below/a.png", "b.png", "c.png"):
        shutil.copy(photos / "collins.png", photos / name)
    table = tmp_path / "people.csv"
    table.write_text(
        "photo,Glasses,part,Smile\nbelow/a.png,0,0,1\nb.png,1,val,1\ncollins.png,1,TEST,0\ngone.png,1,0,1\n"
    )
    options = maskkit.FolderOptions(table=table, split_column="part", **SMALL)
    result = maskkit.build_folder(photos, tmp_path / "out", options, max_skipped=1)
    assert result.splits == {"train": 1, "val": 1, "test": 1}
    assert {line["id"]: line["reason"] for line in read_ledger(tmp_path / "out") if line["reason"]} == {
        "c.png": "no row in people.csv",
        "gone.png": "no such photo",
    }
    reader = maskkit.ShardReader(tmp_path / "out", "val")
    assert (reader.attribute_names, reader[0]["attributes"].tolist()) == (("Glasses", "Smile"), [1, 1])
    some = maskkit.FolderOptions(table=table, attributes=("Smile",), **SMALL)
    assert maskkit.plan_folder(photos, tmp_path / "some", some).inputs == {"train": 5, "val": 0, "test": 0}
    table.write_text(table.read_text().replace(",val,", ",later,"))
    with pytest.raises(BuildError, match=r"people\.csv: b\.png has the split 'later'"):
        maskkit.build_folder(photos, tmp_path / "out", options)
    table.write_text(table.read_text().replace(",TEST,0", ",TEST,yes"))
    with pytest.raises(BuildError, match=r"people\.csv, line 4: 'yes' is neither 1 nor 0"):
        maskkit.build_folder(photos, tmp_path / "out", options)


def test_photos_that_a_table_does_not_name_are_left_out_and_no_failure(tmp_path: Path) -> None:
    photos = painted(tmp_path / "photos", [1] * 20)
    table = tmp_path / "people.csv"
    table.write_text("photo,Glasses\n" + "".join(f"{number:02d}.png,1\n" for number in range(10)))
    options = maskkit.FolderOptions(table=table, detector=Painted(), **SMALL)
    result = maskkit.build_folder(photos, tmp_path / "out", options)
    assert (result.kept, result.reasons, result.unasked) == (10, {"no row in people.csv": 10}, 10)
    assert not result.too_many_skipped and result.splits == {"train": 9, "val": 1}  # a tenth of those that are named


def test_a_table_of_found_points_is_one_that_a_build_takes(tmp_path: Path) -> None:
    photos = painted(tmp_path / "photos", [1, 1, 0, 1])
    (photos / "below").mkdir()
    (photos / "01.png").rename(photos / "below" / "01.png")
    found = maskkit.write_landmarks([photos], tmp_path / "points", format="csv", detector=Painted())
    assert len(found.failed) == 1
    options = maskkit.FolderOptions(landmarks=tmp_path / "points" / "landmarks.csv", **SMALL)
    result = maskkit.build_folder(photos, tmp_path / "out", options)
    assert (result.detectors, result.reasons) == ({"given": 3}, {"no row in landmarks.csv": 1})
    assert not result.too_many_skipped and set(rows(tmp_path / "out")) == {"00.png", "03.png", "below/01.png"}


def test_shares_and_plain_folders(photos: Path, tmp_path: Path) -> None:
    for number in range(9):
        shutil.copy(photos / "collins.png", photos / f"{number}.png")
    options = maskkit.FolderOptions(val=0.2, test=0.1, **SMALL)
    plan = maskkit.plan_folder(photos, tmp_path / "out", options)
    assert plan.inputs == {"train": 7, "val": 2, "test": 1}
    assert maskkit.plan_folder(photos, tmp_path / "out", options).inputs == plan.inputs
    assert maskkit.plan_folder(photos, tmp_path / "out").inputs == {"train": 9, "val": 1, "test": 0}
    for wrong, message in (
        (maskkit.FolderOptions(val=0.6, test=0.5), "must leave something to train"),
        (maskkit.FolderOptions(face=0), "0 chooses no face"),
        (maskkit.FolderOptions(detector="usual-box"), "no detector 'usual-box'"),
        (maskkit.FolderOptions(attributes=("Young",)), "need a table"),
        (maskkit.FolderOptions(split_column="part"), "needs a table"),
        (maskkit.FolderOptions(size=2048), "does not fit the memory; take a shard size of 256 or less"),
        (maskkit.FolderOptions(landmarks=tmp_path / "points.csv", quality=True), "no quality score"),
    ):
        with pytest.raises(BuildError, match=message):
            maskkit.build_folder(photos, tmp_path / "out", wrong)
    with pytest.raises(BuildError, match=r"neither a folder of photos nor a \.zip"):
        maskkit.build_folder(photos / "0.png", tmp_path / "out")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BuildError, match="there are no photos"):
        maskkit.build_folder(empty, tmp_path / "out")


def test_quality_and_a_detector_of_ones_own_in_two_workers(photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "collins.png", photos / "again.png")
    options = maskkit.FolderOptions(detector=Middle(), quality=True, **SMALL)
    result = maskkit.build_folder(photos, tmp_path / "out", options, workers=2)
    assert result.detectors == {"middle": 2}
    sample = maskkit.ShardReader(tmp_path / "out")[0]
    image = maskkit.read_image(photos / "again.png")
    assert sample["quality"] == pytest.approx(maskkit.quality(image, Middle().find(image)[0]))
    lines = read_ledger(tmp_path / "out")
    assert [line["quality"] for line in lines] == [f"{sample['quality']:.4f}"] * 2
    assert maskkit.verify(tmp_path / "out").rows == 2
    with pytest.raises(BuildError, match="cannot be sent to workers"):
        local = type("Local", (Middle,), {})
        maskkit.build_folder(photos, tmp_path / "local", maskkit.FolderOptions(detector=local(), **SMALL), workers=2)
    named = type("Named", (Middle,), {"name": "hog"})
    with pytest.raises(BuildError, match="'hog' is no name for a detector of your own"):
        maskkit.build_folder(photos, tmp_path / "named", maskkit.FolderOptions(detector=named(), **SMALL))


def test_another_set_of_steps_is_refused(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mtcnn, "available", lambda: False)
    maskkit.build_folder(photos, tmp_path / "out", maskkit.FolderOptions(**SMALL))
    assert read_dataset(tmp_path / "out").options["steps"] == ["hog", "hog-upsampled"]
    monkeypatch.setattr(mtcnn, "available", lambda: True)
    with pytest.raises(BuildError, match=r"begun with steps \['hog', 'hog-upsampled'\], and now it is"):
        maskkit.build_folder(photos, tmp_path / "out", maskkit.FolderOptions(**SMALL))


def test_a_large_photo_is_not_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlib_models, "detector", lambda: pytest.fail("the picture was enlarged"))
    assert dlib_models.find_boxes(np.zeros((4001, 4001, 3), dtype=np.uint8), 1) == []


def test_workers_end_with_a_killed_build(photos: Path, tmp_path: Path) -> None:
    for number in range(40):
        shutil.copy(photos / "collins.png", photos / f"{number}.png")
    code = "from cli.maskkit_command import main; main()"
    command = [sys.executable, "-c", code, "build-folder", photos, tmp_path / "out", "--workers", "2", "--size", "64"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(_group(process.pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while _group(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = _group(process.pid)
    if left:
        os.killpg(process.pid, signal.SIGKILL)
    assert left == []


def _group(leader: int) -> list[int]:
    """The processes of a group that run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[2]) == leader:
            found.append(int(folder.name))
    return found


def test_frames_of_videos_are_photos_and_stay_in_one_split(photos: Path, faces_fixture: Path, tmp_path: Path) -> None:
    face = np.asarray(collins(faces_fixture).convert("RGB"))
    for number in range(3):
        write_film(photos / "below" / f"clip{number}.mp4", [np.roll(face, i, axis=1) for i in range(5)])
    (photos / "cut.mp4").write_bytes((photos / "below" / "clip0.mp4").read_bytes()[:500])
    table = tmp_path / "table.csv"
    table.write_text("id,Young\ncollins.png,0\n" + "".join(f"below/clip{n}.mp4,1\n" for n in range(3)))
    options = maskkit.FolderOptions(**SMALL, detector="hog", every=2, val=0.3, table=table)
    result = maskkit.build_folder(photos, tmp_path / "out", options)
    lines = {line["id"]: line for line in read_ledger(tmp_path / "out")}
    frames = {f"below/clip{n}.mp4/{i:06d}" for n in range(3) for i in (0, 2, 4)}
    assert set(lines) == {"collins.png", "cut.mp4", *frames} and result.kept == 10
    assert "not a video that can be read" in lines["cut.mp4"]["reason"]
    by_clip = {n: {lines[name]["split"] for name in frames if f"clip{n}" in name} for n in range(3)}
    assert all(len(splits) == 1 for splits in by_clip.values())
    assert sorted(next(iter(splits)) for splits in by_clip.values()) == ["train", "train", "val"]
    assert read_dataset(tmp_path / "out").options["every"] == 2
    learned = next(n for n, splits in by_clip.items() if splits == {"train"})
    found = rows(tmp_path / "out")[f"below/clip{learned}.mp4/000002"]
    assert found["attributes"].tolist() == [1]
    np.testing.assert_allclose(eye_centres(found["landmarks"]), (ALIGNED_EYES + 0.5 - (0, 20)) * 64 / 178 - 0.5, atol=1)
    with pytest.raises(BuildError, match="no photo and no whole video falls to test"):
        maskkit.plan_folder(photos / "below", tmp_path / "other", maskkit.FolderOptions(**SMALL, every=2, test=0.1))
    again = PhotoFolder(photos, 2)
    backwards = [again.read(f"below/clip1.mp4/{i:06d}") for i in (4, 2, 0)]
    np.testing.assert_array_equal(backwards[1], again.read("below/clip1.mp4/000002"))
