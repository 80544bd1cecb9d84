"""How a generated mouth opens when its layout's does (SCGAN paper, Figure 5, NoSmile2Smile)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import maskkit
from gan.data.rows import one_hot
from gan.evaluation.landmarks import pearson, redetect
from gan.evaluation.material import Generates, Material, in_parts
from gan.evaluation.report import Report
from gan.pictures.tiles import to_pictures
from gan.systems.given import Given
from maskkit.points.landmarks import Points, eye_distance
from maskkit.points.pose import mouth_opening

MOUTH = 48  # the first of its points
PAIRS, LATENTS, FRAMES = 8, 4, 11


class Following(NamedTuple):
    """Pearson's r over the frames of all sequences together, and its mean over single sequences."""

    over_frames: float
    by_sequence: float


def following(wanted: NDArray[np.float64], found: NDArray[np.float64]) -> Following:
    """Correlate the openings of layouts with those found again, both (sequences, frames).

    A sequence whose mouth stays as it is, where r has no value, counts as 0: nothing follows there.
    """
    return Following(pearson(wanted.ravel(), found.ravel()), float(np.mean([*map(pearson, wanted, found)])))


def smile_pairs(points: Points, count: int = PAIRS) -> list[tuple[int, int]]:
    """Pair closed with open mouths of faces that are otherwise alike: rows of points (N, 68, 2) on one grid.

    Of all pairs between the tenth with the most closed and the tenth with the most open mouths, those whose other 48
    points lie nearest to each other, over the eye distance; each row is used once. So the way between them is the
    mouth's, as in the paper, and not a turn of the head.
    """
    order = np.argsort(mouth_opening(points), kind="stable")
    count = min(count, len(order) // 2)
    tenth = max(count, len(order) // 10)
    closed, opened = order[:tenth], order[len(order) - tenth :]
    rest = points[:, :MOUTH].astype(np.float64)
    apart = np.linalg.norm(rest[closed, None] - rest[None, opened], axis=-1).mean(axis=-1)
    apart /= eye_distance(points)[closed, None]
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(apart, axis=None, kind="stable"):
        a, b = int(closed[flat // tenth]), int(opened[flat % tenth])
        if len(pairs) < count and not any(a in pair or b in pair for pair in pairs):
            pairs.append((a, b))
    return pairs


def report_mouth(
    material: Material, points: Points, c: Tensor, report: Report, on_step: Callable[[int, int], None]
) -> None:
    """Add how far generated mouths follow, along the way between pairs of faces (N, 68, 2) with attributes (N, n_c)."""
    generator, size = material.generator, material.x_fake.shape[-1]
    pairs = smile_pairs(points)
    latents = list(generator.draw_z(LATENTS, material.seed)) if "z" in generator.takes else [None]
    wanted, found, still = [], [], []
    for closed, opened in pairs:
        faces = maskkit.interpolate(points[closed], points[opened], FRAMES)
        layouts = torch.from_numpy(maskkit.rasterize(faces, size, generator.scheme)).long()
        s, c_frames = one_hot(layouts, len(generator.scheme)), c[closed].expand(FRAMES, -1)
        for z in latents:
            frames = _frames(generator, Given(None if z is None else z.expand(FRAMES, -1), c_frames, s))
            wanted.append(mouth_opening(faces))
            found.append(mouth_opening(np.stack([*map(redetect, frames, faces)])))
            still.append(mouth_opening(np.stack([redetect(frames[0], face) for face in faces])))
            on_step(len(found), len(pairs) * len(latents))
    openings = np.stack(wanted), np.stack(found)
    r, still_r = following(*openings), following(openings[0], np.stack(still))
    ways = f"{len(pairs)} ways from closed to open mouths of faces otherwise alike"
    ways += f" x {len(latents)} latents x {FRAMES} frames"
    count = openings[0].size
    report.add(
        "landmarks/mouth_r", r.over_frames, count,
        f"Pearson's r of layouts' and re-detected mouth openings over all frames of {ways}",
    )  # fmt: skip
    report.add("landmarks/mouth_r_by_sequence", r.by_sequence, count, "the same r for each sequence, averaged")
    report.add(
        "landmarks/mouth_r_still", still_r.by_sequence, count,
        "the same, averaged, with each sequence's first picture throughout: what the boxes alone give",
    )  # fmt: skip
    report.add(
        "landmarks/mouth_r_still_over_frames", still_r.over_frames, count,
        "the same over all frames at once: the floor of mouth_r",
    )  # fmt: skip


def _frames(generator: Generates, given: Given) -> list[NDArray[np.uint8]]:
    return to_pictures(in_parts(lambda some: generator.make(given.part(some)), FRAMES))
