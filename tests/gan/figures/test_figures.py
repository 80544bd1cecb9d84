"""The paper's figures, cell by cell against direct calls of the generator, and shares against sums by hand."""

import json
import shutil
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

import gan
import maskkit
from gan import figures
from gan.errors import InputError, RunError
from gan.figures.loss_curves import _draw_curves, _Run
from gan.figures.loss_history import loss_shares, read_losses, smoothed
from gan.figures.sample_progress import read_progress
from gan.pictures.labels import label_panel
from gan.pictures.tiles import synthetic_note
from gan.runs.loading import LoadedGenerator
from gan.runs.presets import load_preset
from gan.settings.run_settings import RunSettings
from gan.training.fit import fit
from tests.drawn import ATTRIBUTES, face_points, write_drawn_shards
from tests.gan.conftest import SMALL

SIZE, PITCH = 32, 34


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Point files of a closed mouth, turned left, and of an open one, turned right."""
    folder = tmp_path_factory.mktemp("faces")
    for name, opening, turn in (("a", 0.0, -0.05), ("b", 0.16, 0.05)):
        maskkit.write_points(folder / f"{name}.pts", face_points(128, opening, turn))
    return str(folder / "a.pts"), str(folder / "b.pts")


@pytest.fixture(scope="module")
def colour_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on rows that have exactly one of three attributes."""
    folder = tmp_path_factory.mktemp("colours")
    shards = write_drawn_shards(folder / "shards", {"train": 8}, names=("red", "green", "blue"))
    fit(shards, folder / "run", load_preset("tiny", [*SMALL, "loss.cls=softmax"]), steps=1, device="cpu")
    return folder / "run"


def cell(sheet: np.ndarray, rows: int, columns: int, row: int, column: int) -> np.ndarray:
    """A tile of a sheet, whose grid lies in the bottom right corner."""
    grid = sheet[sheet.shape[0] - (rows * PITCH - 2) :, sheet.shape[1] - (columns * PITCH - 2) :]
    return grid[row * PITCH :][:SIZE, column * PITCH :][:, :SIZE]


def made(generator: LoadedGenerator, z: torch.Tensor, c: list[float], points: np.ndarray) -> np.ndarray:
    """One generated picture, made without what is tested."""
    s = torch.from_numpy(maskkit.one_hot(maskkit.rasterize(points, SIZE), 7))[None].float()
    image = generator(z[None], torch.tensor([c], dtype=torch.float32), s)[0]
    return ((image.permute(1, 2, 0) + 1) * 127.5).numpy()


def points_between(faces: tuple[str, str], steps: int) -> np.ndarray:
    a, b = (maskkit.read_face_points(face, SIZE) for face in faces)
    return np.stack([a + (b - a) * i / (steps - 1) for i in range(steps)])


def same(tile: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.abs(tile - expected).max() <= 1)


@pytest.mark.parametrize("z_per", ["row", "column"])
def test_panels_show_every_layout_under_every_label(
    small_run: Path, drawn_shards: Path, tmp_path: Path, z_per: str
) -> None:
    sheet = figures.panels(small_run, tmp_path / "panels.png", rows=3, z_per=z_per, seed=3, device="cpu")
    generator, reader = gan.load_generator(small_run), maskkit.ShardReader(drawn_shards, split="val")
    assert sheet.shape[1] == 14 * PITCH - 2 and (sheet[: sheet.shape[0] - (3 * PITCH - 2)] < 128).any()
    labels = [
        [*hair, male, young]
        for hair, male, young in product([(1, 0, 0), (0, 1, 0), (0, 0, 1)], (1, 0), (1, 0))
    ]  # fmt: skip
    for row, column in ((0, 0), (1, 5), (2, 11)):
        points = maskkit.scale_points(reader[row]["landmarks"], 64, SIZE)
        z = generator.draw_z(3, 3)[row] if z_per == "row" else generator.draw_z(12, 3)[column]
        assert same(cell(sheet, 3, 14, row, column + 2), made(generator, z, labels[column], points))
        layout = maskkit.colorize(maskkit.rasterize(points, SIZE))
        assert np.array_equal(cell(sheet, 3, 14, row, 1), layout)
        photo = reader[row]["image"].reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3))
        assert same(cell(sheet, 3, 14, row, 0), photo)


