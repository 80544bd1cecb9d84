"""The command `gan` as a user meets it: exit statuses, sentences, JSON, signals."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import maskkit
from cli.gan_command import main
from gan.runs.checkpoint import checkpoint_paths
from gan.runs.presets import load_settings
from gan.systems import SYSTEMS
from tests.drawn import face_points
from tests.gan.conftest import SMALL

Call = Callable[..., tuple[int, str, str]]
SETS = [part for override in SMALL for part in ("--set", override)]


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    code = "import sys; from cli.gan_command import main; sys.argv[0] = 'gan'; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """Run the command in this process: exit status, standard output, standard error."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gan", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_fit_prints_one_json_object(call: Call, drawn_shards: Path, tmp_path: Path) -> None:
    status, out, err = call(
        "fit", drawn_shards, "--out", tmp_path / "run", "--preset", "tiny", *SETS, "--steps", "2", "--json"
    )
    result = json.loads(out)
    assert (status, result["step"], result["stopped"]) == (0, 2, False) and "loss_g/seg" in result["losses"]
    assert re.search(r"D \S+ \(real \S+ fake \S+ cls \S+ gp \S+\)  S .*  G .*  \d\.\d\d GB  \d+ images/s", err)
    assert Path(result["checkpoint"]).exists()


def test_a_dry_run_prints_what_would_be_done(call: Call, drawn_shards: Path, tmp_path: Path) -> None:
    arguments = ("fit", drawn_shards, "--out", tmp_path / "run", "--preset", "tiny", *SETS, "--steps", "7",
                 "--precision", "64", "--dry-run")  # fmt: skip
    status, out, _ = call(*arguments)
    assert status == 0 and 'precision = "64"' in out and "7 to go" in out and "40 rows at 32 pixels" in out
    status, out, _ = call(*arguments, "--json")
    found = json.loads(out)
    assert status == 0 and found["settings"]["compute"]["precision"] == "64" and found["parameters"].keys() == {*"GDS"}
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_a_checkpoint_that_resumes(
    call: Call, drawn_shards: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    run = tmp_path / "run"
    process = start("fit", drawn_shards, "--out", run, "--preset", "tiny", *SETS, "--steps", "100000")
    metrics = run / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not (metrics.exists() and metrics.read_text().count("\n") > 2):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status and "--resume" in err and "Traceback" not in err
    steps = metrics.read_text().count("\n")
    assert checkpoint_paths(run)[0].name == f"step-{steps:06d}.pt"
    status, _, err = call("fit", drawn_shards, "--out", run, "--resume", "--steps", str(steps + 1))
    assert status == 0 and metrics.read_text().count("\n") == steps + 1, err


def test_sample_and_render(call: Call, small_run: Path, tmp_path: Path) -> None:
    status, out, _ = call("sample", small_run, "-o", tmp_path / "grid.png", "--columns", "c", "--rows", "1", "--json")
    assert status == 0 and json.loads(out)["height"] > 32 and (tmp_path / "grid.png").exists()  # and the words
    maskkit.write_points(tmp_path / "a.pts", face_points(100, 0.0))
    maskkit.write_points(tmp_path / "b.pts", face_points(100, 0.1))
    ends = ("--from", tmp_path / "a.pts", "--to", tmp_path / "b.pts")
    status, out, _ = call("render", small_run, *ends, "-o", tmp_path / "out.mp4", "--frames", "4", "--json")
    assert status == 0 and json.loads(out)["frames"] == 4 and (tmp_path / "out.mp4").stat().st_size > 500
    both = (small_run, small_run, "--name", "one", "--name", "two")
    status, out, _ = call("render", *both, *ends, "-o", tmp_path / "both.gif", "--frames", "2", "--json")
    assert status == 0 and json.loads(out)["frames"] == 2 and (tmp_path / "both.gif").exists()


def test_hostile_input_ends_in_a_sentence(call: Call, small_run: Path, drawn_shards: Path, tmp_path: Path) -> None:
    cut = Path(shutil.copytree(drawn_shards, tmp_path / "cut"))
    shard = cut / "train-00001.h5"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    broken = Path(shutil.copytree(small_run, tmp_path / "broken"))
    checkpoint_paths(broken)[0].write_bytes(b"PK\x03\x04 nothing")
    checkpoint_paths(broken)[1].write_bytes(b"")
    run = tmp_path / "run"
    cases = [
        (("fit", tmp_path / "missing", "--out", run), 1, "missing"),
        (("fit", cut, "--out", run, "--preset", "tiny", *SETS, "--steps", "30"), 1, "train-00001.h5"),
        (("fit", drawn_shards, "--out", small_run, "--preset", "tiny"), 1, "not empty"),
        (("fit", drawn_shards, "--out", run, "--set", "loss.x=1"), 1, "loss.x"),
        (("fit", drawn_shards, "--out", run, "--preset", "huge"), 2, "huge"),
        (("fit", drawn_shards, "--out", run, "--devices", "3"), 1, "evenly among 3 processes"),
        (("fit", drawn_shards, "--out", run, "--device", "cuda", "--devices", "2"), 1, "device"),
        (("fit", drawn_shards, "--out", tmp_path / "none", "--resume"), 1, "not the folder of a run"),
        (("fit", drawn_shards, "--out", run, "--system", "other"), 2, "scgan"),
        (("sample", small_run, "-o", tmp_path / "grid.png", "--seed", 10**20), 2, "0<=x<=9223372036854775807"),
        (("sample", small_run, "-o", tmp_path / "grid.png", "--count", 10**12), 2, "1<=x<=256"),
        (("sample", small_run, "-o", tmp_path / "grid.jpg"), 1, "ends in .png"),
        (("sample", broken, "-o", tmp_path / "grid.png"), 1, "step-0000"),
        (("sample", tmp_path / "missing", "-o", tmp_path / "grid.png"), 1, "missing"),
        (("render", small_run, "-o", tmp_path / "out.mp4", "--from", "a.pts"), 2, "Missing option '--to'"),
        (("render", small_run, "-o", tmp_path / "out.mp4", "--clip"), 2, "give --drive"),
        (
            ("render", small_run, "-o", tmp_path / "out.mp4", "--drive", shard, "--rows", "2"),
            2,
            "--rows has no meaning",
        ),
        (("render", small_run, "-o", tmp_path / "out.mp4", "--drive", shard), 1, "not a video that can be read"),
    ]
    for arguments, expected, said in cases:
        status, out, err = call(*arguments)
        assert (status, out) == (expected, "") and said in err, (arguments, err)


@pytest.mark.parametrize("command", ["fit", "sample", "render"])
def test_help_has_an_example_that_names_real_options(call: Call, command: str) -> None:
    status, out, _ = call(command, "--help")
    example = re.search(r"Example: (gan .*?)\n\n", out, re.DOTALL)
    assert status == 0 and example
    for option in re.findall(r"--[a-z]+", example[1]):
        assert option in out.replace(example[1], "")


def test_the_system_can_be_named(call: Call, drawn_shards: Path, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('system = "other"\n')
    arguments = ("--out", tmp_path / "run", "--preset", "tiny", "--config", tmp_path / "other.toml", *SETS)
    status, _, err = call("fit", drawn_shards, *arguments, "--steps", "1")
    assert status == 1 and "there is no system 'other'; there are scgan" in err
    status, _, err = call("fit", drawn_shards, *arguments, "--steps", "1", "--system", "scgan")
    assert status == 1 and "are for the system 'other', and 'scgan' is asked for" in err
    (tmp_path / "other.toml").write_text('system = "wgan-gp"\n[data]\nsize = 32\n')
    sets = ("--set", "generator.width=2", "--set", "critic.width=2", "--set", "schedule.batch=4")
    config = ("--config", tmp_path / "other.toml", "--preset", "tiny", *sets, "--steps", "1")
    status, _, err = call("fit", drawn_shards, "--out", tmp_path / "run", *config)
    assert status == 0, err
    assert load_settings(tmp_path / "run" / "config.toml").system == "wgan-gp"


def test_the_systems_are_listed(call: Call) -> None:
    status, out, _ = call("systems", "--json")
    found = {one["name"]: one for one in json.loads(out)["systems"]}
    assert status == 0 and list(found) == list(SYSTEMS)
    assert found["acwgan"]["takes"] == ["z", "c"] and found["acwgan"]["presets"] == ["paper", "tiny"]
    status, out, _ = call("systems")
    assert status == 0 and "arXiv 1905.02320" in out.replace("\n", "")


def test_a_missing_torch_is_a_sentence(tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from cli.gan_command import main; main()"
    command = [sys.executable, "-c", code, "sample", tmp_path, "-o", tmp_path / "grid.png"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and "torch, which is not installed" in ended.stderr and "[gan]'" in ended.stderr


def test_help_and_import_load_no_torch() -> None:
    code = "import sys, gan, cli.gan_command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_rank_counts_only_under_torchrun(
    call: Call, drawn_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    status, out, _ = call(
        "fit", drawn_shards, "--out", tmp_path / "run", "--preset", "tiny", *SETS, "--steps", "1", "--json"
    )
    assert status == 0 and json.loads(out)["step"] == 1
