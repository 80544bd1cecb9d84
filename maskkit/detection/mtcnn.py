"""MTCNN (Zhang et al. 2016) by facenet-pytorch: photo to five points, for faces that HOG does not find."""

import base64
import hashlib
import importlib
import importlib.metadata
import importlib.util
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.detection.dlib_models import to_search
from maskkit.errors import DetectionError
from maskkit.extras import pip_install, way_to_get
from maskkit.files.regular import read_regular
from maskkit.photos.images import Picture

PACKAGE, DISTRIBUTION = "facenet_pytorch", "facenet-pytorch"
SMALLEST_FACE, SMALLEST_SHARE = 20, 1 / 64  # pixels, and of the shorter side, which bounds the memory of large photos
THRESHOLDS, PYRAMID_FACTOR = (0.6, 0.7, 0.7), 0.709  # facenet-pytorch's own
NETWORKS = {"PNet": "pnet.pt", "RNet": "rnet.pt", "ONet": "onet.pt"}
NOTHING_PROPOSED = "expected a non-empty list"  # torch.cat's complaint where the first network sees no face at all

REPAIR = "put it right with: pip install --force-reinstall --no-deps facenet-pytorch"

FivePoints = NDArray[np.float64]  # (5, 2): the picture's left and right eye, nose, left and right corner of the mouth


def advice() -> str:
    """How to get what MTCNN needs."""
    return f"get it with: {way_to_get('gan')} and {pip_install('--no-deps', 'facenet-pytorch')}"


def available() -> bool:
    """Whether facenet-pytorch and torch are installed; imports neither."""
    return _folder() is not None and importlib.util.find_spec("torch") is not None


def find_five_points(image: Picture, smallest: int = SMALLEST_FACE) -> list[tuple[FivePoints, float]]:
    """The five points and the score 0 .. 1 of every face that MTCNN finds in RGB uint8 (H, W, 3), the best first.

    The points are the picture's left and right eye, the nose, the left and right corner of the mouth, float64 (5, 2) in
    pixels counted from 0. Faces from `smallest` pixels, in large photos from 1/64 of the shorter side. One thread, so
    that the same photo gives the same figures however many processes work.
    """
    import torch

    if min(image.shape[:2]) < smallest:
        return []
    networks, detect_face = _load()
    image, shrunk = to_search(image)
    smallest = max(smallest, round(SMALLEST_SHARE * min(image.shape[:2])))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            boxes, points = detect_face(
                image, smallest, *networks, list(THRESHOLDS), PYRAMID_FACTOR, torch.device("cpu")
            )
    except RuntimeError as error:
        if NOTHING_PROPOSED not in str(error):
            raise
        return []
    finally:
        torch.set_num_threads(threads)
    found = [
        ((np.asarray(five, dtype=np.float64) + 0.5) * shrunk - 0.5 if shrunk > 1 else np.asarray(five, np.float64),
         float(box[4]))
        for box, five in zip(boxes[0], points[0], strict=True)
    ]  # fmt: skip
    return sorted(found, key=lambda face: face[1], reverse=True)


@lru_cache(maxsize=1)
def _load() -> tuple[list[Any], Any]:
    """The three networks with the weights of the package, and the function that runs them; once per process."""
    folder = _folder()
    if not available() or folder is None:
        raise DetectionError(f"the detector mtcnn needs facenet-pytorch and torch; {advice()}")

    try:
        with _bare_package(folder):
            networks_module = importlib.import_module(f"{PACKAGE}.models.mtcnn")
            detect_face = importlib.import_module(f"{PACKAGE}.models.utils.detect_face").detect_face
        networks = []
        for name, file in NETWORKS.items():
            network = getattr(networks_module, name)(pretrained=False)
            network.load_state_dict(_weights(folder / "data" / file))
            networks.append(network.eval())
    except (ImportError, AttributeError, OSError, RuntimeError, TypeError) as error:
        raise DetectionError(f"facenet-pytorch in {folder} cannot be used ({error}); {advice()}") from error
    return networks, detect_face


def _weights(path: Path) -> Any:
    """One network's weights. Raises DetectionError where they are not those that were installed."""
    import torch

    content = read_regular(path)
    if (promised := _installed_sha256(path)) and promised != hashlib.sha256(content).digest():
        raise DetectionError(f"{path} is damaged: it is not what was installed, by its SHA-256; {REPAIR}")
    try:
        return torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:  # torch's reader stumbles over damage in its own many ways
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DetectionError(f"{path} cannot be used ({reason}); {REPAIR}") from error


def _installed_sha256(path: Path) -> bytes | None:
    """What the package's installation has noted of a file, whose format has no checksum; None where it has not."""
    try:
        installed = importlib.metadata.distribution(DISTRIBUTION).files or ()
    except importlib.metadata.PackageNotFoundError:  # put there by hand
        return None
    for file in installed:
        if file.name == path.name and file.hash and file.hash.mode == "sha256" and path.samefile(file.locate()):
            return base64.urlsafe_b64decode(f"{file.hash.value}=")  # written there without its padding
    return None


def _folder() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations))) if locations else None


@contextmanager
def _bare_package(folder: Path) -> Iterator[None]:
    """Import below the package without running its `__init__`, which wants a downloader's libraries besides."""
    from maskkit.detection.torchvision_shim import stand_in

    with stand_in():
        if PACKAGE in sys.modules:
            yield
            return
        package = ModuleType(PACKAGE)
        package.__path__ = [str(folder)]
        sys.modules[PACKAGE] = package
        try:
            yield
        finally:
            for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
                del sys.modules[name]