def test_labels_follow_the_names_and_not_their_places() -> None:
    def panel(names: tuple[str, ...], cls: str = "binary") -> list[tuple[str, list[float]]]:
        stub = SimpleNamespace(attribute_names=names, settings=SimpleNamespace(attribute_kind=cls))
        stub.attributes = lambda present: LoadedGenerator.attributes(stub, present)
        return [(" ".join(label.words), label.c.tolist()) for label in label_panel(stub)]

    shuffled = panel(("Young", "Male", *ATTRIBUTES[:3]))
    assert len(shuffled) == 12 and shuffled[4] == ("blond hair male young", [1, 1, 0, 1, 0])
    assert shuffled[11] == ("brown hair female old", [0, 0, 0, 0, 1])
    assert panel(("Bald", "Smiling")) == [("Bald", [1, 0]), ("Smiling", [0, 1])]
    assert panel(ATTRIBUTES, "softmax") == list(zip(ATTRIBUTES, np.eye(5).tolist(), strict=True))
    assert panel(()) == [("no attributes", [])]


def test_smile_opens_the_mouth_along_rows_of_one_label_and_one_z(
    small_run: Path, tmp_path: Path, faces: tuple[str, str]
) -> None:
    sheet = figures.smile(small_run, *faces, tmp_path / "smile.png", seed=7, device="cpu")
    generator, points = gan.load_generator(small_run), points_between(faces, 6)
    mouth = maskkit.load_scheme("scgan").palette[6]
    areas = [int((cell(sheet, 5, 6, 0, i) == mouth).all(2).sum()) for i in range(6)]
    assert areas == sorted(areas) and areas[-1] > areas[0]
    labels = [[1, 0, 0, 1, 1], [1, 0, 0, 0, 0], [0, 1, 0, 0, 1], [0, 0, 1, 1, 0]]
    for row, column in product(range(4), (0, 2, 5)):
        expected = made(generator, generator.draw_z(4, 7)[row], labels[row], points[column])
        assert same(cell(sheet, 5, 6, row + 1, column), expected)

    asked = figures.smile(
        small_run, *faces, tmp_path / "own.png", columns=2, attributes=[["Male"], []], seed=7, device="cpu"
    )
    expected = made(generator, generator.draw_z(2, 7)[1], [0, 0, 0, 0, 0], points[5])
    assert same(cell(asked, 3, 2, 2, 1), expected)


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_turn_goes_from_one_draw_to_another(small_run: Path, tmp_path: Path, faces: tuple[str, str], path: str) -> None:
    sheet = figures.turn(
        small_run, *faces, tmp_path / "turn.png", rows=3, columns=4, attributes=["Male"], seed=5, seed_to=9, path=path,
        device="cpu",
    )  # fmt: skip
    generator, points = gan.load_generator(small_run), points_between(faces, 4)
    first, last = generator.draw_z(1, 5)[0], generator.draw_z(1, 9)[0]
    middle = (first + last) / 2
    if path == "spherical":  # half-way lies the bisector, as long as the ends on the average
        bisector = first / first.norm() + last / last.norm()
        middle = bisector / bisector.norm() * (first.norm() + last.norm()) / 2
    for row, z in enumerate((first, middle, last), 1):
        for column in range(4):
            assert same(cell(sheet, 4, 4, row, column), made(generator, z, [0, 0, 0, 1, 0], points[column]))
    assert np.array_equal(cell(sheet, 4, 4, 0, 3), maskkit.colorize(maskkit.rasterize(points[3], SIZE)))


def test_compare_gives_all_runs_the_same_input(
    small_run: Path, drawn_shards: Path, tmp_path: Path, small_settings: RunSettings
) -> None:
    other = tmp_path / "other"
    fit(drawn_shards, other, load_preset("tiny", [*SMALL, "seed=1"]), steps=1, device="cpu")
    sheet = figures.compare(
        [small_run, other], tmp_path / "compare.png", names=["joint", "frozen"], columns=3, seed=2, device="cpu"
    )
    reader = maskkit.ShardReader(drawn_shards, split="val")
    for block, run in enumerate((small_run, other)):
        generator = gan.load_generator(run)
        for row, label in enumerate(([1, 0, 0, 1, 1], [0, 1, 0, 0, 1])):
            points = maskkit.scale_points(reader[2]["landmarks"], 64, SIZE)
            expected = made(generator, generator.draw_z(2, 2)[row], label, points)
            assert same(cell(sheet, 6, 3, 2 + 2 * block + row, 2), expected)


