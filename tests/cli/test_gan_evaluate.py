"""`gan evaluate` and gan.evaluate_run on a small run: every part, its sample counts, and what is left out."""

import hashlib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import gan
from cli.gan.measures import _print_table
from cli.gan_command import main
from gan.data.rows import RowsAtSize
from gan.errors import DataError, InputError
from gan.evaluation.features import frechet_distance
from gan.evaluation.judges import network_sha256
from gan.evaluation.material import read_all, read_points
from gan.evaluation.measures import PARTS
from gan.evaluation.report import COLUMNS, Report
from gan.names import MEASURES
from gan.pictures.tiles import to_bytes
from gan.runs.checkpoint import checkpoint_paths
from gan.runs.loading import load_segmentor
from gan.runs.presets import load_preset
from gan.settings.run_settings import RunSettings
from gan.training.fit import fit
from maskkit.errors import MissingExtraError, OutputError
from maskkit.shards.writer import Row
from tests.drawn import drawn_row, write_drawn_shards
from tests.gan.conftest import SMALL

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run `gan evaluate` in this process: exit status, standard output, standard error."""
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gan", "evaluate", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def judge_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where judges of two steps are kept for all tests of this file."""
    return tmp_path_factory.mktemp("judges")


def test_every_figure_has_its_recipe_and_count(
    call: Call, small_run: Path, drawn_shards: Path, judge_folder: Path, tmp_path: Path
) -> None:
    arguments = (small_run, drawn_shards, "--judges", judge_folder, "--judge-steps", 2, "--device", "cpu")
    status, out, err = call(*arguments, "--json", "-o", tmp_path / "new" / "figures.json")
    assert status == 0, err
    result = json.loads(out)
    assert result == json.loads((tmp_path / "new" / "figures.json").read_text())
    figures = result["figures"]
    assert {key.split("/")[0] for key in figures} == set(MEASURES) == set(PARTS)
    assert all(figure["recipe"] and "\n" not in figure["recipe"] for figure in figures.values())
    counts = {part: {figures[key]["count"] for key in figures if key.startswith(part)} for part in MEASURES}
    assert counts["consistency"] == counts["attributes"] == counts["features"] == counts["decoupling"] == {8}
    assert counts["landmarks"] == {8, 4 * 4 * 11} and counts["diversity"] == {8 * 6}
    assert result["measured"] == 8 and result["step"] == 40 and result["rows"]["train"]["count"] == 40
    assert set(figures["attributes/edited"]["by"]) == set(gan.load_generator(small_run).attribute_names)
    hashes = {name: judge["sha256"] for name, judge in result["judges"].items()}
    assert hashes["own segmentor"] == network_sha256(load_segmentor(small_run))
    kept = {weights_of(path) for path in judge_folder.iterdir()}
    assert {hashes["independent segmentor"], hashes["independent classifier"]} == kept
    assert "fid" in next(iter(result["left_out"])) or "features/fid_generated" in figures

    assert "training the independent classifier" in err and re.search(r"landmarks \d+\.\d s", err)
    status, again, err = call(*arguments, "--json", "--only", "consistency,attributes")
    same = {key: figure for key, figure in figures.items() if key.split("/")[0] in ("consistency", "attributes")}
    assert json.loads(again)["figures"] == same and "training" not in err  # from the kept judges
    status, out, err = call(*arguments, "-o", tmp_path / "new" / "figures.json", "--only", "diversity")
    assert status == 1 and "figures.json exists" in err and not out


def weights_of(path: Path) -> str:
    return hashlib.sha256(safetensors.torch.save(safetensors.torch.load_file(path))).hexdigest()


def test_table_and_latex(call: Call, small_run: Path, drawn_shards: Path, judge_folder: Path) -> None:
    arguments = (small_run, drawn_shards, "--judges", judge_folder, "--judge-steps", 2, "--only", "consistency")
    status, out, _ = call(*arguments, "--count", 4)
    assert status == 0 and "consistency/independent/share" in out and "equal pixels" in out and "landmarks" not in out
    assert re.search(r"own segmentor: SHA-256 [0-9a-f]{64}$", out, re.MULTILINE)
    assert re.search(r"independent segmentor: SHA-256 [0-9a-f]{64}, U-Net with skips, taught with", out)
    assert f"judges learned from 40 train rows of {drawn_shards}" in out
    status, out, _ = call(*arguments, "--latex")
    judged, header, row = out.splitlines()
    assert (
        re.fullmatch(r"% independent segmentor [0-9a-f]{64}", judged)
        and header.startswith("% name & mIoU")
        and row.startswith("run & 0.")
        and row.endswith(r"-- \\")
    )
    assert row.count("&") == header.count("&") == len(COLUMNS)
    assert call(*arguments, "--latex", "--json")[0] == 2
    status, _, err = call(small_run, drawn_shards, "--only", "beauty")
    assert status == 1 and "no part 'beauty' of an evaluation; there are consistency, landmarks" in err
    for empty in ("", " , "):
        status, out, err = call(small_run, drawn_shards, "--only", empty)
        assert status == 1 and not out and "name at least one part of an evaluation; there are consistency" in err


