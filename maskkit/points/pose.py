"""How a face is turned and how far its mouth is open, as its 68 points tell it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskkit.points.landmarks import GROUPS, check_points, eye_centres, eye_distance

NOSE_TIP, UPPER_LIP = 30, 51
INNER_UPPER, INNER_LOWER = (61, 62, 63), (67, 66, 65)  # of the inner lip, each above its opposite

Figures = NDArray[np.float64]


def pose(points: ArrayLike) -> dict[str, Figures]:
    """Proxies of the turn of the head and of the mouth: faces (68, 2) or (N, 68, 2) -> float64 () or (N,) by name.

    `roll`: degrees by which the line through the eyes' centres falls to the right of the picture.
    `yaw`: how far the nose's tip lies beside the middle of the eyes, along that line, over the eyes' distance; positive
    where the nose points to the right of the picture.
    `pitch`: where the nose's tip lies between the line of the eyes (0) and the upper lip (1), across that line; it
    falls where the chin is raised.
    `mouth`: the opening that `mouth_opening` gives.
    They compare faces and are no angles of a head in space (all but roll). NaN where eyes, or eyes and lip, coincide.
    """
    faces = check_points(points).astype(np.float64)
    eyes = eye_centres(faces)
    along = eyes[..., 1, :] - eyes[..., 0, :]
    distance = np.linalg.norm(along, axis=-1)
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    middle = eyes.mean(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        tip, lip = faces[..., NOSE_TIP, :] - middle, faces[..., UPPER_LIP, :] - middle
        figures = {
            "roll": np.degrees(np.arctan2(along[..., 1], along[..., 0])) + 0 * (distance / distance),
            "yaw": (tip * along).sum(axis=-1) / distance**2,
            "pitch": (tip * across).sum(axis=-1) / (lip * across).sum(axis=-1),
            "mouth": mouth_opening(faces),
        }
    return {name: np.where(np.isfinite(value), value, np.nan) for name, value in figures.items()}


def mouth_opening(points: ArrayLike) -> Figures:
    """Give the mean gap of the inner lips over the outer eye corners' distance: (68, 2) or (N, 68, 2) -> () or (N,).

    Infinite or NaN where both eye corners lie in one place.
    """
    faces = check_points(points).astype(np.float64)
    gap = np.linalg.norm(faces[..., INNER_UPPER, :] - faces[..., INNER_LOWER, :], axis=-1)
    return np.asarray(gap.mean(axis=-1) / eye_distance(faces))


def upright(points: ArrayLike) -> NDArray[np.float64]:
    """Faces (N, 68, 2) around their middle, at mean square distance 1 from it, eyes level: float64 (N, 68, 2).

    NaN where all points of a face lie in one place.
    """
    faces = check_points(points).astype(np.float64)
    centred = faces - faces.mean(axis=-2, keepdims=True)
    eyes = centred[..., GROUPS["left_eye"], :].mean(axis=-2) - centred[..., GROUPS["right_eye"], :].mean(axis=-2)
    angle = np.arctan2(eyes[..., 1], eyes[..., 0])
    size = np.sqrt((centred**2).sum(axis=-1).mean(axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        cos, sin = np.cos(angle) / size, np.sin(angle) / size
        turned = np.stack(
            [
                centred[..., 0] * cos[..., None] + centred[..., 1] * sin[..., None],
                centred[..., 1] * cos[..., None] - centred[..., 0] * sin[..., None],
            ],
            axis=-1,
        )
    return np.where(np.isfinite(turned), turned, np.nan)
