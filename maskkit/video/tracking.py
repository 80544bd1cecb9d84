"""The points of one face through a video: followed from frame to frame, and found again where it was lost."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.detection import dlib_models
from maskkit.detection.cascade import (
    LEAST_OVERLAP,
    Box,
    Detector,
    FaceChoice,
    Sighting,
    box_about,
    overlap,
    predict_shifted,
    see_faces,
    shift_spread,
    steps_of,
)
from maskkit.errors import DetectionError, PointsError, VideoError
from maskkit.photos.images import Picture
from maskkit.photos.videos import Frame
from maskkit.points.landmarks import POINT_COUNT, Points, eye_centres

# A followed face must be seen by HOG where it is expected, on its surroundings brought to these widths in turn (HOG's
# window is 80 pixels). Of a talking man's 169 frames the whole picture's HOG misses two and this none; of 132 places
# without a face, followed through four frames, it takes none.
WIDTHS = (100, 88)
SURROUNDINGS = 0.9  # of the box's width, to each side of its middle
LEAST_SCORE = -0.5
SAME_FACE = 0.4  # intersection over union of the box that is expected and the one that is seen
# `quality` of a face that is followed: at most 0.02 where the points lie well, and 0.07 and more where they fell
# together on a head that turned away, while HOG still saw it.
MOST_SPREAD = 0.05
SEARCH_EVERY = 5  # frames, while there is no face, that all detectors look through; the others the first of them
LOOK_BACK = 256 << 20  # bytes of frames without a face that are kept to be gone back to
NOSE_TIP, MOUTH_CORNERS = 30, (48, 54)
THUMBNAIL = (32, 32)
CUT = 30.0  # mean difference of the grey values of two frames' thumbnails, of 255

OnFrame = Callable[[int], None]


@dataclass(frozen=True)
class Track:
    """A face through the F frames of a video of `size` (H, W).

    `times` float64 (F,) in seconds from the video's start, `points` float32 (F, 68, 2) in pixels, NaN where there is no
    face; `fresh` bool (F,): whether a frame goes not on from the one before, as after a cut or with another face;
    `bridged` bool (F,): whether its points were drawn between those of other frames.
    """

    source: str
    size: tuple[int, int]
    times: NDArray[np.float64]
    points: Points
    fresh: NDArray[np.bool_]
    bridged: NDArray[np.bool_]

    @property
    def found(self) -> NDArray[np.bool_]:
        """Which frames have points, bool (F,)."""
        return np.isfinite(self.points[:, 0, 0])

    def runs(self) -> list[slice]:
        """The longest sequences of frames in which one face goes on without a break."""
        found = self.found
        starts = found & (self.fresh | ~np.concatenate([[False], found[:-1]]))
        ends = found & np.concatenate([self.fresh[1:] | ~found[1:], [True]])
        return [slice(int(a), int(b) + 1) for a, b in zip(np.flatnonzero(starts), np.flatnonzero(ends), strict=True)]

    def gaps(self) -> list[tuple[int, int]]:
        """The first and the last frame of each sequence without points."""
        missing = np.concatenate([[False], ~self.found, [False]]).astype(np.int8)
        edges = np.diff(missing)
        return list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))


def track(
    frames: Iterable[Frame], source: str, detector: str | Detector = "auto", face: FaceChoice = 1,
    on_frame: OnFrame = lambda done: None,
) -> Track:  # fmt: skip
    """Find the 68 points of one face in every frame of a video in which it is seen.

    The first time, and after a cut, it is the one of number `face` by falling size; from there on the box about its
    last points tells where to look. Where it is not there, the first detector looks for it in every frame and the
    others in every fifth, and from where it is found it is followed back through the frames in which they missed it.
    A detector of the user's own is asked in every frame. Raises DetectionError where no frame shows a face, and
    VideoError where the frames change their size.
    """
    if not isinstance(face, int):
        raise DetectionError(f"{source}: one face is followed through a video; give its number, from 1 by falling size")
    tracker = _Tracker(source, detector, face)
    for frame in frames:
        tracker.take(frame)
        on_frame(len(tracker.points))
    return tracker.track()


@dataclass
class _Tracker:
    """What is known of the frames so far. `last` are the face's points where it was last seen in this shot."""

    source: str
    detector: str | Detector
    face: int
    size: tuple[int, int] | None = None
    times: list[float] = field(default_factory=list)
    points: list[Points | None] = field(default_factory=list)
    fresh: list[bool] = field(default_factory=list)
    last: Points | None = None
    lost: int = 0  # frames without the face
    waiting: deque[Picture] = field(default_factory=deque)  # the newest of them
    thumbnail: NDArray[np.float64] | None = None

    def take(self, frame: Frame) -> None:
        """Look at the next frame."""
        height, width = frame.image.shape[:2]
        if self.size not in (None, (height, width)):
            raise VideoError(f"{self.source}: the size of its frames changes at {frame.time:.2f} s; cut it there")
        self.size = height, width
        cut = self._is_cut(frame.image)
        if cut:
            self.last, self.lost = None, 0
            self.waiting.clear()
        points = self._look(frame.image)
        self.times.append(frame.time)
        self.points.append(points)
        self.fresh.append(cut or (self.last is not None and points is not None and not _one_face(self.last, points)))
        if points is None:
            self._wait(frame.image)
            return
        self._go_back(points)
        self.last, self.lost = points, 0

    def track(self) -> Track:
        """All the frames."""
        if self.size is None or not any(one is not None for one in self.points):
            raise DetectionError(f"{self.source}: no face found in {len(self.points)} frames")
        missing = np.full((POINT_COUNT, 2), np.nan, np.float32)
        points = np.stack([missing if one is None else one for one in self.points])
        bridged = np.zeros(len(points), dtype=np.bool_)
        return Track(self.source, self.size, np.array(self.times), points, np.array(self.fresh), bridged)

    def _is_cut(self, image: Picture) -> bool:
        small = cv2.resize(dlib_models.grey(image), THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float64)
        before, self.thumbnail = self.thumbnail, small
        return before is not None and float(np.abs(small - before).mean()) > CUT

    def _look(self, image: Picture) -> Points | None:
        if not isinstance(self.detector, str):
            return self._choose(see_faces(image, self.detector), image)
        points = None if self.last is None else follow(image, self.last)
        if points is None:
            steps = steps_of(self.detector)
            points = self._choose(see_faces(image, steps if self.lost % SEARCH_EVERY == 0 else steps[:1]), image)
        return points

    def _choose(self, seen: list[Sighting], image: Picture) -> Points | None:
        """Of the faces in a frame the one that lies where it was last seen, or else that of the wanted number."""
        wanted = seen[self.face - 1 : self.face]
        if self.last is not None:
            box = box_of(self.last)
            wanted = [one for one in seen if overlap(one.box, box) >= LEAST_OVERLAP][:1] or wanted
        if not wanted:
            return None
        return predict_steadily(image, wanted[0].box) if wanted[0].points is None else wanted[0].points

    def _wait(self, image: Picture) -> None:
        self.lost += 1
        if isinstance(self.detector, str):  # one of the user's own has been asked
            self.waiting.append(image)
            if len(self.waiting) * image.nbytes > LOOK_BACK:
                self.waiting.popleft()

    def _go_back(self, points: Points) -> None:
        """Follow the face back through the frames before this one in which it was not found."""
        number = len(self.points) - 1
        while self.waiting and (earlier := follow(self.waiting.pop(), points)) is not None:
            number -= 1
            points = self.points[number] = earlier
        self.fresh[number], self.fresh[-1] = self.fresh[-1], self.fresh[-1] and number == len(self.points) - 1
        self.waiting.clear()


