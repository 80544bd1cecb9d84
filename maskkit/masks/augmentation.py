"""Photo, mask and points changed together; masks stay exact and left and right stay right."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.errors import AugmentationError, MissingExtraError
from maskkit.masks.jitter import Jitter
from maskkit.masks.raster import LabelMap, rasterize
from maskkit.masks.regions import RegionScheme, as_scheme
from maskkit.photos.images import Picture
from maskkit.points.landmarks import MIRROR, check_points

# Transforms that move points exactly as they move pixels, measured with a bright spot
# (tests/maskkit/masks/test_augmentation.py). Others do not: resizing ones are half a pixel off, elastic ones more, and
# lose points near the border.
EXACT_MOVES = (
    "Affine", "CenterCrop", "CoarseDropout", "Crop", "D4", "HorizontalFlip", "NoOp", "Pad", "PadIfNeeded",
    "Perspective", "RandomCrop", "RandomRotate90", "Rotate", "SafeRotate", "ShiftScaleRotate", "SquareSymmetry",
    "Transpose", "VerticalFlip",
)  # fmt: skip
Change = Callable[
    [Picture, LabelMap, NDArray[np.float32], int], tuple[Picture, LabelMap, NDArray[np.float32]]
]  # photo, label map and points, by a seed
PROBE = 16.0  # pixels between the three points that tell whether a picture was mirrored


class Augmentation:
    """A pipeline for samples as ShardReader gives them: a Jitter, or transforms of albumentations.

    Called with a sample and a seed it gives a new sample: `image` changed; `landmarks` moved with it and, where the
    picture was mirrored, in mirrored order; `mask` drawn anew from the points, so that it stays exact, or, where there
    are no points or the scheme has no polygons, moved by the nearest pixel and its sides swapped; all else as it was
    (`box` is in pixels of the photo before). The same sample and seed give the same bytes.
    """

    def __init__(self, transforms: Jitter | Sequence[Any], scheme: str | RegionScheme = "scgan") -> None:
        """Check the transforms: AugmentationError for one whose points would not fit its picture."""
        self.scheme = as_scheme(scheme)
        self._change: Change = transforms if isinstance(transforms, Jitter) else _Albumentations(transforms)

    def __call__(self, sample: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """A changed copy of `sample`; AugmentationError where a transform lost points or made labels up."""
        image, mask = sample["image"], sample["mask"]
        points = sample.get("landmarks")
        height, width = mask.shape
        probe = np.array([(0, 0), (PROBE, 0), (0, PROBE)]) + np.array([width, height]) / 2 - PROBE / 2
        followed = probe if points is None else np.concatenate([probe, check_points(points)])
        changed, labels, moved = self._change(image, mask, followed.astype(np.float32), seed)
        mirrored = _is_mirrored(moved[:3])
        result = {**sample, "image": np.ascontiguousarray(changed)}
        if points is not None:
            result["landmarks"] = moved[3:][MIRROR] if mirrored else moved[3:]
        if points is not None and self.scheme.drawable:
            result["mask"] = rasterize(result["landmarks"], changed.shape[:2], self.scheme)
        else:
            result["mask"] = self._moved_mask(mask, labels, mirrored)
        return result

    def _moved_mask(self, before: Any, after: Any, mirrored: bool) -> Any:
        """The mask as it was moved, with the sides of its classes."""
        made_up = np.setdiff1d(after, np.append(before, 0))
        if made_up.size:
            raise AugmentationError(f"a transform made up the label {made_up[0]}; leave out what changes masks' values")
        return np.ascontiguousarray(self.scheme.mirror[after] if mirrored else after)


class _Albumentations:
    """Transforms of albumentations as one change of photo, label map and points."""

    def __init__(self, transforms: Sequence[Any]) -> None:
        A = import_albumentations()
        for transform in _all_transforms(transforms):
            name = type(transform).__name__
            if isinstance(transform, A.DualTransform) and name not in EXACT_MOVES:
                raise AugmentationError(
                    f"{name} does not move points exactly as it moves pixels; Affine scales, shifts, turns and shears, "
                    f"and these move points as well: {', '.join(EXACT_MOVES)}"
                )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a pipeline of light alone has no use for points
            self._pipeline = A.Compose(
                transforms,
                keypoint_params=A.KeypointParams(format="xy", remove_invisible=False),
                mask_interpolation=cv2.INTER_NEAREST,  # whatever a transform was made with
            )

    def __call__(
        self, image: Picture, mask: LabelMap, points: NDArray[np.float32], seed: int
    ) -> tuple[Picture, LabelMap, NDArray[np.float32]]:
        self._pipeline.set_random_seed(seed)
        changed = self._pipeline(image=image, mask=mask, keypoints=points)
        moved = np.asarray(changed["keypoints"], dtype=np.float32)
        if len(moved) != len(points):
            raise AugmentationError(
                f"{len(points)} points became {len(moved)}; leave out what drops points, and borders that reflect "
                "the picture, which repeat them (cv2.BORDER_CONSTANT and BORDER_REPLICATE do not)"
            )
        return changed["image"], np.asarray(changed["mask"]), moved


def usual_transforms() -> list[Any]:
    """Transforms that suit aligned faces: a mirror, small turns, shifts and scales, light and colour, some blur."""
    A = import_albumentations()
    return [
        A.HorizontalFlip(p=0.5),
        A.Affine(
            scale=(0.9, 1.1),
            translate_percent=(-0.04, 0.04),
            rotate=(-10, 10),
            shear=(-3, 3),
            border_mode=cv2.BORDER_REPLICATE,
            p=0.8,
        ),
        A.ColorJitter(brightness=(0.8, 1.2), contrast=(0.8, 1.2), saturation=(0.8, 1.2), hue=(-0.02, 0.02), p=0.8),
        A.GaussianBlur(blur_limit=(3, 5), p=0.1),
    ]


def import_albumentations() -> Any:
    """The module albumentations, kept from looking for news on the network; MissingExtraError without it."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    try:
        import albumentations
    except ImportError as error:
        raise MissingExtraError("albumentations", "augment", "augmentation") from error
    return albumentations


def _all_transforms(transforms: Any) -> Iterator[Any]:
    """Every transform, also those inside of OneOf, Sequential and their like."""
    for transform in transforms:
        if hasattr(transform, "transforms"):
            yield from _all_transforms(transform.transforms)
        else:
            yield transform


def _is_mirrored(corner: Any) -> bool:
    """Whether three points that turned clockwise, (3, 2) with y down, now turn the other way."""
    (ax, ay), (bx, by) = corner[1] - corner[0], corner[2] - corner[0]
    return bool(ax * by - ay * bx < 0)