def test_a_result_that_cannot_be_written_is_not_lost(
    call: Call, small_run: Path, drawn_shards: Path, judge_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    status, _, err = call(tmp_path / "no run", drawn_shards, "-o", tmp_path / "folder", "--overwrite")
    assert status == 2 and "folder' is a directory" in err

    def full(report: Report, path: Path, overwrite: bool) -> None:
        raise OutputError(f"{path} could not be written: no space left")

    monkeypatch.setattr(Report, "write", full)
    arguments = (small_run, drawn_shards, "--judges", judge_folder, "--judge-steps", 2, "--only", "consistency")
    status, out, err = call(*arguments, "--json", "-o", tmp_path / "figures.json")
    assert status == 1 and "no space left" in err and "consistency/own/share" in json.loads(out)["figures"]


def test_names_in_the_table_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report({"step": 1, "measured": 2, "size": 32, "seed": 0, "judges": {}})
    report.add("attributes/edited", 0.5, 2, "share", {"Old[/b]": 0.5, "[red]Hair": 0.5, ":smile:": 0.5})
    _print_table(report)
    out = capsys.readouterr().out
    assert all(name in out for name in ("Old[/b] 0.500", "[red]Hair 0.500", ":smile: 0.500"))


def test_latex_escapes_names_and_dashes_what_has_no_value() -> None:
    report = Report()
    report.add("consistency/independent/share", float("nan"), 2, "")
    report.add("landmarks/mouth_r", 0.8125, 2, "")
    assert (
        report.to_latex(r"a\b~c^d&")
        .splitlines()[-1]
        .startswith(r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d\& & --")
    )
    row = report.to_latex("my_run").splitlines()[-1]
    assert row == r"my\_run & -- & -- & -- & -- & 0.812 & -- & -- & -- & -- & -- & -- \\"
    assert report.to_dict()["figures"]["consistency/independent/share"]["value"] is None


def test_the_landmark_part_needs_dlib_and_landmarks(
    small_run: Path, drawn_shards: Path, judge_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise MissingExtraError("dlib", "detect", "finding faces")

    monkeypatch.setattr("maskkit.detection.dlib_models.predictor", missing)
    report = gan.evaluate_run(small_run, drawn_shards, only=["landmarks"], judges=judge_folder, device="cpu")
    assert not report.figures and "dlib, which is not installed" in report.left_out["landmarks"]
    monkeypatch.setattr("gan.evaluation.measures.read_points", lambda rows, count: None)
    report = gan.evaluate_run(small_run, drawn_shards, only=["landmarks"], judges=judge_folder, device="cpu")
    assert not report.figures and "have no landmarks" in report.left_out["landmarks"]


@pytest.fixture
def draw_first(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let drawn rows from number `first` on be altered."""

    def alter(first: int, **changes: object) -> None:
        def draw(number: int, *arguments: object, **named: object) -> Row:
            row = drawn_row(number, *arguments, **named)
            return replace(row, **changes) if number >= first else row

        monkeypatch.setattr("tests.drawn.drawn_row", draw)

    return alter


def test_test_rows_without_landmarks(small_run: Path, tmp_path: Path, draw_first: Callable[..., None]) -> None:
    draw_first(10, landmarks=None)
    shards = write_drawn_shards(tmp_path / "mixed", {"train": 6, "val": 4, "test": 3})
    rows = [RowsAtSize(shards, split, 32) for split in ("val", "test")]
    assert read_points(rows) is None and len(read_points(rows, 4)) == 4
    report = gan.evaluate_run(small_run, shards, only=["landmarks"], judges=tmp_path, device="cpu")
    assert not report.figures and f"rows of {shards} have no landmarks" in report.left_out["landmarks"]


def test_rows_that_contradict_one_of_n_are_refused(tmp_path: Path, draw_first: Callable[..., None]) -> None:
    draw_first(12, attributes=np.zeros(3, np.uint8))
    shards = write_drawn_shards(tmp_path / "shards", {"train": 8, "val": 4, "test": 2}, names=("red", "green", "blue"))
    fit(shards, tmp_path / "run", load_preset("tiny", [*SMALL, "loss.cls=softmax"]), steps=1, device="cpu")
    with pytest.raises(DataError, match=r"split test, row 000012.png: 0 of its attributes are 1, and loss.cls"):
        gan.evaluate_run(tmp_path / "run", shards, only=["diversity"], device="cpu")


def test_layouts_are_kept_once(drawn_shards: Path) -> None:
    real = read_all([RowsAtSize(drawn_shards, split, 32) for split in ("train", "val")])
    assert len(real.x) == 48 and real.layouts is real.s_idx


def test_without_segmentor_and_attributes(small_settings: RunSettings, tmp_path: Path) -> None:
    shards = write_drawn_shards(tmp_path / "plain", {"train": 8, "test": 4}, names=())
    none = small_settings.segmentor.model_copy(update={"training": "none"})
    settings = small_settings.model_copy(update={"segmentor": none})
    fit(shards, tmp_path / "run", settings, steps=1, device="cpu")
    parts = [part for part in MEASURES if part != "landmarks"]
    report = gan.evaluate_run(tmp_path / "run", shards, only=parts, judge_steps=1, device="cpu")
    assert "without a segmentor" in report.left_out["figures by the run's own segmentor"]
    assert {"attributes", "features/classifier", "decoupling/c"} <= set(report.left_out)
    assert "consistency/independent/share" in report.figures and "decoupling/background_change_z" in report.figures
    assert not any("own" in key or key.startswith("attributes") for key in report.figures)
    assert [path.name.split("-")[0] for path in (tmp_path / "run" / "judges").iterdir()] == ["segmentor"]
    # A checkpoint's judges are its run's.
    one = gan.evaluate_run(checkpoint_paths(tmp_path / "run")[0], shards, only=["consistency"], judge_steps=1)
    assert one.about["judges"] == report.about["judges"] and not list(tmp_path.glob("run/checkpoints/judges"))


def test_refusals(small_run: Path, drawn_shards: Path, tmp_path: Path) -> None:
    others = write_drawn_shards(tmp_path / "others", {"train": 4, "val": 4}, names=("Bald",))
    with pytest.raises(DataError, match=r"attributes \('Bald',\), and the run was trained with"):
        gan.evaluate_run(small_run, others, judges=tmp_path)
    few = write_drawn_shards(tmp_path / "few", {"train": 4, "val": 1})
    with pytest.raises(
        DataError, match=r"there are 1, in val and test together; set more aside with `maskkit .* --val`"
    ):
        gan.evaluate_run(small_run, few, judges=tmp_path)
    with pytest.raises(InputError, match="judges need at least 1 step, not 0"):
        gan.evaluate_run(small_run, drawn_shards, judge_steps=0)
    assert not list(tmp_path.glob("*.safetensors"))


class Squares(torch.nn.Module):
    """Stands for Inception: 4 features and 3 logits of uint8 images."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert x.dtype == torch.uint8
        features = torch.nn.functional.adaptive_avg_pool2d(x.float() / 255, 2)[:, 0].flatten(1)
        return features, features[:, :3]


def test_inception_where_it_can_be_had(
    small_run: Path, drawn_shards: Path, judge_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = {"only": ["features"], "judges": judge_folder, "judge_steps": 2, "device": "cpu"}
    monkeypatch.setattr("gan.evaluation.sets.load_inception", lambda device: Squares())
    figures = gan.evaluate_run(small_run, drawn_shards, **arguments).figures
    train, val = (read_all([RowsAtSize(drawn_shards, split, 32)]).x for split in ("train", "val"))
    expected = frechet_distance(*(Squares()(to_bytes(x))[0] for x in (val, train)))
    assert 0 < figures["features/fid_real"].value == pytest.approx(expected, rel=1e-5)
    assert {"features/kid_real", "features/inception_score_real", "features/classifier_frechet_real"} <= set(figures)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    report = gan.evaluate_run(small_run, drawn_shards, **arguments)
    assert "pip install torch-fidelity" in report.left_out["features/fid, kid, inception_score"]
    assert not any("fid" in key.split("/")[1] for key in report.figures)


def test_help_has_an_example_that_names_real_options(call: Call) -> None:
    status, out, _ = call("--help")
    example = re.search(r"Example: (gan evaluate .*?)\n\n", out, re.DOTALL)
    assert status == 0 and example and all(part in out for part in MEASURES)
    for option in re.findall(r"--?[a-z]+", example[1]):
        assert option in out.replace(example[1], "")
