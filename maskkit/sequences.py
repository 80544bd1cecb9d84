"""Sequences of frames out: H.264 video, GIF, or a folder of PNGs."""

import io
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from maskkit.errors import MissingExtraError, OutputError
from maskkit.files import make_folder, refuse_existing, write_atomically
from maskkit.images import Picture
from maskkit.pictures import write_png

# Quantiser of x264: 0 is lossless, 51 the worst; small synthetic pictures show every artefact.
X264_QUALITY = 12
ENDINGS = (".mp4", ".gif", "a name without ending for a folder of PNGs")


def write_frames(path: str | Path, frames: Iterable[Picture], fps: float = 12, overwrite: bool = False) -> int:
    """Write RGB frames of one size, uint8 (H, W, 3), as `.mp4` (H.264), `.gif` or a folder of PNGs; give their number.

    The ending decides. Frames of odd size get one more row or column in an `.mp4`, because its colours are stored at
    half resolution. Raises OutputError if there is something at `path` already, unless `overwrite`.
    """
    path = Path(path)
    refuse_existing(path, overwrite)
    pictures = list(frames)
    if not pictures:
        raise OutputError(f"{path}: there are no frames to write")
    if not 0 < fps <= 1000:
        raise OutputError(f"{path}: {fps:g} frames a second cannot be written; take 1 to 1000")
    suffix = path.suffix.lower()
    if suffix == "":
        _write_folder(path, pictures)
    elif suffix in (".mp4", ".gif"):
        make_folder(path.parent)
        content = _mp4(pictures, fps) if suffix == ".mp4" else _gif(pictures, fps)
        write_atomically(path, lambda file: file.write(content))
    else:
        raise OutputError(f"{path}: sequences are written as {', '.join(ENDINGS)}; {suffix} is none of them")
    return len(pictures)


def _write_folder(path: Path, pictures: list[Picture]) -> None:
    # Written beside and renamed, so that a stop half-way leaves no folder that looks whole.
    partial = path.with_name(f".{path.name}.partial")
    try:
        if partial.exists():
            shutil.rmtree(partial)
        make_folder(partial)
        for number, picture in enumerate(pictures):
            write_png(partial / f"frame-{number:04d}.png", picture)
        if path.is_dir():
            shutil.rmtree(path)
        partial.rename(path)
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror or error}") from error


def _mp4(pictures: list[Picture], fps: float) -> bytes:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("av (PyAV)", "video", "writing an .mp4") from error
    from fractions import Fraction

    height, width = (side + side % 2 for side in pictures[0].shape[:2])
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # One thread: the same frames give the same bytes on every machine.
        stream.options = {"crf": str(X264_QUALITY), "threads": "1"}
        for picture in pictures:
            padding = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
            padded = np.ascontiguousarray(np.pad(picture, padding, mode="edge"))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(padded, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def _gif(pictures: list[Picture], fps: float) -> bytes:
    # One palette for all frames, or colours would flicker from frame to frame.
    strip = Image.fromarray(np.concatenate(pictures[:: max(1, len(pictures) // 8)]))
    palette = strip.quantize(256, dither=Image.Dither.NONE)
    images = [Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    buffer = io.BytesIO()
    # Pillow stores equal neighbours once, for as long as they last together.
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=round(1000 / fps), loop=0)
    return buffer.getvalue()
