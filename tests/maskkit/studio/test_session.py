"""What is decided in the studio: on the disk at once, undone to the byte, and lost by nothing."""

import resource
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

import maskkit
from maskkit.corrections.decisions import ACCEPT, CORRECT, REJECT, picture_digest
from maskkit.errors import CorrectionsError, OutputError, StudioError
from maskkit.points.similarity import fit_similarity
from maskkit.studio.proposals import PROPOSALS
from maskkit.studio.review import ReviewedRows
from maskkit.studio.session import ChangedError, Session


@pytest.fixture(scope="module")
def rows(drawn_shards: Path) -> ReviewedRows:
    return ReviewedRows(drawn_shards)


@pytest.fixture
def session(rows: ReviewedRows, tmp_path: Path) -> Session:
    return Session(rows, tmp_path / "corrections.json")


def decide(session: Session, number: int, verdict: str | None, shift: float = 0, gesture: str = "") -> None:
    points = (session.rows.read(number)["landmarks"] + np.float32(shift)) if verdict == CORRECT else None
    session.decide(number, verdict, points, session.state(number)["version"], gesture or f"{number} {verdict} {shift}")


def test_undo_and_redo_restore_the_file_to_the_byte(session: Session) -> None:
    files = []
    for number, verdict, shift in ((3, ACCEPT, 0), (3, CORRECT, 0.1), (5, REJECT, 0), (3, CORRECT, 0.7), (5, None, 0)):
        decide(session, number, verdict, shift)
        files.append(session.file.read_bytes())
    assert len(set(files)) == 5
    places = []
    for content in files[-2::-1]:
        places.append(session.undo())
        assert session.file.read_bytes() == content
    assert places == [5, 3, 5, 3]
    session.undo()
    assert maskkit.read_corrections(session.file).rows == {}
    with pytest.raises(StudioError, match="nothing to undo"):
        session.undo()
    for content in files:
        session.redo()
        assert session.file.read_bytes() == content
    session.undo()
    decide(session, 7, REJECT)
    with pytest.raises(StudioError, match="nothing to redo"):
        session.redo()


def test_one_gesture_is_undone_at_once_and_the_first_points_stay_what_was_before(session: Session) -> None:
    for step in range(1, 6):
        decide(session, 2, CORRECT, step / 10, "keys")
    decide(session, 2, CORRECT, 3, "drag")
    found = maskkit.read_corrections(session.file).rows[session.rows.rows[2].id]
    assert (found.before == session.rows.read(2)["landmarks"]).all()
    session.undo()
    assert session.state(2)["points"] == (session.rows.read(2)["landmarks"] + np.float32(0.5)).tolist()
    session.undo()
    assert session.state(2)["verdict"] is None


def test_what_another_tab_has_changed_is_not_written_over(session: Session) -> None:
    seen = session.state(4)["version"]
    decide(session, 4, REJECT)
    before = session.file.read_bytes()
    with pytest.raises(ChangedError, match="changed in another tab"):
        session.decide(4, ACCEPT, None, seen, "late")
    assert session.file.read_bytes() == before


def test_a_full_disk_changes_nothing_and_is_told(session: Session) -> None:
    decide(session, 0, ACCEPT)
    before, state = session.file.read_bytes(), session.state(1)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"corrections\.json could not be written"):
            decide(session, 1, REJECT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (session.file.read_bytes(), session.state(1)) == (before, state)
    decide(session, 1, REJECT)


def test_a_new_session_goes_on_and_refuses_what_does_not_fit(session: Session, rows: ReviewedRows) -> None:
    decide(session, 6, CORRECT, 0.3)
    again = Session(rows, session.file)
    assert again.state(6)["points"] == session.state(6)["points"]
    assert again.next_undecided(5) == 7
    one = next(iter(maskkit.read_corrections(session.file).rows.values()))
    maskkit.write_corrections(session.file, maskkit.Corrections(64, {"other.png": one}))
    with pytest.raises(CorrectionsError, match=r"decides on other\.png"):
        Session(rows, session.file)


def test_doubtful_rows_come_first(drawn_shards: Path, tmp_path: Path) -> None:
    row = maskkit.ShardReader(drawn_shards)[17]
    points = row["landmarks"].copy()
    points[36:48] += 12
    wrong = maskkit.Corrections(
        64, {row["id"]: maskkit.Correction(CORRECT, picture_digest(row["image"]), points, points)}
    )
    maskkit.write_corrections(tmp_path / "c.json", wrong)
    maskkit.correct_shards(drawn_shards, [tmp_path / "c.json"], tmp_path / "shards")
    rows = ReviewedRows(tmp_path / "shards")
    assert rows.rows[0].id == row["id"] and any("shape" in reason for reason in rows.rows[0].reasons)
    assert len(rows.rows) == len({one.id for one in rows.rows}) == 48


def test_a_mirrored_neighbour_is_another_rows_face_in_this_ones_place(rows: ReviewedRows) -> None:
    found = PROPOSALS["neighbour"][1](rows, 9)
    shard = rows.neighbours(9)
    mirrored = maskkit.mirror_points(shard, 64)
    moved = maskkit.move_points(mirrored, fit_similarity(mirrored, found))
    gaps = np.abs(moved - found).max(axis=(1, 2))
    assert gaps.min() < 1e-3 and gaps.argmin() != rows.rows[9].row
    assert np.abs(found - shard[rows.rows[9].row]).mean() < 2


def test_rows_without_points_are_refused(tmp_path: Path, drawn_shards: Path) -> None:
    maskkit.export_shards(drawn_shards, tmp_path / "masks", "palette")
    for place in (tmp_path / "masks").rglob("landmarks*"):
        place.unlink() if place.is_file() else shutil.rmtree(place)
    (tmp_path / "masks" / "samples.csv").unlink(missing_ok=True)
    options = maskkit.ImportOptions(size=64, scheme="scgan")
    maskkit.import_masks(tmp_path / "masks", tmp_path / "shards", "label-png", options)
    with pytest.raises(StudioError, match="have no points"):
        ReviewedRows(tmp_path / "shards")
