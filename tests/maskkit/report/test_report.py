"""Seeing a data set: figures against slow counts of their own, planted bad rows, hostile names, a real browser."""

import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import h5py
import numpy as np
import pytest
from PIL import Image
from skimage.transform import SimilarityTransform

import maskkit
from maskkit.detection.cascade import STEPS
from maskkit.errors import OutputError, ShardError
from maskkit.points.pose import pose
from maskkit.report.histogram import Histogram
from maskkit.report.page import check_report
from maskkit.shards.description import Dataset
from maskkit.shards.ledger import write_ledger
from maskkit.shards.writer import Row, write_shard
from tests.drawn import ATTRIBUTES, drawn_row, face_points

CHROMIUM = (
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


def write_rows(
    folder: Path,
    rows: list[Row],
    names: tuple[str, ...],
    scheme: maskkit.RegionScheme,
    options: dict[str, bool] | None = None,
) -> Path:
    """A data set of one shard, as a build would leave it."""
    folder.mkdir()
    dataset = Dataset(scheme, len(rows[0].image), names, {"kind": "drawn"}, options or {}, {}, complete=True)
    dataset.shards.append(write_shard(folder, "train-00000.h5", rows, dataset, tuple(STEPS)))
    write_ledger(folder, dataset)
    dataset.write(folder)
    return folder


def with_points(row: Row, points: np.ndarray) -> Row:
    row.landmarks, row.mask = points.astype(np.float32), maskkit.rasterize(points, len(row.image))
    return row


def test_a_histogram_knows_quantiles_and_fences_without_the_values() -> None:
    values = np.random.default_rng(0).normal(5, 2, 20_000)
    histogram = Histogram(np.linspace(-5, 15, 2001))
    for part in np.split(values, 8):
        histogram.add(part)
    histogram.add([np.nan, np.nan])
    assert [histogram.quantile(q) for q in (0.01, 0.25, 0.5, 0.99)] == pytest.approx(
        np.quantile(values, [0.01, 0.25, 0.5, 0.99]), abs=0.02
    )
    assert (histogram.mean, histogram.least, histogram.largest) == pytest.approx(
        (values.mean(), values.min(), values.max())
    )
    low, high = np.quantile(values, [0.25, 0.75])
    assert histogram.fences(3) == pytest.approx((low - 3 * (high - low), high + 3 * (high - low)), abs=0.1)
    assert (histogram.total, histogram.missing, round(sum(histogram.coarse(0, 10, 7)), 6)) == (20_000, 2, 1)


def test_pose_follows_turns_whose_size_is_known() -> None:
    face = face_points(200, opening=0.05, turn=0.04)
    figures = {name: float(value) for name, value in pose(face).items()}
    for degrees in (-25, 10, 170):
        moved = pose(SimilarityTransform(scale=0.3, rotation=np.radians(degrees), translation=(9, -4))(face))
        assert moved["roll"] == pytest.approx(degrees, abs=0.01)
        for name in ("yaw", "pitch", "mouth"):
            assert moved[name] == pytest.approx(figures[name], abs=1e-4)
    mirrored = pose(maskkit.mirror_points(face, 200))
    assert mirrored["yaw"] == pytest.approx(-figures["yaw"], abs=1e-4)
    assert mirrored["pitch"] == pytest.approx(figures["pitch"], abs=1e-4)
    nose = face.copy()
    nose[30] += (10, 0)
    eyes = face[42:48].mean(axis=0) - face[36:42].mean(axis=0)
    assert pose(nose)["yaw"] - figures["yaw"] == pytest.approx(10 / eyes[0], abs=1e-4)
    shut, wide = face_points(200, opening=0.0), face_points(200, opening=0.1)
    opened = 0.9 * 0.1 * 200 / np.linalg.norm(shut[36] - shut[45])
    assert pose(wide)["mouth"] - pose(shut)["mouth"] == pytest.approx(opened, abs=1e-4)
    assert np.isnan(pose(np.zeros((68, 2)))["yaw"])


def test_figures_of_a_data_set_are_those_of_a_slow_count(drawn_shards: Path) -> None:
    inspection = maskkit.inspect_shards(drawn_shards)
    masks, points, ones, steps = [], [], [], Counter()
    for number in range(3):
        with h5py.File(drawn_shards / f"train-0000{number}.h5") as file:
            masks += list(file["mask"][:])
            points += list(file["landmarks"][:])
            ones += list(file["attributes"][:])
            steps += Counter(list(STEPS)[code] for code in file["detector"][:])
    train = inspection.splits["train"]
    assert (train.rows, list(inspection.splits)) == (40, ["train", "val"])
    assert train.ones.tolist() == np.sum(ones, axis=0, dtype=int).tolist()
    assert train.detectors == steps
    for index, name in enumerate(train.scheme.names):
        shares = [(mask == index).mean() for mask in masks]
        assert train.areas[name].mean == pytest.approx(np.mean(shares))
        assert train.areas[name].quantile(0.5) == pytest.approx(np.median(shares), rel=0.1, abs=1e-4)
    colored = np.mean([maskkit.colorize(mask).astype(float) for mask in masks], axis=0)
    assert np.abs(train.mean_mask() - colored).max() <= 0.5
    for face, distance in zip(points, train.distances(np.stack(points)), strict=True):
        moved = SimilarityTransform.from_estimate(face, train.mean_shape)(face)
        gap = np.sqrt(((moved - train.mean_shape) ** 2).sum(axis=1).mean())
        assert distance == pytest.approx(gap / np.linalg.norm(train.mean_shape[36] - train.mean_shape[45]), abs=1e-5)
    assert inspection.to_dict()["splits"]["val"]["rows"] == 8


def test_planted_bad_rows_are_found_each_by_its_rule_and_no_other(tmp_path: Path) -> None:
    rows = [drawn_row(number, 64) for number in range(119)]
    swapped = rows[7].landmarks.copy()
    swapped[36:42], swapped[42:48] = rows[7].landmarks[42:48], rows[7].landmarks[36:42]
    with_points(rows[7], swapped)
    blind = rows[31].landmarks.copy()
    blind[36:42] = blind[36]
    with_points(rows[31], blind)
    with_points(rows[50], (rows[50].landmarks - 32) * 1.8 + 32)
    rows[99].detector, rows[99].score = "usual-box", float("nan")
    folder = write_rows(tmp_path / "s", rows, ATTRIBUTES, maskkit.load_scheme("scgan"))
    inspection = maskkit.inspect_shards(folder)
    found = {row.row: row.rules for row in inspection.doubtful}
    assert set(found) == {7, 31, 50, 99}
    assert "shape" in found[7] and "missing" in found[31] and found[50] == ("area",) and found[99] == ("guessed",)
    assert inspection.doubtful[-1].row == 99  # the worst come first, and a guess alone is no figure
    assert (inspection.doubtful_total, inspection.doubtful_rules["guessed"]) == (4, 1)


def imported_rows(count: int = 3) -> list[Row]:
    """Rows as imported masks have them: neither points nor attributes, classes of their own."""
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 255, (count, 32, 32, 3), dtype=np.uint8)
    masks = rng.integers(0, 3, (count, 32, 32), dtype=np.uint8)
    return [Row(f"{number}.png", photos[number], masks[number], np.zeros(0, np.uint8)) for number in range(count)]


