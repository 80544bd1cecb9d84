"""What people decided by hand: the file, several of them, and what builds and `correct` make of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import maskkit
from maskkit.corrections.decisions import ACCEPT, CORRECT, REJECT, picture_digest
from maskkit.errors import CorrectionsError
from maskkit.shards.ledger import read_ledger
from tests.maskkit.building.small_builds import contents

OPTIONS = maskkit.BuildOptions(size=32, shard_size=4, attributes=("Young",), limit=12, detector="hog")


@pytest.fixture(scope="module")
def built(celeba_fixture: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve of the fixture's photos as shards of four rows, all in train."""
    out = tmp_path_factory.mktemp("built") / "shards"
    maskkit.build_celeba(celeba_fixture, out, OPTIONS)
    return out


def decisions(shards: Path) -> maskkit.Corrections:
    """Of the train rows the first accepted, the third corrected and the fourth rejected."""
    rows = maskkit.ShardReader(shards)
    found = {}
    for number, verdict in ((0, ACCEPT), (2, CORRECT), (3, REJECT)):
        row = rows[number]
        points = (row["landmarks"] + [0.37, -1.1]).astype(np.float32) if verdict == CORRECT else None
        found[row["id"]] = maskkit.Correction(verdict, picture_digest(row["image"]), row["landmarks"], points)
    return maskkit.Corrections(rows.size, found)


def written(path: Path, corrections: maskkit.Corrections) -> Path:
    maskkit.write_corrections(path, corrections)
    return path


def test_a_file_gives_the_same_decisions_and_bytes_again(built: Path, tmp_path: Path) -> None:
    wanted = decisions(built)
    file = written(tmp_path / "c.json", wanted)
    found = maskkit.read_corrections(file)
    assert found.encode() == wanted.encode() == file.read_bytes()
    for name, one in wanted.rows.items():
        assert found.rows[name].before.tobytes() == one.before.tobytes()
        assert found.rows[name].wanted.tobytes() == one.wanted.tobytes()
    assert [line["id"] for line in json.loads(file.read_text())["rows"]] == sorted(wanted.rows)
    assert len(file.read_text().splitlines()) == 4 + 1 + 3 + 2  # a row a line, for people and for git


def test_several_peoples_files_are_one(built: Path, tmp_path: Path) -> None:
    wanted = decisions(built)
    names = sorted(wanted.rows)
    part = lambda *chosen: replace(wanted, rows={name: wanted.rows[name] for name in chosen})  # noqa: E731
    one, other = written(tmp_path / "one.json", part(*names[:2])), written(tmp_path / "other.json", part(*names[1:]))
    assert maskkit.read_corrections(one, other).sha256() == wanted.sha256()
    assert maskkit.read_corrections(other, one).sha256() == wanted.sha256()
    changed = replace(wanted.rows[names[1]], verdict=REJECT, points=None)
    written(other, replace(wanted, rows={names[1]: changed}))
    with pytest.raises(CorrectionsError, match=f"one.json and .*other.json decide differently on {names[1]}"):
        maskkit.read_corrections(one, other)
    written(other, replace(wanted, image_size=64))
    with pytest.raises(CorrectionsError, match=r"about pictures of 64 pixels, and .* of 32"):
        maskkit.read_corrections(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(format="other"), "not a file of corrections"),
        (lambda content: content.update(version=2), "format version 2, and this maskkit reads 1"),
        (lambda content: content.update(image_size=1e9), "image_size is '1000000000.0'"),
        (lambda content: content.update(rows={}), "rows is not a list"),
        (lambda content: content["rows"].append(content["rows"][0]), "000001.jpg is decided on twice"),
        (lambda content: content["rows"][0].update(verdict="maybe"), "the verdict is 'maybe'"),
        (lambda content: content["rows"][0].update(photo="ab"), "not the SHA-256"),
        (
            lambda content: content["rows"][0].update(points=content["rows"][0]["before"]),
            "belong to the verdict correct",
        ),
        (lambda content: content["rows"][0].update(before=[[1, 2]]), r"000001.jpg: before: expected shape"),
        (lambda content: content["rows"][1].update(points=[[float("nan"), 0.0]] * 68), "points: a coordinate is NaN"),
        (lambda content: content["rows"].append(7), "row 3: it has no id"),
    ],
)
def test_a_file_that_says_something_else_is_refused(change, message: str, built: Path, tmp_path: Path) -> None:
    content = json.loads(decisions(built).encode())
    change(content)
    (tmp_path / "c.json").write_text(json.dumps(content))
    with pytest.raises(CorrectionsError, match=message):
        maskkit.read_corrections(tmp_path / "c.json")


