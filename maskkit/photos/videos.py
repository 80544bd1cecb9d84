"""Videos in: frames one by one as upright pictures with their times, within the limits of photos."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.errors import MissingExtraError, VideoError
from maskkit.files.regular import open_regular
from maskkit.photos.images import LARGEST_PIXELS, Picture

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".3gp", ".ogv")
# What FFmpeg may take a file for: none of its formats that open further files or addresses, as playlists do.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegvideo,mpegts,asf,ogg,flv,mp3,wav,aac,flac"


@dataclass(frozen=True)
class Frame:
    """A frame of a video: its number from 0, its time in seconds from the video's start, RGB uint8 (H, W, 3)."""

    number: int
    time: float
    image: Picture


def is_video(path: str | Path) -> bool:
    """Whether a file's ending is a video's."""
    return Path(path).suffix.lower() in SUFFIXES


def frame_id(number: int) -> str:
    """What a frame is called below its video: its number with six digits, counted from 0."""
    return f"{number:06d}"


def read_frames(path: str | Path) -> Iterator[Frame]:
    """Read a video frame by frame, each turned upright; a few are in memory at a time.

    Frames of a variable rate keep their own times. Raises VideoError with the file and the reason: no video in it,
    broken, cut off, too large, or of a format that is not read; MissingExtraError without PyAV.
    """
    with opened_video(path) as (container, stream):
        number = -1
        for number, frame in enumerate(decoded(container, stream, path)):
            yield Frame(number, time_of(frame, stream, number), picture_of(frame, path))
        if number < 0:
            raise VideoError(f"{path}: there is not one frame in it")


def likely_count(path: str | Path) -> int:
    """About how many frames there are, as the file's header tells it; 0 where it does not."""
    with opened_video(path) as (_, stream):
        return int(stream.frames) or int(float(stream.duration or 0) * float(stream.time_base or 0) * _rate(stream))


def count_frames(path: str | Path) -> int:
    """How many frames `read_frames` will give, without decoding any. Raises VideoError as it does."""
    with opened_video(path) as (container, stream):
        packets = [packet.is_discard for packet in container.demux(stream) if packet.size]
        _check_whole(path, len(packets), stream)
        return packets.count(False)


class FramesByNumber:
    """The frames of one video by their numbers, upright RGB; cheapest where the numbers rise."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin()

    def read(self, number: int) -> Picture:
        """One frame; those before it are decoded and passed over. Raises VideoError."""
        if number < self._next:
            self._begin()
        for frame in self._frames:
            self._next += 1
            if self._next > number:
                return picture_of(frame, self.path)
        raise VideoError(f"{self.path}: it ends before frame {number}")

    def _begin(self) -> None:
        self._stack = ExitStack()  # what was open before is closed with the last one
        container, stream = self._stack.enter_context(opened_video(self.path))
        self._frames, self._next = decoded(container, stream, self.path), 0


@contextmanager
def opened_video(path: str | Path) -> Iterator[tuple[Any, Any]]:
    """PyAV's container and the stream of the pictures; what is wrong with the file is a VideoError, in the block too.

    A cover picture of an audio file is no video.
    """
    av = import_av("reading a video")
    failure = av.error.FFmpegError  # held, for a generator that is left open ends after PyAV's modules do
    try:
        with ExitStack() as stack:
            file = stack.enter_context(open_regular(path))
            container = stack.enter_context(av.open(file, options={"format_whitelist": CONTAINERS}))
            streams = [one for one in container.streams.video if not one.disposition & one.disposition.attached_pic]
            if not streams:
                raise VideoError(f"{path}: there are no pictures in it, only {_kinds(container)}")
            streams[0].thread_type = "AUTO"
            yield container, streams[0]
    except failure as error:
        raise VideoError(f"{path}: not a video that can be read ({error.strerror})") from error
    except OSError as error:
        raise VideoError(f"{path}: {error.strerror or error}") from error


def decoded(container: Any, stream: Any, path: str | Path) -> Iterator[Any]:
    """PyAV's frames from where the container stands; VideoError for a damaged one, and where the file is cut off."""
    failure = import_av("reading a video").error.FFmpegError
    packets = shown = 0
    try:
        for packet in container.demux(stream):
            packets += packet.size > 0
            for frame in packet.decode():
                if frame.width * frame.height > LARGEST_PIXELS:
                    raise VideoError(
                        f"{path}: {frame.width} x {frame.height} pixels are more than the {LARGEST_PIXELS:,} allowed"
                    )
                if packet.is_corrupt or frame.is_corrupt:
                    raise VideoError(f"{path}: broken after {shown} frames; get a whole copy, or cut it there")
                yield frame
                shown += 1
    except failure as error:
        raise VideoError(
            f"{path}: broken after {shown} frames ({error.strerror}); get a whole copy, or cut it there"
        ) from error
    _check_whole(path, packets, stream)


def time_of(frame: Any, stream: Any, number: int) -> float:
    """The seconds from the video's start; by the usual rate where the file keeps no times."""
    if frame.pts is None:
        return number / _rate(stream)
    start = (stream.container.start_time or 0) / 1_000_000  # FFmpeg's microseconds
    return float(frame.pts * frame.time_base) - start


def picture_of(frame: Any, path: str | Path) -> Picture:
    """A decoded frame as RGB uint8 (H, W, 3), turned as the file says that it is to be shown."""
    quarters, rest = divmod(frame.rotation, 90)
    if rest:
        raise VideoError(f"{path}: it is turned by {frame.rotation} degrees; quarter turns are read")
    image = frame.to_ndarray(format="rgb24")
    # PyAV pads lines; dlib reads such an array askew without a word.
    return np.ascontiguousarray(np.rot90(image, quarters % 4))


def import_av(purpose: str) -> Any:
    """PyAV; MissingExtraError that names what needs it."""
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("av (PyAV)", "video", purpose) from error
    return av


def typical_rate(times: NDArray[np.float64]) -> float:
    """Frames a second by the median step between `times`; 25 for a single frame."""
    steps = np.diff(times)
    return float(1 / np.median(steps[steps > 0])) if (steps > 0).any() else 25.0


def _check_whole(path: str | Path, packets: int, stream: Any) -> None:
    if packets < stream.frames:
        raise VideoError(f"{path}: cut off, it ends after {packets} of {stream.frames} frames; get a whole copy")


def _rate(stream: Any) -> float:
    return float(stream.average_rate or stream.guessed_rate or 25)


def _kinds(container: Any) -> str:
    return " and ".join(sorted({one.type for one in container.streams})) or "nothing that is known"