def other_scheme(*names: str) -> maskkit.RegionScheme:
    return maskkit.RegionScheme.from_dict(
        {"name": names[0], "regions": [{"name": name, "color": [i, 9, 200]} for i, name in enumerate(names)]}
    )


def test_masks_without_points_and_attributes_are_seen_too(tmp_path: Path) -> None:
    folder = write_rows(tmp_path / "s", imported_rows(), (), other_scheme("sky", "sea", "land"))
    inspection = maskkit.inspect_shards(folder)
    statistics = inspection.to_dict()["splits"]["train"]
    assert (statistics["attributes"], statistics["pose"], statistics["expected_areas"]) == ({}, {}, [])
    maskkit.write_report(inspection, tmp_path / "r.html")
    assert "The rows have no points." in (tmp_path / "r.html").read_text()


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    rows = imported_rows()
    rows[1].mask[3, 3] = 9
    folder = write_rows(tmp_path / "s", rows, (), other_scheme("sky", "sea", "land"))
    with pytest.raises(ShardError, match=r"train-00000\.h5, row 1: the mask holds the value 9"):
        maskkit.inspect_shards(folder)
    with pytest.raises(OutputError, match=r"ends in \.html"):
        check_report(tmp_path / "r.pdf", False, folder)


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags[tag] += 1
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_quality_and_every_step_are_shown_and_shaky_points_doubtful(tmp_path: Path) -> None:
    rows = [drawn_row(number, 64) for number in range(30)]
    scores = np.linspace(0.01, 0.08, 30)
    scores[[4, 11]] = 0.2, np.nan
    for row, score in zip(rows, scores, strict=True):
        row.quality = float(score)
    rows[2].detector = "five-points"
    folder = write_rows(tmp_path / "s", rows, ATTRIBUTES, maskkit.load_scheme("scgan"), {"quality": True})
    inspection = maskkit.inspect_shards(folder)
    assert [(row.row, row.rules) for row in inspection.doubtful] == [(4, ("quality",))]
    figures = inspection.to_dict()["splits"]["train"]["quality"]
    assert (figures["mean"], figures["missing"]) == (pytest.approx(np.nanmean(scores), abs=1e-6), 1)
    maskkit.write_report(inspection, tmp_path / "report.html", rows=1)
    page = (tmp_path / "report.html").read_text()
    assert "<td>five-points</td><td>1</td>" in page and "<td>hog</td><td>29</td>" in page
    assert "points move by 0.200 of the eyes&#x27; distance" in page and 'aria-label="Quality' in page
    rows[0].quality = None
    without = maskkit.inspect_shards(write_rows(tmp_path / "u", rows[:1], ATTRIBUTES, maskkit.load_scheme("scgan")))
    maskkit.write_report(without, tmp_path / "plain.html", rows=0)
    assert "no quality scores" in (tmp_path / "plain.html").read_text()


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A data set whose every name is an attack."""
    names = ("<script>alert(1)</script>", "\x1b[31m&amp;", '"><img src=x onerror=alert(1)>', "${title}", "[red]x[/red]")
    rows = [drawn_row(number, 32, names=names) for number in range(5)]
    rows[0].id = "</figcaption><script src='http://127.0.0.1:{port}/x'></script>\u202e.png"
    rows[1].id = "<svg onload=fetch('//127.0.0.1:{port}')>.png"
    rows[2].id = "x" * 3000 + ".png"
    for row in rows:
        row.detector = "usual-box"
    return write_rows(tmp_path / "<b>shards", rows, names, maskkit.load_scheme("scgan"))


def test_hostile_names_stay_text(hostile: Path, tmp_path: Path) -> None:
    inspection = maskkit.inspect_shards(hostile)
    for name in ("a.html", "b.html"):
        maskkit.write_report(inspection, tmp_path / name, rows=4)
    text = (tmp_path / "a.html").read_text()
    page = Page(text)
    assert (page.tags["script"], page.tags["b"], page.tags["svg"]) == (0, 0, 4)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    sources = [value for name, value in page.attributes if name in ("src", "href")]
    assert len(sources) == 1 + 1 + 8 and all(source.startswith("data:") for source in sources)
    assert "<script>alert(1)</script>" in page.text and "${title}" in page.text
    assert not set(text) & {"\x1b", "\u202e"}
    assert "x" * 200 not in page.text
    assert text == (tmp_path / "b.html").read_text()
    with pytest.raises(OutputError, match=r"a\.html exists"):
        maskkit.write_report(inspection, tmp_path / "a.html")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium on PATH: apt install chromium")
def test_a_browser_shows_the_page_and_asks_nobody(hostile: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *words: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Listener)
    Thread(target=server.serve_forever, daemon=True).start()
    page = tmp_path / "r.html"
    maskkit.write_report(maskkit.inspect_shards(hostile), page, rows=4)
    page.write_text(page.read_text().replace("{port}", str(server.server_port)))
    results = (f"--screenshot={tmp_path / 's.png'}", "--window-size=1200,2600", "--enable-logging=stderr", "--dump-dom")
    shown = subprocess.run(
        [*CHROMIUM, f"--user-data-dir={tmp_path / 'profile'}", *results, page.as_uri()],
        capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    server.shutdown()
    assert "CONSOLE" not in shown.stderr, shown.stderr
    assert not asked
    dom = Page(shown.stdout)
    assert "5 rows of 32 x 32 pixels" in dom.text and "usual-box" in dom.text
    assert dom.tags["figure"] == 1 + 4 + 4 + 4  # mean mask, charts, doubtful rows, random rows
    with Image.open(tmp_path / "s.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape == (2600, 1200, 3)
    skin = np.abs(pixels.astype(int) - (255, 224, 189)).max(axis=-1) < 8
    assert skin.sum() > 5000  # of the masks on the sheets
