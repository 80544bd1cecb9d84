"""Videos to masks: the door behind `maskkit segment clip.mp4`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskkit.detection.cascade import Detector, FaceChoice
from maskkit.detection.named_files import FilesResult, OnProgress
from maskkit.detection.photo_masks import FORMATS as PHOTO_FORMATS
from maskkit.detection.photo_masks import encode_mask
from maskkit.errors import OutputError
from maskkit.files.result_folder import ResultFolder
from maskkit.files.whole_folder import check_folder, whole_folder
from maskkit.masks.overlays import annotate
from maskkit.masks.pictures import colorize
from maskkit.masks.raster import LabelMap, rasterize
from maskkit.masks.regions import RegionScheme, as_scheme
from maskkit.morphs.films import FRAMES, encode_mp4
from maskkit.morphs.frame_shard import encode_frame_shard
from maskkit.morphs.morph_files import LARGEST_BYTES
from maskkit.photos.alignment import Alignment
from maskkit.photos.celeba_geometry import CROP
from maskkit.photos.images import Picture
from maskkit.photos.videos import Frame, frame_id, read_frames, typical_rate
from maskkit.points.landmarks import POINT_COUNT
from maskkit.video.named_videos import Following, work_through_videos
from maskkit.video.tracking import Track

FILES = {"film": ".mp4", "shard": ".h5"}  # the others are folders of a file for each frame
FORMATS = (*PHOTO_FORMATS, *FILES)
SHARD_SIZE = 128


def write_video_masks(
    videos: Iterable[str | Path],
    out: str | Path,
    *,
    format: str = "palette",
    face: FaceChoice = 1,
    detector: str | Detector = "auto",
    scheme: str | Path | RegionScheme = "scgan",
    overlay: bool = False,
    smooth: bool = True,
    bridge: float = 0.0,
    every: int = 1,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> FilesResult:
    """Follow one face through each video, and write its masks into the folder `out`.

    `format` is palette, grey, npy or one-hot for a folder NAME of a file for each frame with a face, as photos have
    them; film for NAME.mp4, in colours and with the video's times; or shard for NAME.h5, faces aligned by their eyes at
    128 x 128 with masks and points, which `gan render` takes. With `overlay` NAME.overlay.mp4 shows the video with the
    outlines and points. The other keywords are those of Following; a video that cannot be used is told in `failed`.
    Raises OutputError where results would replace something.
    """
    if format not in FORMATS:
        raise OutputError(f"there is no format {format!r} of a video's masks: take one of {', '.join(FORMATS)}")
    following = Following(detector, face, smooth, bridge, every)
    masks = _Masks(format, as_scheme(scheme), overlay, every, overwrite)
    return work_through_videos(masks, videos, Path(out), following, overwrite, on_progress)


@dataclass(frozen=True)
class _Masks:
    """How the masks of a video are written."""

    format: str
    scheme: RegionScheme
    overlay: bool
    every: int
    overwrite: bool

    def check(self, results: ResultFolder, name: str) -> None:
        """See Writer."""
        if self.format in FILES:
            results.check(f"{name}{FILES[self.format]}")
        else:
            check_folder(results.out / name, FRAMES, self.overwrite, results.inputs)
        if self.overlay:
            results.check(f"{name}.overlay.mp4")

    def write(self, results: ResultFolder, name: str, track: Track) -> dict[str, Any]:
        """See Writer."""
        if self.format in FILES:
            content = self._film(track) if self.format == "film" else self._shard(name, track)
            written = {"masks": str(results.write(f"{name}{FILES[self.format]}", content))}
        else:
            written = {"masks": str(self._folder(results, name, track))}
        if self.overlay:
            content = self._encoded(track, (self._annotated(track, frame) for frame in self._frames(track)))
            written["overlay"] = str(results.write(f"{name}.overlay.mp4", content))
        return written

    def _folder(self, results: ResultFolder, name: str, track: Track) -> Path:
        out = results.out / name
        ending = PHOTO_FORMATS[self.format]
        with whole_folder(out, FRAMES, inputs=[track.source], overwrite=self.overwrite) as folder:
            for number in self._numbers(track):
                if track.found[number]:
                    content = encode_mask(self.format, self._mask(track, number), self.scheme)
                    (folder / f"frame-{frame_id(number)}{ending}").write_bytes(content)
        return out

    def _film(self, track: Track) -> bytes:
        masks = (self._mask(track, number) for number in self._numbers(track))
        return self._encoded(track, (colorize(mask, self.scheme) for mask in masks))

    def _shard(self, name: str, track: Track) -> bytes:
        numbers = [number for number in self._numbers(track) if track.found[number]]
        if len(numbers) * SHARD_SIZE**2 * 7 > LARGEST_BYTES:
            raise OutputError(
                f"{track.source}: {len(numbers)} faces do not fit into one shard, which is composed in memory; take "
                "fewer frames by --every, or maskkit build-folder"
            )
        views = {number: Alignment.by_eyes(track.points[number], CROP, SHARD_SIZE) for number in numbers}
        points = np.stack([view.points(track.points[number]) for number, view in views.items()])
        photos = (views[frame.number].image(frame.image) for frame in self._frames(track) if frame.number in views)
        masks = rasterize(points, SHARD_SIZE, self.scheme, backend="numpy")
        names = [f"{name}/{frame_id(number)}" for number in numbers]
        return encode_frame_shard("video", self.scheme, names, photos, points, masks)

    def _numbers(self, track: Track) -> range:
        return range(0, len(track.times), self.every)

    def _frames(self, track: Track) -> Iterator[Frame]:
        """The frames that are written, read once more."""
        return (frame for frame in read_frames(track.source) if frame.number % self.every == 0)

    def _mask(self, track: Track, number: int) -> LabelMap:
        """The mask of a frame; background alone where there is no face."""
        if not track.found[number]:
            return np.zeros(track.size, dtype=np.uint8)
        return rasterize(track.points[number], track.size, self.scheme, backend="numpy")

    def _annotated(self, track: Track, frame: Frame) -> Picture:
        points = track.points[frame.number][None] if track.found[frame.number] else np.empty((0, POINT_COUNT, 2))
        return annotate(frame.image, points, self.scheme)

    def _encoded(self, track: Track, frames: Iterable[Picture]) -> bytes:
        times = track.times[:: self.every]
        return bytes(encode_mp4(frames, typical_rate(times), times=(times - times[0]).tolist()))
