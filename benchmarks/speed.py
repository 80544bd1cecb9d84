"""What each step costs against its floor: `python benchmarks/speed.py`, about a minute on one core.

Each road and its floor run in alternating rounds in this one process; the ratio is the median over the rounds, with the
smallest and largest beside it. Seconds depend on the machine, ratios hardly.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np

import maskkit
from maskkit import dlib_models

FIXTURE = Path(__file__).parent.parent / "fixtures" / "celeba"
ROUNDS, SIZE = 7, 128


def timed(work: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(name: str, count: int, road: Callable[[], object], floor: Callable[[], object]) -> None:
    """Print one line: microseconds an item of the road and of its floor, and their ratio."""
    road(), floor()  # warm
    pairs = [(timed(road), timed(floor)) for _ in range(ROUNDS)]
    ratios = sorted(a / b for a, b in pairs)
    own, bare = (np.median([pair[i] for pair in pairs]) / count * 1e6 for i in (0, 1))
    print(f"{name:42} {own:9.1f} {bare:9.1f} {np.median(ratios):7.2f}   {ratios[0]:.2f} .. {ratios[-1]:.2f}")


def opencv_fills(points: np.ndarray) -> np.ndarray:
    """Eight plain OpenCV fills, which paint the outline too and so are not exact."""
    label_map = np.zeros((SIZE, SIZE), dtype=np.uint8)
    whole = np.rint(points).astype(np.int32)
    polygons = [region.polygon for region in maskkit.load_scheme("scgan").regions[1:]]
    for index, polygon in enumerate([*polygons, range(17, 22), range(22, 27)], 1):
        cv2.fillPoly(label_map, [whole[list(polygon)]], index)
    return label_map


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    print(f"{'road':42} {'us':>9} {'floor us':>9} {'ratio':>7}   spread")
    with tempfile.TemporaryDirectory() as folder:
        maskkit.build_celeba(FIXTURE, folder)
        reader = maskkit.ShardReader(folder)
        points = np.stack([reader[i]["landmarks"] for i in range(len(reader))])
        maps = [reader[i]["mask"] for i in range(len(reader))]
        count = len(points)
        compare("points -> label map, one by one", count,
                lambda: [maskkit.rasterize(face, SIZE) for face in points],
                lambda: [opencv_fills(face) for face in points])  # fmt: skip
        compare("points -> label map, as a batch", count,
                lambda: maskkit.rasterize(points, SIZE),
                lambda: [opencv_fills(face) for face in points])  # fmt: skip
        classes = np.arange(7, dtype=np.uint8)[:, None, None]
        compare("label map -> one-hot", count,
                lambda: [maskkit.one_hot(label_map, 7) for label_map in maps],
                lambda: [(label_map == classes).view(np.uint8) for label_map in maps])  # fmt: skip
        order = np.random.default_rng(0).permutation(count).tolist()
        with h5py.File(Path(folder) / "train-00000.h5") as file:
            image, mask = file["image"], file["mask"]
            compare("random read of a sample", count,
                    lambda: [reader[i] for i in order],
                    lambda: [(image[i], mask[i]) for i in order])  # fmt: skip
    paths = sorted((FIXTURE / "img_align_celeba").glob("*.jpg"))
    photos = [maskkit.read_image(path) for path in paths]
    detector, predictor = dlib_models.detector(), dlib_models.predictor()
    compare("aligned photo -> points", len(photos),
            lambda: [maskkit.detect_aligned(photo) for photo in photos],
            lambda: [predictor(photo, detector(photo, 0)[0]) for photo in photos])  # fmt: skip
    compare("JPEG 178 x 218 -> pixels", len(paths),
            lambda: [maskkit.read_image(path) for path in paths],
            lambda: [cv2.imread(str(path)) for path in paths])  # fmt: skip


if __name__ == "__main__":
    main()
