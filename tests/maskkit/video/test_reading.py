"""Videos as files: what is read, turned and timed, and what ends in a sentence."""

from pathlib import Path

import av
import numpy as np
import pytest

from maskkit.errors import VideoError
from maskkit.photos import videos
from maskkit.photos.videos import likely_count, read_frames
from tests.maskkit.video.small_films import write_film

TIMES = [0.0, 0.04, 0.1, 0.5, 0.52, 1.0]


def corner_film(frames: int = 8) -> list[np.ndarray]:
    """Pictures, 48 x 82 pixels, with a red corner at the left of the top."""
    picture = np.zeros((48, 82, 3), np.uint8)
    picture[:24, :41, 0] = 255
    return [picture] * frames


@pytest.mark.parametrize(("turned", "corner"), [(0, (0, 0)), (90, (-1, 0)), (-90, (0, -1)), (180, (-1, -1))])
def test_frames_stand_upright_and_in_one_piece(tmp_path: Path, turned: int, corner: tuple[int, int]) -> None:
    frames = list(read_frames(write_film(tmp_path / "turned.mp4", corner_film(), turned=turned)))
    assert [frame.number for frame in frames] == list(range(8))
    for frame in frames:
        assert frame.image.shape == ((48, 82, 3) if turned in (0, 180) else (82, 48, 3))
        assert frame.image.flags.c_contiguous  # the decoder pads lines, which dlib reads askew
        red = {(y, x): frame.image[y, x, 0] > 128 for y in (0, -1) for x in (0, -1)}
        assert [place for place, is_red in red.items() if is_red] == [corner]


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_variable_rate_keeps_its_times(tmp_path: Path, ending: str) -> None:
    film = write_film(tmp_path / f"film.{ending}", corner_film(len(TIMES)), times=TIMES)
    assert [frame.time for frame in read_frames(film)] == pytest.approx(TIMES, abs=1e-3)


@pytest.mark.parametrize(("ending", "codec"), [("avi", "mpeg4"), ("webm", "libvpx"), ("mpg", "mpeg2video")])
def test_other_containers(tmp_path: Path, ending: str, codec: str) -> None:
    frames = list(read_frames(write_film(tmp_path / f"film.{ending}", corner_film(), codec=codec)))
    assert [frame.time for frame in frames] == pytest.approx(np.arange(8) / 25, abs=1e-3)


def sound_alone(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.rate = 44100
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_what_is_no_whole_video_ends_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 48, 82, 3), dtype=np.uint8)
    good = write_film(tmp_path / "good.mp4", list(noise)).read_bytes()
    hurt = bytearray(write_film(tmp_path / "hurt.mp4", corner_film(30)).read_bytes())
    hurt[len(hurt) // 3 : len(hurt) // 3 + 200] = b"\x55" * 200
    early = tmp_path / "early.mp4"  # its table of frames stands before them, so that a cut file can be opened
    with av.open(str(tmp_path / "good.mp4")) as source:
        with av.open(str(early), "w", options={"movflags": "faststart"}) as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
    whole = early.read_bytes()
    sound_alone(tmp_path / "sound.mp4")
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:1,\n{tmp_path / 'good.mp4'}\n#EXT-X-ENDLIST\n")
    (tmp_path / "concat.mp4").write_text("ffconcat version 1.0\nfile good.mp4\n")
    for name, content, message in (
        ("empty.mp4", b"", "not a video that can be read"),
        ("text.mp4", b"no film", "not a video that can be read"),
        ("half.mp4", good[: len(good) // 2], "not a video that can be read"),
        ("hurt.mp4", bytes(hurt), r"broken after \d+ frames"),
        ("early.mp4", whole[: len(whole) * 4 // 5], r"(cut off, it ends|broken) after \d+"),
        ("sound.mp4", None, "there are no pictures in it, only audio"),
        ("list.mp4", None, "not a video that can be read"),  # a playlist would open further files
        ("concat.mp4", None, "not a video that can be read"),
        ("gone.mp4", None, "No such file"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(VideoError, match=f"{name}: {message}"):
            list(read_frames(tmp_path / name))
    monkeypatch.setattr(videos, "LARGEST_PIXELS", 48 * 82 - 1)
    with pytest.raises(VideoError, match="82 x 48 pixels are more than the 3,935 allowed"):
        list(read_frames(tmp_path / "good.mp4"))
    assert likely_count(tmp_path / "good.mp4") == 30
