"""The same landmarks through several systems side by side, against each system's own film."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gan
import maskkit
from gan import figures
from gan.errors import InputError
from gan.pictures.several_runs import headings
from gan.pictures.tiles import synthetic_note
from gan.runs.presets import load_preset
from tests.drawn import face_points
from tests.gan.conftest import SMALL
from tests.gan.resuming import CUT

PITCH = 34


@pytest.fixture(scope="module")
def runs(small_run: Path, drawn_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pix2Pix (latents, layouts), CycleGAN (layouts) and SCGAN (latents, attributes, layouts), in this order."""
    folder = tmp_path_factory.mktemp("systems")
    for system in ("pix2pix", "cyclegan"):
        gan.fit(
            drawn_shards, folder / system, load_preset("tiny", CUT[system], system=system), steps=1, device="cpu"
        )  # fmt: skip
    return [folder / "pix2pix", folder / "cyclegan", small_run]


@pytest.fixture(scope="module")
def mouths(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("mouths")
    for name, opening in (("closed", 0.0), ("open", 0.16)):
        maskkit.write_points(folder / f"{name}.pts", face_points(128, opening))
    return str(folder / "closed.pts"), str(folder / "open.pts")


def frames_of(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


def test_a_film_has_a_column_for_each_run_under_its_name(
    runs: list[Path], mouths: tuple[str, str], tmp_path: Path
) -> None:
    chosen = {"frames": 3, "seed": 4, "seed_to": 8, "rows": 2, "device": "cpu"}
    done: list[int] = []
    gan.render(runs, *mouths, tmp_path / "all", attributes=["Male"], masks=True, on_frame=done.append, **chosen)
    together = frames_of(tmp_path / "all")
    assert len(together) == 3 and done == [1, 2, 3]
    grid, words = (part for part in (-(2 * PITCH - 2), None))
    for column, run in enumerate(runs):
        chosen |= {"attributes": ["Male"] if column == 2 else ()}
        if column == 1:  # nothing to go along the rows, so both are the same
            gan.render(run, *mouths, tmp_path / "1", frames=3, device="cpu")
        else:
            gan.render(run, *mouths, tmp_path / str(column), **chosen)
        for frame, alone in zip(together, frames_of(tmp_path / str(column)), strict=True):
            block = frame[grid:words, (column + 1) * PITCH :][:, :32]
            assert np.array_equal(block if column != 1 else block[:32], alone)
            assert column != 1 or np.array_equal(block[PITCH:], alone)
    layout = maskkit.colorize(maskkit.rasterize(maskkit.read_face_points(mouths[1], 32), 32))
    assert np.array_equal(together[2][grid:][:32, :32], layout)
    heads = together[0][:grid]
    assert all((heads[:, i * PITCH :][:, :32] < 128).any() for i in range(4))
    assert Image.open(tmp_path / "all" / "frame-0000.png").info["Description"] == synthetic_note(
        "Pix2Pix, CycleGAN, SCGAN"
    )


def test_a_still_has_the_runs_one_above_the_other(runs: list[Path], mouths: tuple[str, str], tmp_path: Path) -> None:
    gan.render(runs, *mouths, tmp_path / "all.png", names=["a", "b", "c"], frames=4, masks=True, device="cpu")
    still = np.asarray(Image.open(tmp_path / "all.png"))
    grid = still[still.shape[0] - (4 * PITCH - 2) :, still.shape[1] - (4 * PITCH - 2) :]
    for line, run in enumerate(runs):
        gan.render(run, *mouths, tmp_path / f"{line}.png", frames=4, device="cpu")
        assert np.array_equal(grid[(line + 1) * PITCH :][:32], np.asarray(Image.open(tmp_path / f"{line}.png")))
    assert still.shape[1] > grid.shape[1]  # the names


def test_words_over_a_column_are_the_name_and_the_system_where_it_does_not_tell(runs: list[Path]) -> None:
    generators = [gan.load_generator(run) for run in runs]
    found = headings(["pix2pix-long", "mine", "run"], generators)
    assert found == [("pix2pix-long",), ("mine", "CycleGAN"), ("run", "SCGAN")]


def test_runs_that_cannot_play_together(
    runs: list[Path], drawn_shards: Path, mouths: tuple[str, str], tmp_path: Path
) -> None:
    larger = tmp_path / "larger"
    gan.fit(drawn_shards, larger, load_preset("tiny", [*SMALL, "data.size=64"]), steps=1, device="cpu")
    with pytest.raises(InputError, match=r"larger cannot be compared with .*pix2pix: data.size is 64 and not 32"):
        gan.render([runs[0], larger], *mouths, tmp_path / "out.gif", device="cpu")
    with pytest.raises(InputError, match="CycleGAN takes no latents, so there is no second one to go to"):
        gan.render([runs[1], runs[1]], *mouths, tmp_path / "out.gif", seed_to=3, device="cpu")
    with pytest.raises(InputError, match="Pix2Pix takes no attributes, so none can be asked for"):
        gan.render(runs[:2], *mouths, tmp_path / "out.gif", attributes=["Male"], device="cpu")
    with pytest.raises(InputError, match="2 names are given for 3 runs"):
        gan.render(runs, *mouths, tmp_path / "out.gif", names=["a", "b"], device="cpu")
    assert not (tmp_path / "out.gif").exists()


def test_a_comparison_holds_systems_that_take_less(runs: list[Path], drawn_shards: Path, tmp_path: Path) -> None:
    """Labels are those of a run that takes them, wherever it stands; what takes neither label nor z has one row."""
    sheet = figures.compare(runs, tmp_path / "all.png", rows=2, columns=2, shards=drawn_shards, seed=2, device="cpu")
    last = figures.compare([runs[2]], tmp_path / "one.png", rows=2, columns=2, shards=drawn_shards, seed=2)
    lines = 2 + 2 + 1 + 2
    grid = sheet[sheet.shape[0] - (lines * PITCH - 2) :, -(2 * PITCH - 2) :]
    assert sheet.shape[0] == lines * PITCH - 2
    assert np.array_equal(grid[5 * PITCH :], last[2 * PITCH :, -(2 * PITCH - 2) :])


def test_panels_and_turn_of_systems_that_take_less(runs: list[Path], mouths: tuple[str, str], tmp_path: Path) -> None:
    for run, rows in zip(runs, (3, 1, 3), strict=True):
        turn = figures.turn(run, *mouths, tmp_path / f"{run.name}-turn.png", rows=3, columns=2, device="cpu")
        assert turn.shape[0] == (rows + 1) * PITCH - 2
    panel = figures.panels(runs[1], tmp_path / "panel.png", rows=2, device="cpu")
    assert panel.shape[1] == 3 * PITCH - 2  # photo, layout, and what is made of it
    grid = gan.sample(runs[1], tmp_path / "grid.png", rows=2, device="cpu")
    assert np.array_equal(panel[-(2 * PITCH - 2) :], grid[-(2 * PITCH - 2) :])  # below their words
