"""Sequences of frames out: H.264 video, GIF, or a folder of PNGs."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from maskkit.errors import OutputError
from maskkit.files.atomic import write_atomically
from maskkit.files.outputs import owned, refuse_existing
from maskkit.files.records import DigestList
from maskkit.files.whole_folder import check_folder, whole_folder
from maskkit.masks.pictures import write_png
from maskkit.morphs.gif import write_gif
from maskkit.photos.images import Picture
from maskkit.photos.videos import import_av

# Quantiser of x264: 0 is lossless, 51 the worst; small synthetic pictures show every artefact.
X264_QUALITY = 12
TICK = Fraction(1, 90_000)  # seconds; the usual rates have whole numbers of them
WRITING = "writing an .mp4"
FASTEST = 100  # frames a second; a GIF counts in hundredths
FRAMES = DigestList("frames", "a folder of frames")
ENDINGS = ".mp4, .gif, or no ending for a folder of PNGs"


def check_output(path: str | Path, fps: float = 12, overwrite: bool = False, inputs: Iterable[str | Path] = ()) -> None:
    """Raise OutputError or MissingExtraError for what `write_frames` could not write, before frames are made."""
    path = Path(path)
    if path.suffix.lower() not in ("", ".mp4", ".gif"):
        raise OutputError(f"{path}: sequences are written as {ENDINGS}; {path.suffix} is none of them")
    if not 0 < fps <= FASTEST:
        raise OutputError(f"{path}: {fps:g} frames a second cannot be written; take 1 to {FASTEST}")
    if path.suffix.lower() == ".mp4":
        import_av(WRITING)
    if path.suffix == "":
        check_folder(path, FRAMES, overwrite, inputs)
        return
    refuse_existing(path, overwrite, inputs)
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give another name")


def write_frames(
    path: str | Path,
    frames: Iterable[Picture],
    fps: float = 12,
    overwrite: bool = False,
    note: str | None = None,
    times: Sequence[float] | None = None,
) -> int:
    """Write RGB frames of one size, uint8 (H, W, 3), as `.mp4` (H.264), `.gif` or a folder of PNGs; give their number.

    The ending decides. Frames are taken one by one. Those of odd size get one more row or column in an `.mp4`, because
    its colours are stored at half resolution. With `times`, rising seconds of the frames, an `.mp4` shows each from its
    own time on instead of at the rate `fps`. `note` goes into the metadata: the comment of an `.mp4` or `.gif`, the
    Description of each PNG. Raises OutputError, before the first frame is asked for, if there is something at `path`
    already, unless `overwrite`, or if another process is writing it; a folder is replaced only if it holds nothing but
    frames as they were written.
    """
    path = Path(path)
    check_output(path, fps, overwrite)
    if path.suffix == "":
        return write_frame_folder(path, frames, lambda file, frame: write_png(file, frame, note), overwrite)
    counted = _Counted(frames)

    def encode(file: BinaryIO) -> None:
        if path.suffix.lower() == ".mp4":
            file.write(encode_mp4(counted, fps, note, times))
        else:
            write_gif(file, counted, fps, note)

    with owned(path):
        write_atomically(path, encode, overwrite=overwrite)
    return counted.count


def write_frame_folder(
    path: Path, frames: Iterable[Any], write: Callable[[Path, Any], object], overwrite: bool = False
) -> int:
    """Write each frame as `path/frame-0000.png` and so on with `write`, all or none; give their number."""
    count = 0
    with whole_folder(path, FRAMES, overwrite=overwrite) as folder:
        for frame in frames:
            write(folder / f"frame-{count:04d}.png", frame)
            count += 1
        if not count:
            raise OutputError(f"{path}: there are no frames to write")
    return count


class _Counted:
    """Frames that are counted as they go by."""

    def __init__(self, frames: Iterable[Picture]) -> None:
        self.frames, self.count = iter(frames), 0

    def __iter__(self) -> Iterator[Picture]:
        for frame in self.frames:
            self.count += 1
            yield frame
        if not self.count:
            raise OutputError("there are no frames to write")


def encode_mp4(
    frames: Iterable[Picture], fps: float, note: str | None = None, times: Sequence[float] | None = None
) -> memoryview:
    """What `write_frames` writes into an `.mp4`; there must be a frame."""
    av = import_av(WRITING)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        if note is not None:
            container.metadata["comment"] = note
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.pix_fmt = "yuv420p"
        # One thread: the same frames give the same bytes on every machine.
        stream.options = {"crf": str(X264_QUALITY), "threads": "1"}
        waiting = iter(frames)
        first = next(waiting)
        height, width = first.shape[:2]
        odd = ((0, height % 2), (0, width % 2), (0, 0))
        stream.height, stream.width = height + height % 2, width + width % 2
        if times is not None:
            stream.codec_context.time_base = TICK
        for number, frame in enumerate(chain([first], waiting)):
            even = np.ascontiguousarray(np.pad(frame, odd, mode="edge"))
            picture = av.VideoFrame.from_ndarray(even, format="rgb24")
            if times is not None:
                picture.pts, picture.time_base = round(times[number] / TICK), TICK
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return buffer.getbuffer()
