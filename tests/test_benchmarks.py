"""The benchmarks run, and what they keep and mark is right; how fast anything is, no test says."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import device, learning, measuring, preparing
from benchmarks.measuring import Figure, Road
from tests.gan.conftest import SMALL

HERE = {"code": "abc1234+changes", "processor": "X", "cores": 2, "threads": 2, "device": "cpu"}
FIGURE = Figure("a road", 2e-5, 1e-5, 2.0, 1.8, 2.3, "a floor")


class Clock:
    """Time that passes only where a road says so."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def takes(self, seconds: float) -> Callable[[], None]:
        return lambda: setattr(self, "now", self.now + seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(measuring, "time", clock)
    return clock


def test_a_road_of_four_times_its_floor_is_seen_as_such(clock: Clock) -> None:
    figure = measuring.measure(Road("r", 2, clock.takes(0.02), clock.takes(0.005), "a quarter"))
    assert [figure.lowest, figure.ratio, figure.highest] == pytest.approx([4, 4, 4])
    assert figure.seconds == pytest.approx(0.01)  # of one of the two items


def test_kept_figures_come_back_on_the_same_machine_alone(tmp_path: Path) -> None:
    path = measuring.keep([FIGURE], HERE, tmp_path)
    assert path.name.endswith("-abc1234.json")
    assert json.loads(path.read_text())["circumstances"] == HERE
    assert measuring.last_kept(HERE, tmp_path) == {"a road": FIGURE}
    assert measuring.last_kept(HERE | {"threads": 1}, tmp_path) == {}
    assert measuring.last_kept(HERE, tmp_path / "nowhere") == {}


def test_worse_means_by_more_than_both_spreads(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    assert replace(FIGURE, ratio=2.5, lowest=2.4, highest=2.6).worse_than(FIGURE)
    assert not replace(FIGURE, ratio=2.5, lowest=1.9, highest=2.6).worse_than(FIGURE)
    assert not replace(FIGURE, ratio=2.2, lowest=2.1, highest=2.3).worse_than(FIGURE)
    road = Road("a road", 1, clock.takes(0.01), clock.takes(0.001), "a tenth", rounds=1)
    measuring.show([road, replace(road, name="new")], {"a road": FIGURE})
    out = capsys.readouterr().out
    assert "   2.00 !" in out and "spread: a road\n" in out


def test_every_road_can_be_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "ROWS", 64)
    monkeypatch.setattr(learning, "FRAMES", 4)
    material = preparing.make_material(tmp_path)
    bench = learning.Bench(material.folder, torch.device("cpu"), [*SMALL, "schedule.n_repeat=2"])
    roads = [
        preparing.photo_roads(), preparing.mask_roads(material), preparing.shard_roads(material),
        learning.loader_roads(bench), learning.network_roads(bench, 2), learning.critic_road(bench, 2),
        learning.picture_roads(bench, tmp_path), learning.round_roads(bench, 2, 1),
    ]  # fmt: skip
    names = []
    for part in roads:
        for road in part:
            road.work(), road.floor()
            names.append(road.name)
    assert len(names) == len(set(names)) >= 20


def test_the_device_script_measures_the_same_round_in_every_way(
    drawn_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device, "WARM_UP", 1)
    out = tmp_path / "device.json"
    sizes = ["--size", "32", "--width", "4", "--batch", "2", "--rounds", "1"]
    with pytest.raises(SystemExit) as ended:
        device.main([str(drawn_shards), "--device", "cpu", *sizes, "--only", "resident", "--out", str(out)])
    assert not ended.value.code
    content = json.loads(out.read_text())
    literal, plain, resident = content["ways"]
    assert (literal["name"], plain["name"]) == ("Algorithm 1 taken literally", "every switch off")
    without_totals = {name: plain["first_losses"][name] for name in literal["first_losses"]}
    assert without_totals == pytest.approx(literal["first_losses"], rel=1e-4)
    assert resident["first_losses"] == plain["first_losses"]
    assert content["flops"] > 0 and "convolution" in content["profile"]
    assert "resident data alone" in capsys.readouterr().out
