"""Owning a result: locks, last steps that replace nothing, records, and what a crash leaves."""

import fcntl
import hashlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from maskkit.errors import OutputError
from maskkit.files import renames, whole_folder
from maskkit.files.atomic import write_atomically
from maskkit.files.hidden import lock_path, partial_path
from maskkit.files.outputs import owned, owned_folder, refuse_existing, refuse_inputs
from maskkit.files.records import DigestList
from maskkit.files.result_folder import ResultFolder
from maskkit.shards.description import read_dataset
from maskkit.shards.own_files import DATASET
from tests.drawn import write_drawn_shards

RECORD = DigestList("test", "a test")


def make(out: Path, text: str, overwrite: bool = True) -> None:
    """A folder of one file."""
    with whole_folder.whole_folder(out, RECORD, overwrite=overwrite) as folder:
        (folder / "below").mkdir()
        (folder / "below" / "a.txt").write_text(text)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_second_process_is_told_who_has_the_result_until_that_one_dies(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from maskkit.files.outputs import owned\n"
        "with owned(Path(sys.argv[1])): print('mine', flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "mine\n"
        with pytest.raises(OutputError, match=rf"is being written by process {process.pid} on \S+ since 20\d\d-"):
            with owned(tmp_path / "out"):
                pass
        process.kill()
        process.wait()
    assert lock_path(tmp_path / "out").exists()  # and holds nobody up
    with owned(tmp_path / "out") as alone:
        assert alone
    assert names(tmp_path) == set()


def test_a_lock_note_of_a_stranger_does_no_harm(tmp_path: Path) -> None:
    lock = lock_path(tmp_path / "out")
    lock.write_text('{"pid": "\\u001b[2J", "host": 1, "since": 2, "command": "x"}')
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="\ufffd") as error, owned(tmp_path / "out"):
            pass
        assert "\x1b" not in str(error.value)
    lock.unlink()
    lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="could not be made"), owned(tmp_path / "out"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_system_without_locks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    leftover = partial_path(tmp_path / "out")
    leftover.write_text("perhaps of another machine")
    with caplog.at_level(logging.WARNING), owned(tmp_path / "out") as alone:
        assert not alone
    assert "knows no locks" in caplog.text
    write_atomically(tmp_path / "out", lambda file: file.write(b"1"))
    assert names(tmp_path) == {"out", leftover.name}


@pytest.mark.parametrize("native", [True, False])
def test_nothing_that_appears_meanwhile_is_replaced(
    tmp_path: Path, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not native:
        monkeypatch.setattr(renames, "_renameat2", lambda old, new, flags: False)

    def write(file: object) -> None:
        (tmp_path / "a").write_text("mine")

    with pytest.raises(OutputError, match="appeared while it was being made"):
        write_atomically(tmp_path / "a", write, overwrite=False)
    with pytest.raises(OutputError, match="appeared while it was being made"):
        with whole_folder.whole_folder(tmp_path / "f", RECORD, overwrite=True) as folder:
            (folder / "ours").write_text("ours")
            (tmp_path / "f").mkdir()
            (tmp_path / "f" / "b").write_text("mine")
    write_atomically(tmp_path / "c", lambda file: file.write(b"new"), overwrite=False)
    assert names(tmp_path) == {"a", "c", "f"}
    assert (tmp_path / "a").read_text() == (tmp_path / "f" / "b").read_text() == "mine"


def test_a_folder_is_replaced_only_as_it_was_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(out, "1")
    checked = subprocess.run(["sha256sum", "-c", RECORD.name], cwd=out, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout) == (0, "below/a.txt: OK\n")
    make(out, "2")
    for name, said in (("mine.txt", "holds mine.txt,"), ("below/a.txt", "holds below/a.txt,")):
        before = (out / name).read_text() if (out / name).exists() else None
        (out / name).write_text("mine")
        with pytest.raises(OutputError, match=said):
            make(out, "3")
        assert (out / name).read_text() == "mine"
        (out / name).write_text(before) if before else (out / name).unlink()

    def add(folder: Path) -> None:  # somebody's file comes while the new folder is made
        (out / "late.txt").write_text("mine")

    with pytest.raises(OutputError, match=r"holds late\.txt,"):
        with whole_folder.whole_folder(out, RECORD, overwrite=True) as folder:
            add(folder)
    assert (out / "late.txt").read_text() == "mine" and (out / "below" / "a.txt").read_text() == "2"
    assert names(tmp_path) == {"out"}


def test_without_an_exchange_the_next_start_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    make(out, "1")
    monkeypatch.setattr(renames, "exchange", lambda one, other: False)
    make(out, "2")
    assert (out / "below" / "a.txt").read_text() == "2" and names(tmp_path) == {"out"}
    out.rename(partial_path(out, "replaced"))  # killed between the two renames
    half = partial_path(out)
    half.mkdir()
    with pytest.raises(OutputError, match="exists; give another name"):
        make(out, "3", overwrite=False)
    assert (out / "below" / "a.txt").read_text() == "2" and names(tmp_path) == {"out"}


def test_leftovers_of_the_dead_are_cleared_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    def write(file: object) -> None:
        with owned_folder(tmp_path):
            assert any(name.endswith(".partial") for name in names(tmp_path))

    dead = partial_path(tmp_path / "a")
    dead.write_text("half")
    (tmp_path / ".a.partial").write_text("no name of ours")
    write_atomically(tmp_path / "a", write)
    assert names(tmp_path) == {"a", ".a.partial"}


def test_a_shard_that_was_not_entered_before_a_kill_is_cleared_with_its_folder(tmp_path: Path) -> None:
    dead = write_drawn_shards(partial_path(tmp_path / "out"), {"train": 20})
    dataset = read_dataset(dead)
    assert len(dataset.shards) == 2
    dataset.complete, dataset.shards = False, dataset.shards[:1]
    dataset.write(dead)
    with whole_folder.whole_folder(tmp_path / "out", DATASET, overwrite=False) as folder:
        (folder / "a.txt").touch()
    assert names(tmp_path) == {"out"}


def test_links_hard_links_and_parents_of_inputs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / "a.txt"
    source.write_text("mine")
    (tmp_path / "link").symlink_to(source)
    (tmp_path / "up").symlink_to(tmp_path)
    os.link(source, tmp_path / "hard")
    for out in (source, tmp_path / "link", tmp_path / "hard"):
        with pytest.raises(OutputError, match="is one of the inputs"):
            refuse_inputs(out, [tmp_path / "up" / "in" / "a.txt"])
    for out in (tmp_path, tmp_path / "in", tmp_path / "up"):
        with pytest.raises(OutputError, match="holds the input"):
            refuse_inputs(out, [source])
    refuse_inputs(tmp_path / "in" / "new", [source, tmp_path / "in"])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="is a pipe, socket or device"):
        refuse_existing(tmp_path / "pipe", overwrite=True)
    with pytest.raises(OutputError, match="is a pipe, socket or device"):
        write_atomically(tmp_path / "pipe", lambda file: file.write(b"x"))
    write_atomically(tmp_path / "link", lambda file: file.write(b"new"))
    assert (tmp_path / "link").is_symlink() and source.read_text() == "new"


def test_results_replace_what_was_written_here_and_is_unchanged(tmp_path: Path) -> None:
    ResultFolder(tmp_path, [], overwrite=False).write("a", b"1")
    ResultFolder(tmp_path, [], overwrite=True).write("a", b"2")
    digest = hashlib.sha256(b"2").hexdigest()
    assert f"{digest}  a\n" in (tmp_path / ".maskkit-results.sha256").read_text()
    (tmp_path / "a").write_bytes(b"by hand")
    (tmp_path / "b").write_bytes(b"mine")
    for name in ("a", "b"):
        with pytest.raises(OutputError, match="was not written by maskkit, or was changed since"):
            ResultFolder(tmp_path, [], overwrite=True).write(name, b"3")
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()) == (b"by hand", b"mine")


def test_a_name_of_255_bytes_has_a_lock_and_a_partial_name(tmp_path: Path) -> None:
    long = tmp_path / ("é" * 125 + ".html")
    with owned(long):
        write_atomically(long, lambda file: file.write(b"1"), overwrite=False)
    assert names(tmp_path) == {long.name}
