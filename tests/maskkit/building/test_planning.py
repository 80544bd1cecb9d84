"""Estimates before the work: what they leave out, and what they refuse as the work itself would."""

import shutil
from pathlib import Path

import pytest

import maskkit
from maskkit.building.local_engine import LocalEngine, shared_speed_up
from maskkit.building.planning import estimate
from maskkit.building.preparation import prepare
from maskkit.errors import BuildError
from maskkit.shards.description import read_dataset
from tests.maskkit.building.small_builds import OPTIONS, contents


@pytest.fixture
def half_built(built: Path, tmp_path: Path) -> Path:
    """The fixture's shards as a build leaves them that was stopped after the third."""
    out = Path(shutil.copytree(built, tmp_path / "out"))
    dataset = read_dataset(out)
    dataset.complete, dataset.shards = False, dataset.shards[:3]
    dataset.write(out)
    promised = {"dataset.json", *(entry.file for entry in dataset.shards)}
    for path in out.iterdir():
        if path.name not in promised:
            path.unlink()
    return out


def test_plan_writes_nothing(root: Path, tmp_path: Path) -> None:
    plan = maskkit.plan_celeba(root, tmp_path / "out", OPTIONS)
    assert plan.inputs == {"train": 12, "val": 0, "test": 0}
    assert plan.seconds > 0
    assert plan.bytes >= 12 * 32 * 32 * 4
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("workers", "processors", "load", "times"),
    [(1, 2, 0, 1), (2, 4, 0, 2), (8, 2, 0, 2), (2, 2, 2, 1.5), (8, 2, 2, 2.4), (4, 8, 2, 4)],
)
def test_workers_have_their_share_of_the_processors(workers: int, processors: int, load: float, times: float) -> None:
    assert shared_speed_up(workers, processors, load) == pytest.approx(times)


def test_an_estimate_knows_how_much_faster_workers_are(root: Path) -> None:
    class Crowded(LocalEngine):
        def speed_up(self, workers: int) -> float:
            return 1e-4

    build = prepare(root, OPTIONS, Crowded(8))
    assert estimate(build, 8).seconds > 100


def test_too_little_room_is_noticed_before_the_work(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(BuildError, match=r"MB are needed and 0\.0 MB are free"):
        maskkit.build_celeba(root, tmp_path / "out", OPTIONS)


def test_a_plan_leaves_out_what_is_done(celeba_fixture: Path, half_built: Path, built: Path, tmp_path: Path) -> None:
    before = contents(half_built)
    whole = maskkit.plan_celeba(celeba_fixture, tmp_path / "new", OPTIONS)
    rest = maskkit.plan_celeba(celeba_fixture, half_built, OPTIONS)
    assert (whole.done, rest.done, sum(rest.inputs.values())) == (0, 30, 72)
    assert rest.bytes * 72 == whole.bytes * 42
    fresh = maskkit.plan_celeba(celeba_fixture, half_built, OPTIONS, fresh=True)
    assert (fresh.done, fresh.bytes) == (0, whole.bytes)
    assert contents(half_built) == before
    done = maskkit.plan_celeba(celeba_fixture, built, OPTIONS)
    assert (done.done, done.seconds, done.bytes) == (72, 0, 0)


def test_a_plan_refuses_what_the_work_would(
    celeba_fixture: Path, half_built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = maskkit.BuildOptions(size=48, shard_size=10, attributes=OPTIONS.attributes)
    with pytest.raises(BuildError, match="begun with size 32, and now it is 48"):
        maskkit.plan_celeba(celeba_fixture, half_built, other)
    (tmp_path / "stranger").mkdir()
    (tmp_path / "stranger" / "mine.txt").write_text("mine")
    with pytest.raises(BuildError, match="not empty"):
        maskkit.plan_celeba(celeba_fixture, tmp_path / "stranger", OPTIONS)
    shards = sum(path.stat().st_size for path in half_built.glob("*.h5"))
    needed = maskkit.plan_celeba(celeba_fixture, tmp_path / "new", OPTIONS).bytes
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, needed - shards))
    with pytest.raises(BuildError, match="MB are needed and"):
        maskkit.plan_celeba(celeba_fixture, tmp_path / "new", OPTIONS)
    maskkit.plan_celeba(celeba_fixture, half_built, OPTIONS, fresh=True)  # which gives the shards' room back
