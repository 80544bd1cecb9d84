"""Videos that a user names: each followed and made steady, its results written, and what became of it told."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from maskkit.detection.cascade import Detector, FaceChoice
from maskkit.detection.named_files import FilesResult, OnProgress, collect_files, result_names
from maskkit.errors import MaskkitError, VideoError
from maskkit.files.result_folder import ResultFolder
from maskkit.masks.raster import rasterize
from maskkit.morphs.flicker import Flicker, measure_flicker
from maskkit.morphs.placed_faces import align_points
from maskkit.photos.videos import is_video, likely_count, read_frames
from maskkit.video.gaps import bridge, name_gaps
from maskkit.video.smoothing import smooth
from maskkit.video.tracking import Track, track

FLICKER_SIZE, FLICKER_FRAMES = 128, 1000  # the masks that are measured: their side, and how many at a time


class Writer(Protocol):
    """What is made of a video, in a kind of result."""

    def check(self, results: ResultFolder, name: str) -> None:
        """Raise OutputError where something is in the way, before the video is followed."""
        ...

    def write(self, results: ResultFolder, name: str, track: Track) -> dict[str, Any]:
        """Write the results under a name, and say which there are."""
        ...


@dataclass(frozen=True)
class Following:
    """How the face of a video is followed.

    It is the one of number `face` by falling size, or what a `detector` of the user's own sees; `smooth` makes its
    points steady, `bridge` draws points into gaps of at most so many seconds, and of the frames every `every`-th is
    written, from the first one on. All of them are looked at.
    """

    detector: str | Detector = "auto"
    face: FaceChoice = 1
    smooth: bool = True
    bridge: float = 0.0
    every: int = 1

    def check(self) -> None:
        """Raise VideoError for what cannot be asked."""
        if self.every < 1:
            raise VideoError(f"every {self.every}: a number of frames from 1")
        if not 0 <= self.bridge < float("inf"):
            raise VideoError(f"gaps of {self.bridge} seconds cannot be bridged; give 0 or more")

    def rough(self, path: Path, on_progress: OnProgress | None = None) -> Track:
        """The track as it was found, gaps bridged."""
        self.check()
        total = likely_count(path) if on_progress else 0

        def tell(done: int) -> None:
            if on_progress is not None:
                on_progress(done, max(total, done))

        return bridge(track(read_frames(path), str(path), self.detector, self.face, tell), self.bridge)


def track_video(
    path: str | Path, *, detector: str | Detector = "auto", face: FaceChoice = 1, steady: bool = True,
    bridge: float = 0.0, on_progress: OnProgress | None = None,
) -> Track:  # fmt: skip
    """Follow one face through a video: its 68 points and time in every frame.

    `face` is its number by falling size where it is first seen; `steady` smooths its points, `bridge` draws points into
    gaps of at most so many seconds. Raises VideoError, DetectionError where no frame shows a face, MissingExtraError.
    """
    following = Following(detector, face, steady, bridge)
    rough = following.rough(Path(path), on_progress)
    return smooth(rough) if steady else rough


def work_through_videos(
    writer: Writer, videos: Iterable[str | Path], out: Path, following: Following, overwrite: bool,
    on_progress: OnProgress | None,
) -> FilesResult:  # fmt: skip
    """Follow each video and write its results, under its name, into the folder `out`."""
    following.check()
    files, failed = collect_files([Path(path) for path in videos])
    results = ResultFolder(out, files, overwrite)
    result = FilesResult(out, failed=failed)
    for path, name in zip(files, result_names(files), strict=True):
        try:
            if not is_video(path):
                raise VideoError(f"{path}: its ending is no video's")
            writer.check(results, name)
            rough = following.rough(path, on_progress)
            steady = smooth(rough) if following.smooth else rough
            written = writer.write(results, name, steady)
        except MaskkitError as error:
            result.failed[str(path)] = str(error)
            continue
        before = track_flicker(rough)
        after = track_flicker(steady) if following.smooth else before
        result.found[str(path)] = {
            **written, "frames": len(steady.times), "found": int((steady.found & ~steady.bridged).sum()),
            "bridged": int(steady.bridged.sum()), "gaps": [list(gap) for gap in steady.gaps()],
            "flicker": {"before": asdict(before), "after": asdict(after)},
        }  # fmt: skip
        result.notes.extend(name_gaps(steady))
        if following.smooth:
            result.notes.append(
                f"{path}: from one frame to the next {before.reverted:.3%} of the mask's pixels change and soon change "
                f"back; smoothed {after.reverted:.3%}"
            )
    return result


def track_flicker(followed: Track) -> Flicker:
    """How much the face's masks flicker, aligned by the eyes in every frame, so that the head's own motion is out."""
    measured: list[tuple[int, Flicker]] = []
    for run in followed.runs():
        for start in range(run.start, run.stop - 1, FLICKER_FRAMES):
            faces = followed.points[start : min(start + FLICKER_FRAMES, run.stop)]
            if len(faces) > 1:
                aligned = np.stack([align_points(face, FLICKER_SIZE, followed.source) for face in faces])
                masks = rasterize(aligned, FLICKER_SIZE, backend="numpy")
                measured.append((len(faces) - 1, measure_flicker(masks)))
    if not measured:
        return Flicker(0.0, 0.0, 0.0)
    steps = [count for count, _ in measured]
    means = np.average([[one.changed, one.reverted, one.uneven] for _, one in measured], axis=0, weights=steps)
    return Flicker(*means.tolist())
