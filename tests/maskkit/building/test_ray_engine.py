"""Builds on a real local Ray: the same bytes, workers that die, machines that are not as they should be, signals."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

import maskkit
from maskkit.building import ray_engine
from maskkit.building.inputs import Input
from maskkit.building.photo_rows import PhotoTask
from maskkit.building.ray_engine import RayEngine
from maskkit.errors import BuildError, ImageError, MissingExtraError
from maskkit.masks.regions import load_scheme
from maskkit.photos.archive import PhotoFolder
from maskkit.photos.images import Picture
from maskkit.shards.versions import tool_versions
from maskkit.shards.writer import Skip

OPTIONS = maskkit.BuildOptions(size=32, shard_size=20, detector="hog", attributes=("Young",))


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """A Ray of two workers for all the tests here; builds find it and leave it running."""
    pytest.importorskip("ray", reason="needs ray: pip install -e '.[ray]'")
    with RayEngine(2).connected():
        yield


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def task(photos: Path) -> PhotoTask:
    return PhotoTask(PhotoFolder(photos), 178, 32, ("hog",), load_scheme("scgan"))


def inputs(count: int) -> list[Input]:
    return [Input(f"{number:06d}.jpg", (), "train") for number in range(1, count + 1)]


def test_the_same_bytes_as_without_ray(ray_here: None, celeba_fixture: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(celeba_fixture, tmp_path / "celeba"))
    photos = root / "img_align_celeba"
    (photos / "000003.jpg").write_bytes(b"no photo")
    Image.new("RGB", (178, 218)).save(photos / "000004.jpg")
    maskkit.build_celeba(root, tmp_path / "local", OPTIONS)
    for name, workers in (("ray", None), ("one", 1)):
        result = maskkit.build_celeba(root, tmp_path / name, OPTIONS, engine="ray", workers=workers)
        assert (result.kept, result.skipped) == (70, 2)
        assert contents(tmp_path / name) == contents(tmp_path / "local")


@dataclass(frozen=True)
class Fatal:
    """A detector that kills its worker, once if `marker` can be made."""

    marker: Path
    name: str = "fatal"

    def find(self, image: Picture) -> list[maskkit.Face]:
        try:
            self.marker.touch(exist_ok=False)
        except FileExistsError:
            return maskkit.detect(image, "hog")
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def test_a_worker_that_dies_is_replaced(ray_here: None, celeba_fixture: Path, tmp_path: Path) -> None:
    options = replace(OPTIONS, detector=Fatal(tmp_path / "died"), limit=40)
    maskkit.build_celeba(celeba_fixture, tmp_path / "ray", options, engine="ray", workers=2)
    assert (tmp_path / "died").exists()
    maskkit.build_celeba(celeba_fixture, tmp_path / "local", options)  # nobody dies now
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


def test_workers_that_die_every_time_end_the_build(
    ray_here: None, celeba_fixture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "RETRIES", 0)  # three would only take their time

    class Always(Fatal):  # of a function, so that it travels by value
        def find(self, image: Picture) -> list[maskkit.Face]:
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError

    options = replace(OPTIONS, detector=Always(tmp_path), limit=8)
    with pytest.raises(BuildError, match=r"^Ray could not finish the work \(.*\); run it again to go on"):
        maskkit.build_celeba(celeba_fixture, tmp_path / "out", options, engine="ray")


@dataclass(frozen=True)
class OnlyHere:
    """Photos that lie on one machine alone: other processes stand for other machines."""

    folder: PhotoFolder
    process: int

    def names(self) -> dict[str, str]:
        return self.folder.names()

    def read(self, name: str) -> Picture:
        if os.getpid() != self.process and name == "000002.jpg":
            raise ImageError("No such file or directory")
        return self.folder.read(name)


def test_a_photo_that_a_machine_cannot_reach_is_not_left_out(
    ray_here: None, celeba_fixture: Path, tmp_path: Path
) -> None:
    photos = Path(shutil.copytree(celeba_fixture / "img_align_celeba", tmp_path / "photos"))
    apart = replace(task(photos), photos=OnlyHere(PhotoFolder(photos), os.getpid()))
    with pytest.raises(BuildError, match=r"the machine \S+ cannot read the photo 000002\.jpg \(No such file or direct"):
        list(RayEngine().process(inputs(3), apart, 2, tool_versions(["hog"])))
    (photos / "000002.jpg").write_bytes(b"no photo")  # then nobody can read it, and the reason is this machine's
    outcomes = list(RayEngine().process(inputs(3), apart, 2, tool_versions(["hog"])))
    assert isinstance(outcomes[1], Skip) and outcomes[1].reason.startswith("not a picture of a known format")
    assert len(outcomes[0]) == len(outcomes[2]) == 1


def test_other_versions_are_refused(ray_here: None, celeba_fixture: Path) -> None:
    versions = {**tool_versions(["hog"]), "opencv": "1.0"}
    with pytest.raises(BuildError, match=r"^the machine \S+: opencv is .*, and the build began with 1\.0; all"):
        list(RayEngine().process(inputs(1), task(celeba_fixture / "img_align_celeba"), 1, versions))


def test_a_detector_that_cannot_travel_and_engines_that_are_not_there(
    celeba_fixture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install -e '.[ray]'")
    bound = Fatal(tmp_path)
    object.__setattr__(bound, "file", (tmp_path / "open").open("w"))
    with pytest.raises(BuildError, match="the detector fatal cannot be sent to workers"):
        maskkit.build_celeba(celeba_fixture, tmp_path / "out", replace(OPTIONS, detector=bound), engine="ray")
    with pytest.raises(BuildError, match="there is no engine 'dask': take one of local, ray"):
        maskkit.build_celeba(celeba_fixture, tmp_path / "out", OPTIONS, engine="dask")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"the engine ray needs ray.*pip install -e '.*\[ray\]'"):
        maskkit.build_celeba(celeba_fixture, tmp_path / "out", OPTIONS, engine="ray")
    assert not (tmp_path / "out").exists()


def test_a_cluster_that_does_not_answer(celeba_fixture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install -e '.[ray]'")
    monkeypatch.setattr(ray_engine, "PATIENCE", 0.5)
    for address in ("127.0.0.1:9", "ray://127.0.0.1:9", "nonsense"):
        monkeypatch.setenv("RAY_ADDRESS", address)
        monkeypatch.setattr(ray_engine.import_ray(), "is_initialized", lambda: False)
        with pytest.raises(BuildError, match=f"RAY_ADDRESS is {address}, and no cluster answers there"):
            maskkit.build_celeba(celeba_fixture, tmp_path / "out", OPTIONS, engine="ray")
    assert not (tmp_path / "out").exists()


def test_sigterm_to_all_ends_the_build_and_rays_processes(celeba_fixture: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install -e '.[ray]'")
    code = "from cli.maskkit_command import main; main()"
    arguments = ["build-celeba", celeba_fixture, tmp_path / "out", "--size", "32", "--shard-size", "4"]
    command = [sys.executable, "-c", code, *map(str, arguments), "--engine", "ray", "--workers", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not list((tmp_path / "out").glob("*.h5")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)  # as `timeout` sends it
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.splitlines()[-1]) == (143, "terminated"), errors
    assert len(errors.splitlines()) <= 4  # the plan and the progress, and nothing of Ray's
    deadline = time.monotonic() + 10
    while _session(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _session(process.pid) == []


def _session(leader: int) -> list[str]:
    """The command lines of the processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            line = (folder / "cmdline").read_text()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[3]) == leader:
            found.append(line)
    return found
