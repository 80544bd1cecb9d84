"""Builds that were stopped: they go on to the same bytes, or refuse another request and lose nothing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import maskkit
from maskkit.building.resume import find_begun, open_folder
from maskkit.errors import BuildError
from maskkit.shards.description import Dataset, read_dataset
from tests.drawn import write_drawn_shards
from tests.maskkit.building.small_builds import OPTIONS, contents


def test_killed_builds_go_on_to_the_same_bytes(built: Path, celeba_fixture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-c",
        "from cli.maskkit_command import main; main()",
        "build-celeba",
        celeba_fixture,
        out,
    ]
    command += ["--size", "32", "--shard-size", "10", "--attributes", "Blond_Hair,Young", "--workers", "1"]
    for shards in (1, 3):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(list(out.glob("*.h5"))) < shards and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the build ended before it could be killed"
        assert not read_dataset(out).complete
    maskkit.build_celeba(celeba_fixture, out, OPTIONS)
    assert contents(out) == contents(built)


def test_other_options_are_refused_and_lose_nothing_fresh_begins_anew(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    maskkit.build_celeba(root, out, OPTIONS)
    before = contents(out)
    with pytest.raises(BuildError, match=r"begun with size 32, and now it is 48.*--fresh"):
        maskkit.build_celeba(root, out, maskkit.BuildOptions(size=48, shard_size=10, attributes=OPTIONS.attributes))
    (root / "img_align_celeba" / "000005.jpg").unlink()
    with pytest.raises(BuildError, match="inputs_sha256"):
        maskkit.build_celeba(root, out, OPTIONS)
    assert contents(out) == before
    assert maskkit.build_celeba(root, out, OPTIONS, fresh=True).kept == 11
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "preview.png").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(BuildError, match="not empty"):
            maskkit.build_celeba(root, stranger, OPTIONS, fresh=fresh)
    assert (stranger / "preview.png").read_text() == "mine"


def test_leftovers_are_swept_and_derived_files_made_again(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    maskkit.build_celeba(root, out, OPTIONS)
    before = contents(out)
    (out / ".train-00002.h5.123-0123abcd.partial").write_bytes(b"half")
    (out / "ledger.csv").unlink()
    mine = {"notes.txt": b"mine", "train-00007.h5": b"mine too", ".train-00002.h5.partial": b"and this"}
    for name, content in mine.items():
        (out / name).write_bytes(content)
    maskkit.build_celeba(root, out, OPTIONS)
    assert contents(out) == {**before, **mine}
    with pytest.raises(BuildError, match=r"train-00007\.h5 is not one of the data set's"):
        maskkit.build_celeba(root, out, OPTIONS, fresh=True)
    assert contents(out) == {**before, **mine}
    (out / "train-00007.h5").unlink()
    maskkit.build_celeba(root, out, OPTIONS, fresh=True)
    del mine["train-00007.h5"]
    assert contents(out) == {**before, **mine}


def request(folder: Path, **changes: object) -> Dataset:
    """A request that equals the one by which the drawn shards in a folder were made, but for the changes."""
    earlier = read_dataset(folder)
    dataset = Dataset(earlier.scheme, earlier.size, earlier.attribute_names, earlier.source, {}, {})
    for name, value in changes.items():
        setattr(dataset, name, value)
    return dataset


def test_looking_for_a_stopped_build_changes_nothing(tmp_path: Path) -> None:
    folder = write_drawn_shards(tmp_path / "shards", {"train": 20})
    stopped = read_dataset(folder)
    stopped.complete, stopped.shards = False, stopped.shards[:1]
    stopped.write(folder)
    for name in ("ledger.csv", "preview.png"):
        (folder / name).unlink(missing_ok=True)
    before = contents(folder)
    same = request(folder)
    found = find_begun(folder, same, False)
    assert [entry.file for entry in found.shards] == ["train-00000.h5"]
    assert find_begun(folder, same, True) is same
    with pytest.raises(BuildError, match="begun with scheme"):
        find_begun(folder, request(folder, scheme=maskkit.load_scheme("secgan")), False)
    assert find_begun(tmp_path / "nowhere", same, False) is same
    assert contents(folder) == before and not (tmp_path / "nowhere").exists()
    assert [entry.file for entry in open_folder(folder, same, False).shards] == ["train-00000.h5"]
    assert sorted(contents(folder)) == ["dataset.json", "train-00000.h5"]  # what is not promised is swept


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_shard_that_is_not_as_promised_is_not_gone_on_with(tmp_path: Path, damage: str) -> None:
    folder = write_drawn_shards(tmp_path / "shards", {"train": 20})
    path = folder / "train-00001.h5"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    before = contents(folder)
    with pytest.raises(BuildError, match=r"train-00001\.h5 is missing or not what dataset\.json promises"):
        open_folder(folder, request(folder), False)
    assert contents(folder) == before
