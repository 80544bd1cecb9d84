"""The command `maskkit` as a user meets it: results, exit statuses, sentences, JSON."""

import json
import os
import re
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
from tests.drawn import face_points

RUN = [sys.executable, "-c", "from cli.maskkit_command import main; main()"]


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `maskkit`, and hold it to what always holds: a known status and never a traceback."""
    result = subprocess.run(
        [*RUN, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert result.returncode in (0, 1, 2)
    assert "Traceback" not in result.stderr
    return result


def test_help_of_every_command_carries_an_example() -> None:
    commands = (
        "build-celeba",
        "build-folder",
        "landmarks",
        "segment",
        "morph",
        "inspect",
        "export",
        "import",
        "verify",
        "doctor",
    )
    listed = command("--help").stdout
    for name in commands:
        assert name in listed
        assert f"maskkit {name}" in re.split(r"Examples?:", command(name, "--help").stdout)[1]


def test_points_masks_and_a_morph_of_photos(faces_fixture: Path, tmp_path: Path) -> None:
    result = command("landmarks", faces_fixture, "-o", tmp_path / "points", "--json")
    assert result.returncode == 0
    assert len(json.loads(result.stdout)["found"]) == 2
    points = maskkit.read_points(tmp_path / "points" / "collins.pts")

    segment = command("segment", faces_fixture / "collins.jpg", "-o", tmp_path / "masks", "--overlay", "--json")
    areas = json.loads(segment.stdout)["found"][str(faces_fixture / "collins.jpg")]["areas"]
    mask = np.asarray(Image.open(tmp_path / "masks" / "collins.png"))
    assert (mask == maskkit.rasterize(points, mask.shape)).all()
    assert areas["skin"] == (mask == 1).sum()
    assert (tmp_path / "masks" / "collins.overlay.jpg").exists()

    ends = (faces_fixture / "collins.jpg", tmp_path / "points" / "hopper.pts")
    morph = command("morph", *ends, "-o", tmp_path / "m.npz", "--frames", 5, "--size", 64)
    assert morph.returncode == 0, morph.stderr
    with np.load(tmp_path / "m.npz") as content:
        assert (content["masks"] == maskkit.rasterize(content["points"], 64)).all()
        assert content["masks"].shape == (5, 64, 64)
    again = command("morph", *ends, "-o", tmp_path / "m.npz")
    assert (again.returncode, "exists" in again.stderr) == (1, True)


def test_inputs_and_each_other_s_results_are_never_replaced(faces_fixture: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        shutil.copytree(faces_fixture, tmp_path / folder)
    both = command("landmarks", tmp_path / "one", tmp_path / "two", "-o", tmp_path / "points", "--overwrite")
    assert (both.returncode, "results of one name" in both.stderr) == (1, True)
    photo = tmp_path / "face.png"
    Image.open(faces_fixture / "collins.jpg").save(photo)
    before = photo.read_bytes()
    onto = command("segment", photo, "-o", tmp_path, "--overwrite")
    assert (onto.returncode, "is one of the inputs" in onto.stderr) == (1, True)
    assert photo.read_bytes() == before


def test_a_shorter_morph_leaves_no_frames_of_a_longer_one(tmp_path: Path) -> None:
    maskkit.write_points(tmp_path / "a.pts", face_points(64))
    for frames in (5, 3):
        arguments = ("morph", tmp_path / "a.pts", tmp_path / "a.pts", "-o", tmp_path / "m", "--frames", frames)
        assert command(*arguments, "--overwrite").returncode == 0
        assert len(list((tmp_path / "m").glob("*.png"))) == frames
    with Image.open(tmp_path / "m" / "frame-0000.png") as image:
        assert image.mode == "P"


def test_the_csv_of_points_is_refused_before_the_work(faces_fixture: Path, tmp_path: Path) -> None:
    (tmp_path / "landmarks.csv").write_text("mine")
    result = command("landmarks", faces_fixture, "-o", tmp_path, "--format", "csv")
    assert (result.returncode, "finding faces" in result.stderr) == (1, False)
    assert (tmp_path / "landmarks.csv").read_text() == "mine"


@pytest.mark.parametrize("kind", ["palette", "grey", "npy", "one-hot"])
def test_mask_formats_hold_the_same_labels(tmp_path: Path, kind: str) -> None:
    points = face_points(50)
    maskkit.write_points(tmp_path / "face.json", points)
    truth = maskkit.rasterize(points, (40, 60))
    result = command("segment", tmp_path / "face.json", "-o", tmp_path, "--size", "60x40", "--format", kind)
    assert result.returncode == 0, result.stderr
    if kind == "one-hot":
        labels = maskkit.from_one_hot(np.load(tmp_path / "face.npz")["one_hot"])
    else:
        path = tmp_path / ("face.npy" if kind == "npy" else "face.png")
        labels = np.load(path) if kind == "npy" else np.asarray(Image.open(path))
    assert (labels == truth).all()


def test_build_and_verify(celeba_fixture: Path, tmp_path: Path) -> None:
    arguments = ("build-celeba", celeba_fixture, tmp_path / "out", "--limit", 6, "--size", 32, "--workers", 1)
    plan = json.loads(command(*arguments, "--dry-run", "--json").stdout)
    assert plan["inputs"] == {"train": 6, "val": 0, "test": 0}
    assert not (tmp_path / "out").exists()
    result = command(*arguments, "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["detectors"] == {"hog": 6}
    assert json.loads(command("verify", tmp_path / "out", "--json").stdout) == {"shards": 1, "rows": 6, "skipped": 0}
    shard = tmp_path / "out" / "train-00000.h5"
    shard.write_bytes(shard.read_bytes()[:5000])
    broken = command("verify", tmp_path / "out")
    assert broken.returncode == 1
    assert str(shard) in broken.stderr


def test_too_many_skipped_photos_fail_after_all_is_written(celeba_fixture: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(celeba_fixture, tmp_path / "celeba"))
    (root / "img_align_celeba" / "000002.jpg").write_bytes(b"")
    arguments = ("build-celeba", root, tmp_path / "out", "--limit", 4, "--size", 32, "--workers", 1)
    result = command(*arguments)
    assert (result.returncode, "25.0% of the photos were left out" in result.stderr) == (1, True)
    assert maskkit.verify(tmp_path / "out").rows == 3
    assert command(*arguments, "--max-skipped", 0.3).returncode == 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stopped_build_says_so_and_goes_on(celeba_fixture: Path, tmp_path: Path, name: str) -> None:
    arguments = ["build-celeba", celeba_fixture, tmp_path / "out", "--size", 32, "--shard-size", 8, "--workers", 2]
    process = subprocess.Popen([*RUN, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
    while not list((tmp_path / "out").glob("*.h5")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}[name], errors
    assert "Traceback" not in errors
    assert command(*arguments).returncode == 0
    assert maskkit.verify(tmp_path / "out").rows == 72


def test_hostile_photos_end_in_the_right_result_or_a_sentence(real_data: Path, tmp_path: Path) -> None:
    files = sorted(path for path in (real_data / "hard").rglob("*") if path.is_file())
    faceless = {"grass_no_face.jpg", "broken.png", "transparent.png"}
    result = command("segment", *(f for f in files if f.suffix != ".txt"), "-o", tmp_path / "masks", "--json")
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert {Path(name).name for name in report["failed"]} == faceless
    for name, message in report["failed"].items():
        assert name in message
    assert len(report["found"]) == len(files) - 2 - len(faceless)
    for table in (path for path in files if path.suffix == ".txt"):
        root = tmp_path / table.stem
        (root / "img_align_celeba").mkdir(parents=True)
        shutil.copy(table, root / "list_attr_celeba.txt")
        built = command("build-celeba", root, tmp_path / "out", "--workers", 1)
        assert built.returncode == 1
        assert str(root) in built.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("build-celeba", "{nowhere}", "{tmp}/out"), 1, "{nowhere}: no such folder"),
        (("verify", "{nowhere}"), 1, "{nowhere} holds no dataset.json"),
        (("landmarks", "{nowhere}", "-o", "{tmp}/out"), 2, "{nowhere}"),
        (("segment", "{tmp}/face.pts", "-o", "{tmp}/out"), 2, "give --size"),
        (("segment", "{tmp}/face.pts", "-o", "{tmp}/out", "--size", "big"), 2, "'big'"),
        (("segment", "{tmp}/face.pts", "-o", "{tmp}/face.pts/out", "--size", "64"), 1, "could not be made"),
        (("morph", "{tmp}/face.pts", "{nowhere}.pts", "-o", "{tmp}/m.gif"), 1, "{nowhere}.pts: No such file"),
        (("morph", "{tmp}/face.pts", "{tmp}/face.pts", "-o", "{tmp}/m.avi"), 1, "m.avi"),
        (("morph", "{tmp}/face.pts"), 2, "Missing option"),
        (("morph", "{tmp}/face.pts", "{tmp}/face.pts", "-o", "."), 1, "no name for a result"),
        (("morph", "{tmp}/face.pts", "{tmp}/face.pts", "-o", "{tmp}", "--overwrite"), 1, "holds the input"),
        (("morph", "x.h5#" + "9" * 400, "{tmp}/face.pts", "-o", "{tmp}/m.gif"), 1, "neither a shard row"),
        (("segment", "{tmp}/face.pts", "-o", "{tmp}/out", "--size", "\u00b2"), 2, "give SIDE"),
        (("segment", "{tmp}/face.pts", "-o", "{tmp}/out", "--size", "99999"), 2, "1 to 16384"),
        (("build-celeba", "{tmp}", "{tmp}/out", "--detector", "magic"), 2, "magic"),
    ],
)
def test_wrong_usage_and_missing_things_end_in_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    maskkit.write_points(tmp_path / "face.pts", face_points(64))
    places = {"tmp": tmp_path, "nowhere": tmp_path / "nowhere"}
    result = command(*(argument.format(**places) for argument in arguments))
    assert result.returncode == status
    assert said.format(**places) in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face.pts"]


def test_without_the_model_the_way_out_is_named(celeba_fixture: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "gone.dat")
    result = command("build-celeba", celeba_fixture, tmp_path / "out", MASKKIT_DLIB_MODEL=missing)
    assert (result.returncode, f"{missing}, and there is no such file" in result.stderr) == (1, True)
    assert not (tmp_path / "out").exists()
    doctor = json.loads(command("doctor", "--json", MASKKIT_DLIB_MODEL=missing).stdout)["findings"]
    assert {finding["name"]: finding["found"] for finding in doctor}["68-point model"] is False


def test_masks_from_points_need_neither_dlib_nor_torch(tmp_path: Path) -> None:
    maskkit.write_points(tmp_path / "face.pts", face_points(64))
    script = (
        "import sys\n"
        "sys.modules.update(dlib=None, torch=None, av=None, face_recognition_models=None)\n"
        f"sys.argv = ['maskkit', 'segment', {str(tmp_path / 'face.pts')!r}, '-o', {str(tmp_path)!r}, '--size', '64']\n"
        "from cli.maskkit_command import main\n"
        "main()\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "face.png").exists()