def follow(image: Picture, last: Points) -> Points | None:
    """The points (68, 2) of the face that lay at `last` a frame ago, or None where it is not there any more."""
    expected = box_of(last)
    seen = _see_near(image, expected)
    if seen is None:
        return None
    steady = predict_steadily(image, expected)
    return predict_steadily(image, seen) if steady is None else steady


def predict_steadily(image: Picture, box: Box) -> Points | None:
    """The points of the face in a box, the mean of five boxes', or None where these do not agree.

    The mean trembles by a third less than the points of one box (docs/video.md).
    """
    try:
        shifted = predict_shifted(image, box)
    except PointsError:  # the box lies beside the picture
        return None
    return shifted.mean(axis=0) if shift_spread(shifted) <= MOST_SPREAD else None


def box_of(points: Points) -> Box:
    """The box, whole pixels, that dlib's HOG would give for a face with these points (68, 2)."""
    return box_about(np.concatenate([eye_centres(points), points[[NOSE_TIP, *MOUTH_CORNERS]]]))


def _see_near(image: Picture, box: Box) -> Box | None:
    """The box in which HOG sees a face where one is expected."""
    left, top, right, bottom = box
    width = right - left + 1
    reach = round(SURROUNDINGS * width)
    x, y = (left + right) // 2, (top + bottom) // 2
    x0, y0 = int(max(0, x - reach)), int(max(0, y - reach))
    near = image[y0 : int(max(0, y + reach)), x0 : int(max(0, x + reach))]
    if not near.size:
        return None
    for wanted in WIDTHS:
        scale = wanted / width
        size = max(1, round(near.shape[1] * scale)), max(1, round(near.shape[0] * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = np.asarray(cv2.resize(dlib_models.grey(near), size, interpolation=method), dtype=np.uint8)
        for found, _ in dlib_models.find_boxes(scaled, 0, LEAST_SCORE):
            edges = (np.array(found) + 0.5) / scale - 0.5 + (x0, y0, x0, y0)
            seen = float(edges[0]), float(edges[1]), float(edges[2]), float(edges[3])
            if overlap(seen, box) >= SAME_FACE:
                return seen
    return None


def _one_face(before: Points, after: Points) -> bool:
    return overlap(box_of(before), box_of(after)) >= LEAST_OVERLAP
