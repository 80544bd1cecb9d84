"""MediaPipe's face mesh of 468 or 478 points to the 68 of iBUG 300-W."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.errors import PointsError
from maskkit.points.landmarks import MIRROR, POINT_COUNT, Points, check_points

MESH_COUNTS = (468, 478)  # the last ten are the irises

# For the points of the face's right half and its middle: the mesh points and their shares. The jaw is divided evenly
# along the outline of MediaPipe's canonical face from the ear to the chin, as 300-W's annotators divide it; lips, eyes
# and brows lie on MediaPipe's own outlines of these parts.
RIGHT_HALF: dict[int, dict[int, float]] = {
    0: {127: 1}, 1: {234: 0.83, 93: 0.17}, 2: {93: 0.71, 132: 0.29}, 3: {132: 0.66, 58: 0.34},
    4: {58: 0.59, 172: 0.41}, 5: {172: 0.21, 136: 0.79}, 6: {150: 0.59, 149: 0.41}, 7: {176: 0.64, 148: 0.36},
    8: {152: 1},
    17: {70: 1}, 18: {63: 1}, 19: {105: 1}, 20: {66: 1}, 21: {107: 1},
    27: {168: 1}, 28: {197: 1}, 29: {5: 1}, 30: {1: 1}, 31: {98: 1}, 32: {97: 1}, 33: {2: 1},
    36: {33: 1}, 37: {160: 1}, 38: {158: 1}, 39: {133: 1}, 40: {153: 1}, 41: {144: 1},
    48: {61: 1}, 49: {40: 0.5, 39: 0.5}, 50: {37: 1}, 51: {0: 1}, 57: {17: 1}, 58: {181: 0.3, 84: 0.7},
    59: {91: 0.8, 181: 0.2},
    60: {78: 1}, 61: {81: 1}, 62: {13: 1}, 66: {14: 1}, 67: {178: 1},
}  # fmt: skip
# The mesh point that mirrors each one used above; those on the middle line are their own.
OTHER_SIDE = {
    127: 356, 234: 454, 93: 323, 132: 361, 58: 288, 172: 397, 136: 365, 150: 379, 149: 378, 176: 400, 148: 377,
    70: 300, 63: 293, 105: 334, 66: 296, 107: 336, 98: 327, 97: 326,
    33: 263, 160: 387, 158: 385, 133: 362, 153: 380, 144: 373,
    61: 291, 40: 270, 39: 269, 37: 267, 84: 314, 181: 405, 91: 321, 78: 308, 81: 311, 178: 402,
}  # fmt: skip


# Where MediaPipe's results, for Python and for JavaScript, and TensorFlow.js keep faces and a face's landmarks.
HOLDERS = (
    "face_landmarks", "multi_face_landmarks", "faceLandmarks", "multiFaceLandmarks", "landmark", "landmarks",
    "keypoints", "scaledMesh",
)  # fmt: skip
FARTHEST_SHARE = 3.0  # no face is seen so far outside of its picture, and none is so few pixels large


def points_from_mesh(mesh: Any, size: tuple[int, int] | None = None) -> Points:
    """The 68 points of a MediaPipe face mesh: (468 or 478, 2 or 3) or (N, ...) -> float32 (68, 2) or (N, 68, 2).

    `mesh` is an array, or what MediaPipe gives: a FaceLandmarkerResult or the older solution's results, both of N
    faces, one face's landmarks, or these as JSON. With `size`, the picture's (H, W), it is taken in shares of the
    picture's sides from the edge of the first pixel, as MediaPipe has it, and u = x W - 0.5; without, as pixels with
    their centres at integers. A depth is left out. Raises PointsError, also where it is the other of the two.
    """
    flat = _flat(mesh_array(mesh))
    if size is not None:
        if not in_shares(flat):
            raise PointsError("the face mesh is in pixels, not in shares of the picture's sides; leave out the size")
        flat = flat * (size[1], size[0]) - 0.5
    elif in_shares(flat):
        raise PointsError("the face mesh is in shares of the picture's sides; give the picture's size (H, W)")
    return check_points(_weights()[:, : flat.shape[-2]] @ flat, "the mesh")


def mesh_array(mesh: Any) -> NDArray[np.float64]:
    """The coordinates of a face mesh in any of the forms that `points_from_mesh` takes, float64; else PointsError."""
    try:
        return np.asarray(_coordinates(mesh), dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise PointsError(f"a face mesh is numbers of shape (478, 2), got something else ({error})") from error


def in_shares(mesh: NDArray[np.float64]) -> bool:
    """Whether a mesh is in shares of its picture's sides, not in pixels."""
    return bool(np.median(np.abs(mesh[..., :2])) < FARTHEST_SHARE)


def _flat(array: NDArray[np.float64]) -> NDArray[np.float64]:
    if array.size == 0:
        raise PointsError("there is no face in the face mesh")
    if array.ndim not in (2, 3) or array.shape[-2] not in MESH_COUNTS or array.shape[-1] not in (2, 3):
        raise PointsError(f"a face mesh has 468 or 478 points of 2 or 3 coordinates, not the shape {array.shape}")
    return array[..., :2]


def _coordinates(mesh: Any) -> Any:
    """Nested lists of numbers; an array as it is."""
    if isinstance(mesh, np.ndarray):
        return mesh
    known = mesh if isinstance(mesh, Mapping) else {name: getattr(mesh, name, None) for name in (*HOLDERS, "x", "y")}
    if known.get("x") is not None and known.get("y") is not None:
        return [known["x"], known["y"]]
    for name in HOLDERS:
        if known.get(name) is not None:
            return _coordinates(known[name])
    # Protocol buffers' lists are sequences by behaviour alone.
    if (isinstance(mesh, Sequence) and not isinstance(mesh, str)) or hasattr(mesh, "MergeFrom"):
        return [_coordinates(one) for one in mesh]
    return mesh


def _weights() -> NDArray[np.float64]:
    """The share of each mesh point in each of the 68, (68, 478)."""
    weights = np.zeros((POINT_COUNT, MESH_COUNTS[-1]))
    for point, shares in RIGHT_HALF.items():
        for index, share in shares.items():
            weights[point, index] = share
            weights[MIRROR[point], OTHER_SIDE.get(index, index)] = share
    return weights