def test_compare_refuses_foreign_runs_by_name(
    small_run: Path, colour_run: Path, drawn_shards: Path, tmp_path: Path
) -> None:
    larger = tmp_path / "larger"
    fit(drawn_shards, larger, load_preset("tiny", [*SMALL, "data.size=64"]), steps=1, device="cpu")
    for run, said in (
        (larger, r"larger cannot be compared with .*run: data.size is 64 and not 32"),
        (colour_run, "the attributes is red, green, blue and not Black_Hair"),
    ):
        with pytest.raises(InputError, match=said):
            figures.compare([small_run, run], tmp_path / "compare.png", device="cpu")
    with pytest.raises(InputError, match="1 names are given for 2 runs"):
        figures.compare([small_run, small_run], tmp_path / "compare.png", names=["one"])
    assert not (tmp_path / "compare.png").exists()


def write_metrics(run: Path, epochs: list[int], **components: list[float]) -> None:
    run.mkdir(parents=True)
    lines = []
    for i, epoch in enumerate(epochs):
        line = {f"loss_d/{name}": values[i] for name, values in components.items()}
        lines.append({"step": i + 1, "epoch": epoch, **line, "loss_d/total": sum(line.values())})
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_shares_of_the_last_epoch_against_sums_by_hand(tmp_path: Path) -> None:
    write_metrics(
        tmp_path / "run", [0, 0, 1, 1], real=[9, 9, -3, -1], fake=[9, 9, 1, 1], gp=[9, 9, 4, 0], cls=[9, 9, 0, 10]
    )
    history = read_losses(tmp_path / "run")
    assert history.steps_per_epoch == 2
    # Means of the last two steps: -2, 1, 2, 5; the sum of their sizes is 10.
    shares = figures.losses([tmp_path / "run"], tmp_path / "losses.png").shares["run"]["loss_d"]
    assert shares == pytest.approx({"real": -0.2, "fake": 0.1, "gp": 0.2, "cls": 0.5})
    assert loss_shares({"a": 0.0, "b": 0.0}) == {"a": 0, "b": 0}


def test_epochs_are_right_where_lines_were_lost(tmp_path: Path) -> None:
    epochs = [step * 2 // 7 for step in range(35)]  # 7 batches, 2 a step: 3.5 steps
    write_metrics(tmp_path / "run", epochs, real=[1.0] * 35)
    assert read_losses(tmp_path / "run").steps_per_epoch == 3.5
    metrics = tmp_path / "run" / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join(lines[:10] + lines[34:]))  # all but the last step of the last epochs
    assert read_losses(tmp_path / "run").steps_per_epoch == pytest.approx(3.5, rel=0.15)
    metrics.write_text("".join(lines[:32] + lines[34:]))
    assert read_losses(tmp_path / "run").steps_per_epoch == 3.5


def test_runs_of_any_name_stand_in_the_legend(small_run: Path, tmp_path: Path) -> None:
    names = ["a_$x_{$", "_first"]
    figures.losses([small_run, small_run], tmp_path / "losses.png", names=names)
    part = Figure().subfigures(1, 1)
    _draw_curves(part, [_Run(name, "SCGAN", read_losses(small_run), {}, []) for name in names])
    for axes in part.axes:
        shown = axes.get_legend().get_texts()
        assert [text.get_text() for text in shown] == names and not any(text.get_parse_math() for text in shown)


def test_smoothing_is_a_mean_over_neighbours() -> None:
    values = np.random.default_rng(0).normal(size=430)  # windows of 9
    expected = [values[max(0, i - 4) : i + 5].mean() for i in range(430)]
    assert np.allclose(smoothed(values), expected)
    assert np.allclose(smoothed(values[:10]), values[:10])


def test_shares_of_a_real_run_add_up_to_one(small_run: Path, tmp_path: Path) -> None:
    drawn = figures.losses([small_run, small_run], tmp_path / "a.png", names=["one", "two"])
    for shares in drawn.shares["one"].values():
        assert sum(map(abs, shares.values())) == pytest.approx(1)
    assert set(drawn.shares["one"]["loss_d"]) == {"real", "fake", "gp", "cls"}
    assert drawn.picture.shape[1] == 1200 and np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), drawn.picture)