def test_build_and_correct_give_the_same_bytes(celeba_fixture: Path, built: Path, tmp_path: Path) -> None:
    wanted = decisions(built)
    file = written(tmp_path / "c.json", wanted)
    options = replace(OPTIONS, corrections=(file,))
    result = maskkit.build_celeba(celeba_fixture, tmp_path / "by_build", options)
    by_workers = maskkit.build_celeba(celeba_fixture, tmp_path / "by_workers", options, workers=2)
    corrected = maskkit.correct_shards(built, [file], tmp_path / "by_correct")
    assert contents(tmp_path / "by_build") == contents(tmp_path / "by_correct") == contents(tmp_path / "by_workers")
    assert (result.kept, result.skipped, result.corrected, result.rejected) == (11, 0, 1, 1)
    assert replace(by_workers, out=result.out, seconds=result.seconds) == result
    assert (corrected.rows, corrected.accepted, corrected.corrected, corrected.rejected) == (11, 1, 1, 1)
    maskkit.verify(tmp_path / "by_build")

    accepted, moved, gone = sorted(wanted.rows)
    lines = {line["id"]: line for line in read_ledger(tmp_path / "by_build")}
    assert [lines[name]["outcome"] for name in (accepted, moved, gone)] == ["kept", "corrected", "rejected"]
    assert lines[moved]["detector"] == "by-hand" and lines[gone]["reason"] == "rejected by hand"
    before = {row["id"]: row for row in maskkit.ShardReader(built)}
    after = {row["id"]: row for row in maskkit.ShardReader(tmp_path / "by_build")}
    assert set(before) - set(after) == {gone}
    points = wanted.rows[moved].wanted
    assert (after[moved]["landmarks"] == points).all() and (after[moved]["image"] == before[moved]["image"]).all()
    assert (after[moved]["mask"] == maskkit.rasterize(points, 32)).all()
    for name in set(after) - {moved}:
        assert (after[name]["landmarks"] == before[name]["landmarks"]).all()
    report = maskkit.inspect_shards(tmp_path / "by_build")
    assert (report.corrected, report.rejected, report.to_dict()["skipped"]) == (1, 1, 0)
    maskkit.write_report(report, tmp_path / "report.html")
    assert "0 inputs left out, by hand 1 rows corrected and 1 rejected" in (tmp_path / "report.html").read_text()


def test_faces_of_one_photo_are_decided_on_one_by_one(faces_fixture: Path, tmp_path: Path) -> None:
    options = maskkit.FolderOptions(size=32, detector="hog", face="all")
    maskkit.build_folder(faces_fixture, tmp_path / "shards", options)
    rows = list(maskkit.ShardReader(tmp_path / "shards"))
    assert all(row["id"].endswith("#001") for row in rows)
    moved, gone = rows[0], rows[1]
    wanted = {
        moved["id"]: maskkit.Correction(
            CORRECT, picture_digest(moved["image"]), moved["landmarks"], moved["landmarks"] + 1
        ),
        gone["id"]: maskkit.Correction(REJECT, picture_digest(gone["image"]), gone["landmarks"]),
    }
    file = written(tmp_path / "c.json", maskkit.Corrections(32, wanted))
    maskkit.build_folder(faces_fixture, tmp_path / "by_build", replace(options, corrections=(file,)))
    maskkit.correct_shards(tmp_path / "shards", [file], tmp_path / "by_correct")
    assert contents(tmp_path / "by_build") == contents(tmp_path / "by_correct")
    assert {line["id"]: line["outcome"] for line in read_ledger(tmp_path / "by_build")} == {
        moved["id"]: "corrected", gone["id"]: "rejected",
    }  # fmt: skip
    # A rejected row stays rejected where the data set is corrected again.
    again = written(tmp_path / "again.json", maskkit.Corrections(32, {moved["id"]: wanted[moved["id"]]}))
    maskkit.correct_shards(tmp_path / "by_build", [again], tmp_path / "again")
    assert (tmp_path / "again" / "ledger.csv").read_bytes() == (tmp_path / "by_build" / "ledger.csv").read_bytes()


def test_what_does_not_fit_is_refused(celeba_fixture: Path, built: Path, tmp_path: Path) -> None:
    wanted = decisions(built)
    name, one = next(iter(wanted.rows.items()))
    file, out = tmp_path / "c.json", tmp_path / "out"

    def refused(rows: dict[str, maskkit.Correction], message: str, size: int = 32) -> None:
        written(file, maskkit.Corrections(size, rows))
        with pytest.raises(CorrectionsError, match=message):
            maskkit.build_celeba(celeba_fixture, out, replace(OPTIONS, corrections=(file,)), fresh=True)
        with pytest.raises(CorrectionsError, match=message):
            maskkit.correct_shards(built, [file], tmp_path / "corrected")
        assert not (tmp_path / "corrected").exists()

    refused({"other.jpg": one}, "decide on other.jpg")
    refused({name: replace(one, photo="0" * 64)}, f"{name}: its picture is not the one")
    refused(dict(wanted.rows), "about pictures of 64 x 64 pixels, and these are 32 x 32", size=64)


def test_a_decision_on_a_photo_without_a_row_is_refused(celeba_fixture: Path, built: Path, tmp_path: Path) -> None:
    table = tmp_path / "points.csv"
    row = maskkit.ShardReader(built)[2]
    header = ",".join(["id", *(f"{axis}{i}" for i in range(68) for axis in "xy")])
    numbers = ",".join(map(repr, (row["landmarks"].astype(float) * 5).ravel().tolist()))
    table.write_text(f"{header}\n{row['id']},{numbers}\n")
    file = written(tmp_path / "c.json", decisions(built))
    options = replace(OPTIONS, detector="auto", landmarks=table, corrections=(file,))
    with pytest.raises(CorrectionsError, match=r"000001\.jpg: the corrections decide on it, and there is no such row"):
        maskkit.build_celeba(celeba_fixture, tmp_path / "out", options)


def test_another_file_does_not_go_on_with_a_build(celeba_fixture: Path, built: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "c.json", decisions(built))
    maskkit.build_celeba(celeba_fixture, tmp_path / "out", replace(OPTIONS, corrections=(file,)))
    with pytest.raises(maskkit.MaskkitError, match="begun with corrections_sha256"):
        maskkit.build_celeba(celeba_fixture, tmp_path / "out", OPTIONS)
