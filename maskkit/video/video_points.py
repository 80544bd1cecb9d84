"""Videos to tables of points: the door behind `maskkit landmarks clip.mp4`."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.detection.cascade import Detector, FaceChoice
from maskkit.detection.named_files import FilesResult, OnProgress
from maskkit.errors import OutputError
from maskkit.files.result_folder import ResultFolder
from maskkit.photos.videos import frame_id
from maskkit.points.point_files import COLUMNS, VIDEO_COLUMNS, table_row
from maskkit.video.named_videos import Following, work_through_videos
from maskkit.video.tracking import Track

FORMATS = ("csv", "npz")


def write_video_landmarks(
    videos: Iterable[str | Path],
    out: str | Path,
    *,
    format: str = "csv",
    face: FaceChoice = 1,
    detector: str | Detector = "auto",
    smooth: bool = True,
    bridge: float = 0.0,
    every: int = 1,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> FilesResult:
    """Follow one face through each video, and write its points of every frame into the folder `out`.

    `format` is csv, a line for each frame with a face: `id,x0,y0,...,x67,y67,time,bridged`, the id `clip.mp4/000123`,
    which `maskkit build-folder --landmarks` takes; or npz, arrays of all frames: `points` (F, 68, 2) with NaN where
    there is no face, `times`, `frames`, `bridged`, and `size` (H, W). The other keywords are those of Following; a
    video that cannot be used is told in `failed`. Raises OutputError where results would replace something.
    """
    if format not in FORMATS:
        raise OutputError(f"there is no format {format!r} of a video's points: take one of {', '.join(FORMATS)}")
    following = Following(detector, face, smooth, bridge, every)
    return work_through_videos(_Table(format, every), videos, Path(out), following, overwrite, on_progress)


@dataclass(frozen=True)
class _Table:
    """How the points of a video are written."""

    format: str
    every: int

    def check(self, results: ResultFolder, name: str) -> None:
        """See Writer."""
        results.check(f"{name}.{self.format}")

    def write(self, results: ResultFolder, name: str, track: Track) -> dict[str, Any]:
        """See Writer."""
        numbers = np.arange(0, len(track.times), self.every)
        content = _csv(track, numbers) if self.format == "csv" else _arrays(track, numbers)
        return {"points": str(results.write(f"{name}.{self.format}", content))}


def _csv(track: Track, numbers: NDArray[np.int64]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["id", *COLUMNS, *VIDEO_COLUMNS])
    name = Path(track.source).name
    for number in numbers[track.found[numbers]].tolist():
        row = table_row(f"{name}/{frame_id(number)}", track.points[number])
        writer.writerow([*row, repr(float(track.times[number])), int(track.bridged[number])])
    return buffer.getvalue().encode()


def _arrays(track: Track, numbers: NDArray[np.int64]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, points=track.points[numbers], times=track.times[numbers], frames=numbers,
        bridged=track.bridged[numbers], size=np.array(track.size),
    )  # fmt: skip
    return buffer.getvalue()
