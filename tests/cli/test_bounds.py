"""Files that ask for far more than they hold, and names that do more than name."""

import json
import logging
import os
import resource
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import h5py
import numpy as np
import pytest

import maskkit
from cli.shared import progress, run
from maskkit.errors import BuildError, ExchangeError, ImageError, ShardError
from maskkit.files.plain_text import for_terminal, plain
from maskkit.photos.archive import PhotoFolder, open_zip
from maskkit.shards.description import DIGEST, read_dataset
from tests.cli.conftest import Command
from tests.drawn import write_drawn_shards
from tests.gan.conftest import SMALL

ESCAPE = "\x1b]0;mine\x07\x1b[31m"


@pytest.fixture
def little_memory() -> Iterator[None]:
    """An address space of 400 MB more than there is."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (400 << 20), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def test_a_zip_that_packs_more_than_it_says(tmp_path: Path, little_memory: None) -> None:
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("bomb.png", "w") as member:
        for _ in range(300):
            member.write(bytes(2 << 20))
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = (1000).to_bytes(4, "little")  # the size in the table of contents
    path.write_bytes(bytes(content))
    with pytest.raises(ImageError, match="cannot be unpacked"):
        open_zip(path).read("bomb.png")


def test_chunks_that_are_unpacked_for_each_row(drawn_shards: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(drawn_shards / "val-00000.h5", tmp_path / "lone.h5"))
    with h5py.File(path, "r+") as file:
        image = file["image"][:]
        del file["image"]
        file.create_dataset(
            "image", data=image, chunks=(4096, 64, 64, 1), maxshape=(None, 64, 64, 3), compression="gzip"
        )
    with pytest.raises(ShardError, match=r"image lies in chunks of \(4096, 64, 64, 1\), and 50,331,648 bytes would be"):
        maskkit.shards.reader.Shard(path)


def test_a_description_of_a_million_names(drawn_shards: Path, tmp_path: Path, little_memory: None) -> None:
    folder = Path(shutil.copytree(drawn_shards, tmp_path / "shards"))
    content = json.loads((folder / "dataset.json").read_text())
    del content[DIGEST]
    for names, said in (
        ([f"a{i}" for i in range(1_000_000)], "1,000,000 attributes are more than the 10,000 allowed"),
        (["x" * 10_000_000], "has a name of 10,000,000 characters"),
        ([0] * 9_000_000, "more than 8,000,000 values"),
    ):
        (folder / "dataset.json").write_text(json.dumps({**content, "attribute_names": names}))
        with pytest.raises(ShardError, match=said) as error:
            read_dataset(folder)
        assert len(str(error.value)) < 500


def test_folders_a_thousand_deep(tmp_path: Path) -> None:
    deep = Path(*["d"] * 1200)
    for folder in (*reversed(deep.parents), deep):  # what makes them at once recurses
        (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / deep / "photo.jpg").touch()
    try:
        assert list(PhotoFolder(tmp_path).names()) == [str(deep / "photo.jpg")]
    finally:  # nor could pytest remove it
        (tmp_path / deep / "photo.jpg").unlink()
        os.removedirs(tmp_path / deep)


def test_deepfashion_without_pixels(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "G2.h5", "w") as file:
        file["ih"], file["b_"], file["ih_mean"] = np.zeros((2, 3, 0, 0)), np.zeros((2, 1, 0, 0)), np.zeros((3, 0, 0))
    with pytest.raises((ExchangeError, BuildError), match=r"ih is \(2, 3, 0, 0\), and holds no picture"):
        maskkit.import_masks(tmp_path, tmp_path / "out", "deepfashion")


def test_what_is_printed_steers_no_terminal(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small = [word for setting in SMALL for word in ("--set", setting)]
    shards = write_drawn_shards(tmp_path / "shards", {"train": 16}, size=32, names=(f"A{ESCAPE}", "B" * 900))
    for name, *arguments in (
        ("gan", "fit", shards, "--out", tmp_path / "run", "--dry-run", "--preset", "tiny", *small),
        ("maskkit", "inspect", shards),
        ("maskkit", "verify", f"{tmp_path}/{ESCAPE}"),
        ("maskkit", "segment", f"{tmp_path}/{ESCAPE}", "-o", tmp_path / "x"),
    ):
        _, said = command(name, *arguments)
        assert "\x1b" not in said and "\x07" not in said
        assert "\ufffd" in said or "\\x1b" in said

    @click.command()
    def work() -> None:
        with progress("working", 1) as advance:
            advance(1, f"photo{ESCAPE}.jpg")
        logging.getLogger("maskkit").warning("%s is odd", ESCAPE + "x" * 5000)
        raise ShardError(f"{ESCAPE} {'y' * 7_700_000} the end")

    monkeypatch.setattr("sys.argv", ["work"])
    with pytest.raises(SystemExit):
        run(work)
    said = capsys.readouterr().err
    assert "\x1b" not in said and "photo\ufffd" in said and "warning: \ufffd" in said
    assert "error: \ufffd" in said and said.endswith("y the end\n") and len(said) < 4500


def test_plain_text() -> None:
    assert plain("a\nb") == "a\ufffdb" and len(plain("x" * 999)) <= 120
    assert for_terminal("a\nb\t") == "a\nb\ufffd"
    assert len(for_terminal("x" * 9999)) <= 2000


def test_nothing_is_printed_past_the_cleaning() -> None:
    for path in (Path(__file__).parent.parent.parent / "cli").glob("*.py"):
        assert "click.echo(" not in path.read_text() or path.name == "shared.py", path
        assert " print(" not in path.read_text(), path


def test_one_odd_name_never_costs_the_others(command: Command, faces_fixture: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in (b"good.jpg", b"a" * 250 + b".jpg", b"\xff\xfe.jpg", b"\x1b[31m.jpg"):
        shutil.copy(faces_fixture / "collins.jpg", bytes(photos) + b"/" + name)
    for name, arguments in (("landmarks", ["--format", "csv"]), ("landmarks", []), ("segment", ["--overlay"])):
        out = tmp_path / f"{name}{len(arguments)}"
        status, said = command("maskkit", name, photos, "-o", out, *arguments)
        assert status == 1 and said.count("the name holds characters that cannot be printed") == 2
        assert (out / "landmarks.csv").exists() or list(out.glob("good.*"))