def test_thumbnails_are_one_layout_and_z_after_another(small_run: Path, drawn_shards: Path, tmp_path: Path) -> None:
    progress = read_progress(small_run)
    assert [thumbnail.step for thumbnail in progress] == [20, 40]
    generator, row = gan.load_generator(small_run), maskkit.ShardReader(drawn_shards, split="val")[0]
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))[0]
    points = maskkit.scale_points(row["landmarks"], 64, SIZE)
    assert same(progress[1].picture, made(generator, z, row["attributes"].tolist(), points))

    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    for step in range(100, 2100, 100):
        shutil.copy(run / "samples" / "step-000040.png", run / "samples" / f"step-{step:06d}.png")
    steps = [thumbnail.step for thumbnail in read_progress(run)]
    assert len(steps) == 9 and (steps[0], steps[-1]) == (20, 2000) and steps == sorted(set(steps))
    Image.new("RGB", (50, 50)).save(run / "samples" / "step-000020.png")
    with pytest.raises(RunError, match=r"step-000020\.png is 50 x 50 pixels"):
        read_progress(run)


def test_metrics_that_cannot_be_drawn(small_run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"metrics\.jsonl cannot be read .* needs the folder of a run"):
        figures.losses([tmp_path / "none"], tmp_path / "losses.png")
    with pytest.raises(InputError, match="two runs have the name run"):
        figures.losses([small_run, small_run], tmp_path / "losses.png")
    write_metrics(tmp_path / "run", [0, 0], real=[1, 2], fake=[1, 3])
    metrics = tmp_path / "run" / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + '{"step": 3, "ep')  # a run that is writing
    assert len(read_losses(tmp_path / "run").steps) == 2
    metrics.write_text('{"step": 1\n' + metrics.read_text())
    with pytest.raises(RunError, match="line 1: not JSON"):
        read_losses(tmp_path / "run")


def test_the_same_bytes_twice_with_a_note(
    small_run: Path, tmp_path: Path, faces: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for out in (tmp_path / "one", tmp_path / "two"):
        figures.panels(small_run, out / "panels.png", rows=1, device="cpu")
        figures.turn(small_run, *faces, out / "turn.png", columns=2, path="spherical", device="cpu")
        figures.losses([small_run], out / "losses.png")
        monkeypatch.setitem(matplotlib.rcParams, "font.size", 20.0)  # a user's own taste
    for name in ("panels.png", "turn.png", "losses.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        assert Image.open(tmp_path / "one" / name).info["Description"] == synthetic_note("SCGAN")


def test_one_of_n_attributes_are_shown_class_by_class(colour_run: Path, tmp_path: Path, faces: tuple[str, str]) -> None:
    generator, points = gan.load_generator(colour_run), points_between(faces, 2)
    grid = gan.sample(colour_run, tmp_path / "grid.png", layouts=faces, vary="c", device="cpu")
    assert grid.shape[0] > 2 * PITCH - 2 and grid.shape[1:] == (4 * PITCH - 2, 3)  # words stand above
    for column in range(3):
        expected = made(generator, generator.draw_z(1, 0)[0], np.eye(3)[column].tolist(), points[1])
        assert same(cell(grid, 2, 4, 1, column + 1), expected)
    with pytest.raises(InputError, match="exactly one of this run's attributes, and 0 are named; name one of red"):
        gan.render(colour_run, *faces, tmp_path / "out.gif", device="cpu")
    with pytest.raises(InputError, match="and 2 are named"):
        gan.sample(colour_run, tmp_path / "two.png", attributes=["red", "blue"], device="cpu")


def test_what_cannot_be_drawn_is_refused_before_any_work(tmp_path: Path, faces: tuple[str, str]) -> None:
    (tmp_path / "mine.png").write_text("mine")
    with pytest.raises(maskkit.MaskkitError, match=r"mine\.png exists"):
        figures.panels(tmp_path / "no run", tmp_path / "mine.png")
    with pytest.raises(InputError, match=r"turn\.gif: figures are written as PNG"):
        figures.turn(tmp_path / "no run", *faces, tmp_path / "turn.gif")
    with pytest.raises(InputError, match="at least 1 row, 2 columns"):
        figures.smile(tmp_path / "no run", *faces, tmp_path / "smile.png", columns=1)


def test_a_scheme_without_polygons_has_no_layouts_from_points(
    small_run: Path, tmp_path: Path, faces: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(run: Path, device: str) -> LoadedGenerator:
        generator = gan.load_generator(run, device)
        generator.scheme = maskkit.load_scheme("deepfashion")
        return generator

    monkeypatch.setattr("gan.figures.sequence_grids.load_generator", load)
    with pytest.raises(InputError, match="scheme deepfashion has no polygons"):
        figures.smile(small_run, *faces, tmp_path / "smile.png", device="cpu")
    monkeypatch.setattr("gan.pictures.several_runs.load_generator", load)
    with pytest.raises(InputError, match="scheme deepfashion has no polygons"):
        gan.render(small_run, *faces, tmp_path / "out.gif", device="cpu")
