"""`maskkit inspect` and `maskkit morph` as a user meets them."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

import maskkit
from tests.cli.test_maskkit_command import command
from tests.drawn import face_points


def test_inspect_prints_a_table_one_json_object_and_writes_a_page(drawn_shards: Path, tmp_path: Path) -> None:
    page = tmp_path / "made" / "report.html"
    result = command("inspect", drawn_shards, "-o", page, "--rows", 3, "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["rows"], report["splits"]["val"]["detectors"], report["report"]) == (48, {"hog": 8}, str(page))
    assert page.read_text().count("data:image/jpeg") >= 2 + 3
    table = command("inspect", drawn_shards)
    assert table.returncode == 0, table.stderr
    assert f"{report['splits']['train']['areas']['skin']['mean']:.2%}" in table.stdout
    again = command("inspect", drawn_shards, "-o", page)
    assert (again.returncode, "exists" in again.stderr, "inspecting" in again.stderr) == (1, True, False)
    nothing = command("inspect", tmp_path)
    assert (nothing.returncode, "holds no dataset.json" in nothing.stderr) == (1, True)


def test_a_morph_of_a_turning_head_over_its_photo(drawn_shards: Path, tmp_path: Path) -> None:
    face = f"{drawn_shards}/train-00000.h5#3"
    wishes = ("--frames", 5, "--play", "ping-pong", "--easing", "sine", "--show", "overlay", "--scale", 1, "--json")
    result = command("morph", face, f"mirror:{face}", "-o", tmp_path / "turn.mp4", "--size", 64, *wishes)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["frames"] == 8 and report["flicker"]["changed"] > 0
    with av.open(str(tmp_path / "turn.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(frames) == 8
    symmetric = np.abs(frames[1].astype(int) - frames[7]).mean()
    assert symmetric < 2 < np.abs(frames[0].astype(int) - frames[4]).mean()


def test_three_keys_aligned_onto_the_first(tmp_path: Path) -> None:
    for name, scale in (("a", 1), ("b", 5), ("c", 0.3)):
        maskkit.write_points(tmp_path / f"{name}.pts", face_points(64, opening=scale / 80) * scale)
    keys = [tmp_path / f"{name}.pts" for name in "abc"]
    result = command("morph", *keys, "-o", tmp_path / "m.npz", "--align", "first", "--frames", 5, "--size", 64)
    assert result.returncode == 0, result.stderr
    with np.load(tmp_path / "m.npz") as content:
        nose = content["points"][:, 27:36]
    assert nose == pytest.approx(np.broadcast_to(nose[:1], nose.shape), abs=1e-3)
    wrong = command("morph", *keys, "-o", tmp_path / "n.npz", "--play", "loop", "--beyond", 0.5)
    assert (wrong.returncode, "a loop has no ends" in wrong.stderr) == (1, True)
