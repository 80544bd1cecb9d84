"""Small runs of three systems in one comparison: its figures, its judges, its pictures, its files."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gan
from gan.data.rows import RowsAtSize, one_hot
from gan.errors import InputError
from gan.experiments.compare import Comparison
from gan.pictures.tiles import synthetic_note, to_pictures
from gan.runs.presets import load_preset
from maskkit.errors import OutputError
from tests.gan.conftest import SMALL
from tests.gan.resuming import CUT

PARTS = ("consistency", "attributes", "diversity", "decoupling")
NAMES = ("SCGAN tiny", "layouts", "latents")
SCALE, PITCH = 4, 4 * (32 + 2)


@pytest.fixture(scope="module")
def runs(small_run: Path, drawn_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """SCGAN, CycleGAN (which takes layouts alone) and WGAN-GP (which takes latents alone)."""
    folder = tmp_path_factory.mktemp("systems")
    for system in ("cyclegan", "wgan-gp"):
        settings = load_preset("tiny", [*CUT[system], "seed=5"], system=system)
        gan.fit(drawn_shards, folder / system, settings, steps=1, device="cpu")
    return [small_run, folder / "cyclegan", folder / "wgan-gp"]


@pytest.fixture(scope="module")
def compared(runs: list[Path], drawn_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, Path]:
    """Their comparison, with the folder of its judges."""
    judges, told = tmp_path_factory.mktemp("judges"), []
    comparison = gan.compare_runs(
        runs, drawn_shards, names=NAMES, only=PARTS, seed=3, judges=judges, judge_steps=1, device="cpu",
        on_progress=lambda title, done, total, note="": told.append(title),
    )  # fmt: skip
    training = [title for title in told if "training" in title]
    assert training == [f"SCGAN tiny: training the independent {judge}" for judge in ("segmentor", "classifier")]
    assert "layouts: diversity" in told
    return comparison, judges


def test_figures_are_those_of_each_run_alone_by_the_same_judges(
    compared: tuple[Comparison, Path], runs: list[Path], drawn_shards: Path
) -> None:
    comparison, judges = compared
    assert len(list(judges.iterdir())) == 2
    rows = {row.name: row for row in comparison.table.rows}
    assert tuple(rows) == NAMES == tuple(comparison.reports)
    for name, run in zip(NAMES, runs, strict=True):
        alone = gan.evaluate_run(run, drawn_shards, only=PARTS, seed=3, judges=judges, judge_steps=1, device="cpu")
        assert alone.to_dict() == comparison.reports[name].to_dict()
        for column in comparison.table.columns:
            cell, figure = comparison.table.cell(rows[name], column), alone.figures.get(column.key)
            assert cell.value == (None if figure is None or np.isnan(figure.value) else figure.value)
    assert rows["layouts"].facts == {"system": "CycleGAN", "step": "1", "seed": "5"}
    assert rows["layouts"].cells["attributes/edited"].reason == "CycleGAN takes no attributes"
    assert rows["layouts"].cells["decoupling/background_ratio"].reason == (
        "CycleGAN takes no latents; CycleGAN takes no attributes"
    )
    assert rows["latents"].cells["consistency/independent/share"].reason == "WGAN-GP takes no layouts"
    floor, ceiling = comparison.table.references
    figures = comparison.reports["layouts"].figures
    assert floor.cells["consistency/independent/value"].value == figures["consistency/independent/floor"].value
    assert ceiling.cells["attributes/accuracy_generated"].value is not None


def test_pictures_are_those_that_were_measured(
    compared: tuple[Comparison, Path], runs: list[Path], drawn_shards: Path
) -> None:
    with Image.open(io.BytesIO(compared[0].pictures)) as image:
        sheet, note = np.asarray(image), image.info["Description"]
    assert note == synthetic_note("SCGAN, CycleGAN, WGAN-GP")
    grid = sheet[sheet.shape[0] - (6 * PITCH - 2 * SCALE) :, sheet.shape[1] - (5 * PITCH - 2 * SCALE) :]
    real = RowsAtSize(drawn_shards, "val", 32).read(range(8))
    number, line = 5, 4  # 8 rows in 6 lines
    for column, run in enumerate(runs):
        generator = gan.load_generator(run)
        given = {"c": real.c[number][None], "s": one_hot(real.s_idx[number][None], 7)}
        if "z" in generator.takes:
            given["z"] = generator.draw_z(8, 3)[number][None]
        expected = to_pictures(generator(**{name: given[name] for name in generator.takes}))[0].astype(int)
        tile = grid[line * PITCH :: SCALE, (column + 2) * PITCH :: SCALE][:32, :32]
        assert np.abs(tile - expected).max() <= 1
    assert np.array_equal(grid[line * PITCH :: SCALE, ::SCALE][:32, :32], to_pictures(real.x[number][None])[0])


def test_the_same_bytes_in_every_form(
    compared: tuple[Comparison, Path], runs: list[Path], drawn_shards: Path, tmp_path: Path
) -> None:
    comparison, judges = compared
    again = gan.compare_runs(
        runs, drawn_shards, names=NAMES, only=PARTS, seed=3, judges=judges, judge_steps=1, device="cpu"
    )
    for suffix in (".txt", ".json", ".tex", ".html"):
        for folder, one in (("a", comparison), ("b", again)):
            one.write(tmp_path / folder / f"table{suffix}")
        first, second = ((tmp_path / folder / f"table{suffix}").read_bytes() for folder in "ab")
        assert first == second and b"SCGAN tiny" in first
        assert b"WGAN-GP takes no layouts" in first
    found = json.loads((tmp_path / "a/table.json").read_text())
    assert found["measured"] == 8 and found["seed"] == 3 and set(found["reports"]) == set(NAMES)
    assert set(found["judges"]) == {"independent segmentor", "independent classifier"}
    for judge in found["judges"].values():
        assert judge["sha256"] in (tmp_path / "a/table.txt").read_text()
        assert judge["sha256"] in (tmp_path / "a/table.html").read_text()
    with pytest.raises(InputError, match=r"table: a comparison is written as .txt, .json, .tex or .html; give a name"):
        comparison.write(tmp_path / "table")
    with pytest.raises(OutputError, match=r"table\.txt exists; give another name"):
        comparison.write(tmp_path / "a/table.txt")


def test_runs_that_cannot_be_compared(small_run: Path, drawn_shards: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two runs have the name run; give each a name of its own"):
        gan.compare_runs([small_run, small_run], drawn_shards)
    gan.fit(drawn_shards, tmp_path / "larger", load_preset("tiny", [*SMALL, "data.size=64"]), steps=1, device="cpu")
    with pytest.raises(InputError, match=r"larger cannot be compared with .*run: data.size is 64 and not 32"):
        gan.compare_runs([small_run, tmp_path / "larger"], drawn_shards, judges=tmp_path / "judges", device="cpu")
    assert not (tmp_path / "judges").exists()
