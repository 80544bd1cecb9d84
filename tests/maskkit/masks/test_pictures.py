"""Pictures and sequences, read back by other libraries."""

from pathlib import Path
from xml.etree import ElementTree

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageSequence

import maskkit
from maskkit.errors import OutputError, SchemeError
from tests.drawn import face_points


@pytest.fixture
def frames() -> list[np.ndarray]:
    """Masks of an opening mouth in colours, 63 x 65 pixels, which is odd both ways."""
    path = maskkit.interpolate(face_points(64, opening=0), face_points(64, opening=0.1), 13)
    return [maskkit.colorize(mask) for mask in maskkit.rasterize(path, (65, 63))]


def test_palette_png_holds_the_class_numbers(tmp_path: Path) -> None:
    label_map = maskkit.rasterize(face_points(64), 64)
    maskkit.write_palette_png(tmp_path / "mask.png", label_map)
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "P"
        assert (np.asarray(image) == label_map).all()
        assert (np.asarray(image.convert("RGB")) == maskkit.colorize(label_map)).all()
    with pytest.raises(SchemeError, match="holds the value 7"):
        maskkit.colorize(np.full((2, 2), 7, dtype=np.uint8))


def test_mp4_is_h264_with_every_frame(tmp_path: Path, frames: list[np.ndarray]) -> None:
    assert maskkit.write_frames(tmp_path / "a.mp4", frames, fps=10) == 13
    video = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    fourcc = int(video.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little")
    assert fourcc in (b"avc1", b"h264")
    assert video.get(cv2.CAP_PROP_FPS) == 10
    read = []
    while True:
        there, frame = video.read()
        if not there:
            break
        read.append(frame[..., ::-1])
    assert len(read) == 13
    assert read[0].shape == (66, 64, 3)
    assert np.abs(read[12][:65, :63].astype(int) - frames[12]).mean() < 6  # colours at half resolution


def test_gif_and_folder(tmp_path: Path, frames: list[np.ndarray]) -> None:
    maskkit.write_frames(tmp_path / "a.gif", [frames[0], *frames], fps=10)
    with Image.open(tmp_path / "a.gif") as image:
        read = [(np.asarray(f.convert("RGB")), f.info["duration"]) for f in ImageSequence.Iterator(image)]
    assert sum(duration for _, duration in read) == 14 * 100  # equal neighbours are stored once, and last as long
    assert np.abs(read[-1][0].astype(int) - frames[-1]).max() <= 2
    maskkit.write_frames(tmp_path / "a", frames)
    files = sorted((tmp_path / "a").glob("*.png"))
    assert len(files) == 13
    assert (np.asarray(Image.open(files[-1])) == frames[-1]).all()


def test_nothing_is_overwritten_unless_asked(tmp_path: Path, frames: list[np.ndarray]) -> None:
    for name in ("a.gif", "folder"):
        maskkit.write_frames(tmp_path / name, frames[:2])
        with pytest.raises(OutputError, match=f"{name} exists"):
            maskkit.write_frames(tmp_path / name, frames)
        assert maskkit.write_frames(tmp_path / name, frames[:3], overwrite=True) == 3
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds thesis\.txt, which maskkit did not write so, and is not replaced"):
        maskkit.write_frames(tmp_path / "folder", frames, overwrite=True)
    assert len(list((tmp_path / "folder").glob("[!.]*"))) == 4
    never = iter([])
    for name, fps, message in (("a.avi", 12, r"written as \.mp4, \.gif"), ("a.gif", 5000, "5000 frames a second")):
        with pytest.raises(OutputError, match=message):
            maskkit.write_frames(tmp_path / name, never, fps, overwrite=True)
    with pytest.raises(OutputError, match="is no name for a result"):
        maskkit.write_frames(".", frames, overwrite=True)
    with pytest.raises(OutputError, match="no frames"):
        maskkit.write_frames(tmp_path / "b.gif", [])


def test_a_note_is_in_the_metadata_and_changes_no_pixel(tmp_path: Path, frames: list[np.ndarray]) -> None:
    address = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    note = f"Drawn, not photographed: Zoë, 顔 ({address})"
    for folder in (tmp_path / "a", tmp_path / "b"):
        maskkit.write_png(folder.with_suffix(".png"), frames[0], note=note)
        for name in ("x.mp4", "x.gif", "frames"):
            maskkit.write_frames(folder / name, frames[:3], note=note)
    for name in ("x.mp4", "x.gif", "frames/frame-0002.png"):  # no date, no chance
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    for path, frame in ((tmp_path / "a.png", frames[0]), (tmp_path / "a" / "frames" / "frame-0002.png", frames[2])):
        with Image.open(path) as image:
            assert image.text["Description"] == note
            description = ElementTree.fromstring(image.text["XML:com.adobe.xmp"])[0][0]
            assert description.attrib["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"] == address
            assert (np.asarray(image) == frame).all()
    with Image.open(tmp_path / "a" / "x.gif") as image:
        assert image.info["comment"].decode() == note
    with av.open(str(tmp_path / "a" / "x.mp4")) as video:
        assert video.metadata["comment"] == note


def test_no_note_no_metadata(tmp_path: Path, frames: list[np.ndarray]) -> None:
    maskkit.write_png(tmp_path / "plain.png", frames[0])
    maskkit.write_png(tmp_path / "noted.png", frames[0], note="plain words")
    for name, expected in (("plain", {}), ("noted", {"Description": "plain words"})):
        with Image.open(tmp_path / f"{name}.png") as image:
            assert image.text == expected
    maskkit.write_frames(tmp_path / "x.mp4", frames[:2])
    with av.open(str(tmp_path / "x.mp4")) as video:
        assert "comment" not in video.metadata
