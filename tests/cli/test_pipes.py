"""Named pipes where files belong: nothing waits for them, and each is named in a sentence."""

import os
import shutil
import socket
from pathlib import Path

import pytest

import maskkit
from gan.runs.checkpoint import checkpoint_paths
from maskkit.errors import MaskkitError
from maskkit.files.regular import open_regular
from tests.cli.conftest import Command

SAID = "a named pipe, and only regular files are read"


def pipe(path: Path) -> Path:
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=SAID):
        open_regular(pipe(tmp_path / "pipe"))
    with pytest.raises(OSError, match="a device, and only regular files are read"):
        open_regular("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(OSError, match="a socket, and only regular files are read"):
            open_regular(tmp_path / "s")
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    with pytest.raises(OSError, match=SAID):
        open_regular(tmp_path / "link")


@pytest.mark.parametrize("name", ["face.png", "face.pts", "face.json", "face.csv"])
def test_pipes_named_to_segment(command: Command, tmp_path: Path, name: str) -> None:
    path = pipe(tmp_path / name)
    size = () if name == "face.png" else ("--size", 64)  # a photo has its own
    status, said = command("maskkit", "segment", path, "-o", tmp_path / "out", *size)
    assert status == 1 and f"{path}: {SAID}" in said


def test_pipes_in_a_data_set(command: Command, drawn_shards: Path, tmp_path: Path) -> None:
    for name in ("dataset.json", "train-00000.h5", "ledger.csv"):
        folder = Path(shutil.copytree(drawn_shards, tmp_path / name))
        path = pipe(folder / name)
        status, said = command("maskkit", "verify", folder)
        assert status == 1 and str(path) in said and "named pipe" in said
    shard = tmp_path / "dataset.json" / "val-00000.h5"
    with pytest.raises(MaskkitError, match="named pipe"):
        maskkit.write_morph([f"{pipe(shard)}#0", f"{shard}#1"], tmp_path / "morph.csv")


def test_pipes_in_a_build(command: Command, celeba_fixture: Path, tmp_path: Path) -> None:
    for name in ("list_attr_celeba.txt", "list_eval_partition.txt"):
        root = Path(shutil.copytree(celeba_fixture, tmp_path / name))
        path = pipe(root / name)
        status, said = command("maskkit", "build-celeba", root, tmp_path / "out", "--workers", 1)
        assert status == 1 and f"{path}: {SAID}" in said
    photos = tmp_path / "photos"
    photos.mkdir()
    pipe(photos / "a.jpg")
    status, said = command("maskkit", "build-folder", photos, tmp_path / "shards", "--workers", 1)
    assert status == 1 and SAID in (tmp_path / "shards" / "dataset.json").read_text()
    status, said = command("maskkit", "build-folder", pipe(tmp_path / "photos.zip"), tmp_path / "zipped")
    assert status == 1 and SAID in said


def test_pipes_in_an_import(command: Command, drawn_shards: Path, tmp_path: Path) -> None:
    for name in ("samples.csv", "landmarks.csv", "scheme.json", "export.json"):
        source = tmp_path / name
        maskkit.export_shards(drawn_shards, source, "palette")
        path = pipe(source / name)
        status, said = command("maskkit", "import", source, tmp_path / "out", "--format", "label-png")
        assert status == 1 and str(path) in said and SAID in said


def test_pipes_in_a_run(command: Command, small_run: Path, drawn_shards: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    pipe(run / "metrics.jsonl")
    status, said = command("gan", "figure", "losses", run, "-o", tmp_path / "losses.png")
    assert status == 1 and "metrics.jsonl" in said and SAID in said
    weights = pipe(tmp_path / "G.safetensors")
    for path in (checkpoint_paths(run)[0], weights):
        if path != weights:
            pipe(path)
        status, said = command("gan", "sample", path, "-o", tmp_path / "grid.png", "--shards", drawn_shards)
        assert status == 1 and str(path) in said and SAID in said
    status, said = command("gan", "import-release", pipe(tmp_path / "x_G.pth"), "-o", tmp_path / "y.safetensors")
    assert status == 1 and SAID in said
    (run / "config.toml").unlink()
    status, said = command("gan", "sample", run, "-o", tmp_path / "grid.png")
    assert status == 1 and "config.toml" in said
