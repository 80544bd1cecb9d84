"""How exact the masks are: each region drawn alone against 16 x 16 sub-pixel centres, over hand-made landmarks.

    python benchmarks/exactness.py FOLDER

FOLDER holds photos with `.pts` files beside them. Each face is scaled with its photo onto 128 x 128. The truth asks
scikit-image which of the 256 sub-pixel centres of a pixel lie inside, and takes the pixel where at least half do.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.draw import polygon

import maskkit
from maskkit.points.landmarks import scale_points

SIZE, SUB = 128, 16
SMALLEST, SAFE = 10, 40  # pixels of area from which a region is counted, and from which its IoU is promised


def read_faces(folder: Path) -> np.ndarray:
    """The points of every `.pts` file that has a photo beside it, on the 128 grid: float32 (N, 68, 2)."""
    faces = []
    for path in sorted(folder.glob("*.pts")):
        with Image.open(path.with_suffix(".jpg")) as photo:
            side = max(photo.size)
        faces.append(scale_points(maskkit.read_points(path), side, SIZE))
    return np.stack(faces)


def supersampled(corners: np.ndarray) -> np.ndarray:
    """The pixels of which at least half of the 16 x 16 sub-pixel centres lie inside, by scikit-image: bool (H, W)."""
    # Only the pixels round the polygon are divided.
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, 0, SIZE)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2, 0, SIZE)
    height, width = max(0, bottom - top), max(0, right - left)
    inside = np.zeros((height * SUB, width * SUB), dtype=bool)
    x, y = ((corners.astype(np.float64) - (left, top) + 0.5) * SUB - 0.5).T
    inside[polygon(y, x, inside.shape)] = True
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[top:bottom, left:right] = inside.reshape(height, SUB, width, SUB).mean(axis=(1, 3)) >= 0.5
    return mask


def shoelace(corners: np.ndarray) -> float:
    """The area of a polygon by the shoelace formula."""
    x, y = corners.astype(np.float64).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def measure(faces: np.ndarray, every: int = 1) -> dict[str, dict[str, float]]:
    """For each region: mean IoU from 10 and from 40 pixels, how many, and drawn area over the polygons' own area.

    The areas are summed over all faces; IoUs are taken of every n-th face, because the truth is slow.
    """
    table = {}
    for region in maskkit.load_scheme("scgan").regions[1:]:
        polygons = faces[:, list(region.polygon)]
        drawn = [maskkit.fill_polygon(corners, SIZE) for corners in polygons]
        truth = [supersampled(corners) for corners in polygons[::every]]
        areas = np.array([mask.sum() for mask in truth])
        pairs = list(zip(drawn[::every], truth, strict=True))
        iou = np.array([(a & b).sum() / max(1, (a | b).sum()) for a, b in pairs])
        table[region.name] = {
            "iou_10": iou[areas >= SMALLEST].mean(),
            "count_10": int((areas >= SMALLEST).sum()),
            "iou_40": iou[areas >= SAFE].mean(),
            "count_40": int((areas >= SAFE).sum()),
            "area_ratio": sum(mask.sum() for mask in drawn) / sum(shoelace(corners) for corners in polygons),
        }
    return table


def main() -> None:
    """Print the table."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    faces = read_faces(Path(sys.argv[1]))
    print(f"{len(faces)} faces on {SIZE} x {SIZE}")
    print(f"{'region':12} {'IoU >= 40 px':>14} {'(n)':>5} {'IoU >= 10 px':>14} {'(n)':>5} {'area / own area':>16}")
    for name, row in measure(faces).items():
        print(
            f"{name:12} {row['iou_40']:14.4f} {row['count_40']:5} {row['iou_10']:14.4f} {row['count_10']:5} "
            f"{row['area_ratio']:16.4f}"
        )


if __name__ == "__main__":
    main()
