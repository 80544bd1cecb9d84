"""A generated face that follows a filmed one: the points of each frame, aligned, make its layout."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

import maskkit
from gan.errors import InputError, explained
from gan.pictures.labels import chosen_attributes
from gan.pictures.rendering import check_movable, latents_between
from gan.pictures.sampling import layouts_of_points
from gan.pictures.tiles import (
    IMAGES_AT_ONCE,
    Picture,
    check_extent,
    fitting_scale,
    generate_pictures,
    layout_pictures,
    synthetic_note,
)
from gan.runs.loading import LoadedGenerator, load_generator
from gan.runs.run_folder import check_beside
from maskkit.morphs.films import FASTEST, check_output
from maskkit.morphs.placed_faces import eye_alignment, spec_file
from maskkit.photos.alignment import move_picture
from maskkit.photos.videos import typical_rate
from maskkit.points.landmarks import Points
from maskkit.points.similarity import Matrix
from maskkit.video.gaps import name_gaps

OnFrame = Callable[[int, int], None]


@dataclass(frozen=True)
class Driven:
    """What a driven film shows: its number of frames, the clip's gaps in sentences, and the clip's `neutral` frame."""

    frames: int
    notes: tuple[str, ...]
    neutral: int | None = None


@explained("driving", "take a shorter clip or a smaller scale")
def drive(
    run: str | Path,
    clip: str | Path,
    out: str | Path,
    *,
    relative: str | None = None,
    bridge: float = 0.0,
    seed: int = 0,
    attributes: Sequence[str] = (),
    beside: bool = False,
    masks: bool = False,
    scale: int | None = None,
    device: str = "auto",
    overwrite: bool = False,
    on_follow: OnFrame | None = None,
    on_frame: OnFrame = lambda done, total: None,
) -> Driven:
    """Write a film, .mp4 (H.264), .gif or a folder of PNG files, of a generated face that follows the one in a video.

    The face of `clip` is followed, made steady and aligned by its eyes in every frame; the z drawn from `seed` and the
    named `attributes` hold throughout. With `relative`, a photo, point file or shard row of a neutral face, that face
    moves as the clip's does: by what each frame's points differ from those of the clip's frame that is most like it.
    Left of the picture stand the clip, aligned, if `beside`, and the layout if `masks`. Frames without a face are left
    out, after `bridge` has drawn points into gaps of so many seconds; an .mp4 keeps the clip's times, so that the frame
    before stays. `scale` repeats pixels; without it, a film is as large as a screen shows whole. `on_follow` and
    `on_frame` are told how many frames of how many are done. Raises GanError or maskkit's errors.
    """
    target = Path(out)
    if scale is not None and scale < 1:
        raise InputError(f"a scale is 1 or more, not {scale}")
    check_beside(target, [run])
    check_output(target, 25, overwrite, [run, clip, *([] if relative is None else [spec_file(relative)])])
    generator = load_generator(run, device)
    check_movable(generator)
    columns = 1 + beside + masks
    if scale is None:
        scale = fitting_scale(1, columns, generator.size) if target.suffix else 1
    check_extent(target, 1, columns, generator.size * scale)
    neutral_face = None if relative is None else maskkit.read_face_points(relative, generator.size)
    track = maskkit.track_video(clip, bridge=bridge, on_progress=on_follow)
    numbers = np.flatnonzero(track.found)
    matrices = {int(i): eye_alignment(track.points[i], generator.size, str(clip)) for i in numbers}
    points = np.stack([maskkit.move_points(track.points[i], matrix) for i, matrix in matrices.items()])
    neutral = None
    if neutral_face is not None:
        points, nearest = move_relative(points, neutral_face)
        neutral = int(numbers[nearest])
    clip_pictures = _aligned(clip, matrices, generator.size) if beside else None
    frames = _frames(generator, points, seed, attributes, clip_pictures, masks)
    film = (maskkit.enlarge(frame, scale) for frame in _told(frames, len(points), on_frame))
    times = track.times[numbers]
    count = maskkit.write_frames(
        target, film, min(FASTEST, typical_rate(times)), overwrite, synthetic_note(generator.title),
        times=(times - times[0]).tolist(),
    )  # fmt: skip
    return Driven(count, tuple(name_gaps(track)), neutral)


def move_relative(points: Points, neutral: Points) -> tuple[Points, int]:
    """Move the face `neutral` (68, 2) as the aligned faces `points` (F, 68, 2) move: float32 (F, 68, 2).

    From where in F it is counted is the face nearest to `neutral`, by the mean distance of their points once their
    middles lie in one place; its number is given too.
    """
    shapes, wanted = (faces - faces.mean(axis=-2, keepdims=True) for faces in (points, neutral))
    nearest = int(np.linalg.norm(shapes - wanted, axis=-1).mean(axis=-1).argmin())
    return (neutral + (points - points[nearest])).astype(np.float32), nearest


def _frames(
    generator: LoadedGenerator, points: Points, seed: int, attributes: Sequence[str],
    clip_pictures: Iterator[Picture] | None, masks: bool,
) -> Iterator[Picture]:  # fmt: skip
    """Generate a few frames at a time, each with what stands beside it."""
    c = _attributes(generator, attributes)
    for first in range(0, len(points), IMAGES_AT_ONCE):
        s_idx = layouts_of_points(generator, points[first : first + IMAGES_AT_ONCE])
        z = latents_between(generator, seed, None, len(s_idx), "linear")
        made = generate_pictures(generator, len(s_idx), z, None if c is None else c.expand(len(s_idx), -1), s_idx)
        layouts = layout_pictures(s_idx, generator.scheme)
        for picture, layout in zip(made, layouts, strict=True):
            beside = [next(clip_pictures)] if clip_pictures is not None else []
            yield np.hstack([*beside, *[layout] * masks, picture])


def _attributes(generator: LoadedGenerator, names: Sequence[str]) -> Tensor | None:
    if "c" in generator.takes:
        return chosen_attributes(generator, names)
    if names:
        generator.need("c", what="none can be asked for")
    return None


def _aligned(clip: str | Path, matrices: dict[int, Matrix], size: int) -> Iterator[Picture]:
    """The frames of the clip that show a face, read once more and moved as its points were."""
    for frame in maskkit.read_frames(clip):
        if frame.number in matrices:
            yield move_picture(frame.image, matrices[frame.number], size)


def _told(frames: Iterator[Picture], total: int, on_frame: OnFrame) -> Iterator[Picture]:
    for done, frame in enumerate(frames, 1):
        yield frame
        on_frame(done, total)
