"""Grids and sequences from a trained generator."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import gan
import maskkit
from gan.errors import GanError, InputError
from gan.pictures.rendering import render
from gan.pictures.sampling import draw_layouts, sample
from gan.pictures.tiles import layout_pictures, synthetic_note, to_pictures
from gan.runs.loading import LoadedGenerator, load_segmentor
from gan.runs.presets import settings_from
from gan.settings.run_settings import write_settings
from maskkit.errors import MaskkitError, OutputError
from tests.drawn import face_points


@pytest.fixture
def mouths(tmp_path: Path) -> tuple[str, str]:
    """Point files of a face with a closed and with an open mouth."""
    paths = tmp_path / "closed.pts", tmp_path / "open.pts"
    for path, opening in zip(paths, (0.0, 0.16), strict=True):
        maskkit.write_points(path, face_points(128, opening))
    return str(paths[0]), str(paths[1])


def tile(picture: np.ndarray, row: int, column: int, size: int = 32) -> np.ndarray:
    return picture[row * (size + 2) :][:size, column * (size + 2) :][:, :size]


def test_images_become_pictures_and_back() -> None:
    x = torch.arange(256.0).view(1, 1, 16, 16).expand(1, 3, 16, 16) / 127.5 - 1
    assert np.array_equal(to_pictures(x)[0][..., 1], np.arange(256).reshape(16, 16))
    assert to_pictures(torch.full((1, 3, 2, 2), 1.01))[0].max() == 255


def test_generator_says_what_it_needs(small_run: Path) -> None:
    generator = gan.load_generator(small_run)
    assert (generator.size, generator.n_z, len(generator.scheme)) == (32, 8, 7)
    assert generator.attribute_names == ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
    assert generator.attributes(["Young", "Black_Hair"]).tolist() == [1, 0, 0, 0, 1]
    with pytest.raises(InputError, match=r"c has the shape \(2, 4\), and this generator needs \(2, 5\)"):
        generator(torch.zeros(2, 8), torch.zeros(2, 4), torch.zeros(2, 7, 32, 32))
    with pytest.raises(InputError, match="no attribute 'Bald'; it knows Black_Hair"):
        generator.attributes(["Bald"])


def test_settings_are_the_checkpoints_and_only_the_shards_folder_is_the_runs(small_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    stored = gan.load_generator(small_run).settings
    edited = settings_from(stored.model_dump(), ["loss.cls=softmax", "generator.n_z=4"], source="test")
    write_settings(run / "config.toml", edited.with_shards(tmp_path / "moved"))
    assert gan.load_generator(run).settings == stored.with_shards(tmp_path / "moved")
    assert load_segmentor(run).state_dict().keys() == load_segmentor(small_run).state_dict().keys()


def test_grid_over_latents(small_run: Path, drawn_shards: Path, tmp_path: Path) -> None:
    sheet = sample(small_run, tmp_path / "grid.png", rows=2, columns=3, device="cpu")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "grid.png")), sheet)
    words, picture = np.split(sheet, [len(sheet) - (2 * 34 - 2)])
    assert picture.shape == (2 * 34 - 2, 5 * 34 - 2, 3)
    assert all((words[:, 34 * i :][:, :32] < 128).any() for i in range(5))  # photo, layout, and three z
    generator, row = gan.load_generator(small_run), maskkit.ShardReader(drawn_shards, split="val")[1]
    s_idx = torch.from_numpy(maskkit.rasterize(maskkit.scale_points(row["landmarks"], 64, 32), 32))[None].long()
    assert np.array_equal(tile(picture, 1, 1), layout_pictures(s_idx, generator.scheme)[0])
    s = torch.from_numpy(maskkit.one_hot(s_idx.numpy(), 7)).float()
    c = torch.from_numpy(row["attributes"]).float()[None]
    expected = to_pictures(generator(generator.draw_z(3, 0)[2:], c, s))[0]
    assert np.abs(tile(picture, 1, 4).astype(int) - expected).max() <= 1


def test_grid_over_attributes_of_own_layouts(small_run: Path, tmp_path: Path, mouths: tuple[str, str]) -> None:
    sheet = sample(
        small_run, tmp_path / "grid.png", layouts=mouths, vary="c", attributes=["Young"], scale=2, device="cpu"
    )
    words, picture = np.split(sheet, [len(sheet) - 2 * (2 * 34 - 2)])
    assert all((words[:, 2 * 34 * i :][:, :64] < 128).any() for i in range(7))
    assert picture.shape == (2 * (2 * 34 - 2), 2 * (7 * 34 - 2), 3)  # layout, own attributes, five reversed
    assert not np.array_equal(tile(picture, 0, 1, 64), tile(picture, 0, 2, 64))


def test_video_from_a_closed_to_an_open_mouth(small_run: Path, tmp_path: Path, mouths: tuple[str, str]) -> None:
    render(small_run, *mouths, tmp_path / "smile.mp4", frames=9, masks=True, scale=2, device="cpu")
    video = cv2.VideoCapture(str(tmp_path / "smile.mp4"))  # not the library that wrote it
    assert int(video.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little") in (b"avc1", b"h264")
    frames = []
    while (read := video.read())[0]:
        frames.append(read[1][..., ::-1])
    assert len(frames) == 9 and frames[0].shape == (64, 128, 3)

    generator = gan.load_generator(small_run)
    colour = generator.scheme.palette[generator.scheme.names.index("inner_mouth")].astype(int)
    areas = [(np.abs(frame[:, :64].astype(int) - colour).sum(2) < 60).sum() for frame in frames]
    assert areas == sorted(areas) and areas[-1] > areas[0] + 20


def test_a_film_is_as_large_as_a_screen_shows_whole(small_run: Path, tmp_path: Path, mouths: tuple[str, str]) -> None:
    for masks, size in ((False, (704, 704)), (True, (1280, 640))):
        out = tmp_path / f"{masks}.gif"
        render(small_run, *mouths, out, frames=2, masks=masks, device="cpu")
        with Image.open(out) as film:
            assert film.size == size
    render(small_run, *mouths, tmp_path / "still.png", frames=2, device="cpu")
    with Image.open(tmp_path / "still.png") as still:
        assert still.size == (66, 32)


def test_frames_hold_z_and_c_and_follow_the_layout(small_run: Path, tmp_path: Path, mouths: tuple[str, str]) -> None:
    out = tmp_path / "frames"
    render(small_run, *mouths, out, frames=20, seed=4, attributes=["Male"], device="cpu")
    files = sorted(out.glob("*.png"))
    assert len(files) == 20
    generator = gan.load_generator(small_run)
    s_idx = draw_layouts(generator, mouths).numpy()
    s = torch.from_numpy(maskkit.one_hot(s_idx, 7)).float()
    z, c = generator.draw_z(1, 4).expand(2, -1), generator.attributes(["Male"]).expand(2, -1)
    for path, expected in zip((files[0], files[-1]), to_pictures(generator(z, c, s)), strict=True):
        assert np.abs(np.asarray(Image.open(path)).astype(int) - expected).max() <= 1


def test_z_and_c_go_along_with_the_frames(small_run: Path, tmp_path: Path, mouths: tuple[str, str]) -> None:
    render(
        small_run, *mouths, tmp_path / "way.png", frames=5, seed=4, seed_to=8, attributes=["Male"],
        attributes_to=["Young"], masks=True, device="cpu",
    )  # fmt: skip
    still = np.asarray(Image.open(tmp_path / "way.png"))
    assert still.shape == (2 * 34 - 2, 5 * 34 - 2, 3)
    generator = gan.load_generator(small_run)
    z = torch.lerp(generator.draw_z(1, 4), generator.draw_z(1, 8), 0.25)
    c = torch.tensor([[0, 0, 0, 0.75, 0.25]])
    a, b = (maskkit.read_face_points(mouth, 32) for mouth in mouths)
    label_map = maskkit.rasterize(a + (b - a) / 4, 32)
    expected = to_pictures(generator(z, c, torch.from_numpy(maskkit.one_hot(label_map, 7))[None].float()))[0]
    assert np.abs(tile(still, 1, 1).astype(int) - expected).max() <= 1
    assert np.array_equal(tile(still, 0, 1), maskkit.colorize(label_map))


def test_rows_take_z_and_c_and_frames_the_landmarks(small_run: Path, tmp_path: Path, mouths: tuple[str, str]) -> None:
    chosen = {"frames": 7, "rows": 3, "seed": 4, "seed_to": 8, "path": "spherical", "device": "cpu"}
    chosen |= {"attributes_to": ["Young"]}
    render(small_run, *mouths, tmp_path / "grid.png", **chosen)
    still = np.asarray(Image.open(tmp_path / "grid.png"))
    assert still.shape == (3 * 34 - 2, 7 * 34 - 2, 3)
    generator, s_idx = gan.load_generator(small_run), draw_layouts(gan.load_generator(small_run), mouths).numpy()
    first, last = generator.draw_z(1, 4), generator.draw_z(1, 8)
    bisector = first / first.norm() + last / last.norm()
    middle = bisector / bisector.norm() * (first.norm() + last.norm()) / 2
    for row, (share, z) in enumerate(((0, first), (0.5, middle), (1, last))):
        for column, label_map in ((0, s_idx[:1]), (6, s_idx[1:])):
            c = torch.tensor([[0, 0, 0, 0, share]])
            expected = to_pictures(generator(z, c, torch.from_numpy(maskkit.one_hot(label_map, 7)).float()))[0]
            assert np.abs(tile(still, row, column).astype(int) - expected).max() <= 1

    done: list[int] = []
    render(small_run, *mouths, tmp_path / "film", **chosen, masks=True, on_frame=done.append)
    frames = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "film").glob("*.png"))]
    assert len(frames) == 7 and done == [1, 2, 3, 4, 5, 6, 7]
    for column, frame in enumerate(frames):
        assert np.array_equal(frame[34:], still[:, column * 34 : column * 34 + 32])
    with pytest.raises(InputError, match="3 rows would all be the same"):
        render(small_run, *mouths, tmp_path / "same.png", rows=3)
    with pytest.raises(InputError, match="10000 pictures of 1024 pixels are too many"):
        render(small_run, *mouths, tmp_path / "large.png", frames=10_000, scale=32, device="cpu")


def test_gif(small_run: Path, tmp_path: Path, mouths: tuple[str, str]) -> None:
    render(small_run, *mouths, tmp_path / "smile.gif", frames=3, device="cpu")
    with Image.open(tmp_path / "smile.gif") as image:
        assert image.n_frames == 3 and image.info["comment"] == synthetic_note("SCGAN").encode()


def test_refusals(small_run: Path, tmp_path: Path, mouths: tuple[str, str]) -> None:
    (tmp_path / "there.mp4").write_text("mine")
    with pytest.raises(MaskkitError, match=r"there\.mp4 exists"):
        render(small_run, *mouths, tmp_path / "there.mp4")
    assert (tmp_path / "there.mp4").read_text() == "mine"
    with pytest.raises(InputError, match="at least 2 frames"):
        render(small_run, *mouths, tmp_path / "out.mp4", frames=1)
    with pytest.raises(GanError, match=r"no longer at .*gone; name their folder with --shards"):
        sample(small_run, tmp_path / "grid.png", shards=tmp_path / "gone")
    with pytest.raises(MaskkitError, match=r"nothing\.pts"):
        sample(small_run, tmp_path / "grid.png", layouts=[str(tmp_path / "nothing.pts")])
    with pytest.raises(InputError, match=f"the seed {10**20} is out of range"):
        sample(small_run, tmp_path / "grid.png", seed=10**20)
    assert not (tmp_path / "grid.png").exists() and not (tmp_path / "out.mp4").exists()


def test_names_that_cannot_be_written_are_refused_before_any_work(tmp_path: Path, mouths: tuple[str, str]) -> None:
    with pytest.raises(InputError, match=r"grid\.jpg: grids are written as PNG"):
        sample(tmp_path / "no run", tmp_path / "grid.jpg")
    with pytest.raises(OutputError, match=r"smile\.avi"):
        render(tmp_path / "no run", *mouths, tmp_path / "smile.avi")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="mine"):
        render(tmp_path / "no run", *mouths, mine, overwrite=True)


def test_a_grid_gets_its_folder(small_run: Path, tmp_path: Path) -> None:
    sample(small_run, tmp_path / "new" / "folder" / "grid.PNG", rows=1, columns=1, device="cpu")
    assert Image.open(tmp_path / "new" / "folder" / "grid.PNG").format == "PNG"


def test_no_memory_left_is_a_sentence(
    small_run: Path, tmp_path: Path, mouths: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(LoadedGenerator, "make", full)
    with pytest.raises(GanError, match=r"sampling failed: CUDA out of memory\. If memory is short, take fewer rows"):
        sample(small_run, tmp_path / "grid.png", device="cpu")
    with pytest.raises(GanError, match=r"rendering failed: CUDA out of memory\. If memory is short, take fewer frames"):
        render(small_run, *mouths, tmp_path / "smile.gif", device="cpu")
