"""What is installed, which models are found, what is missing and how to get it."""

import importlib
import importlib.metadata
import os
from dataclasses import dataclass

from maskkit.detection import mtcnn
from maskkit.detection.dlib_models import MODEL_SHA256, find_model
from maskkit.errors import MaskkitError
from maskkit.extras import way_to_get
from maskkit.files.regular import file_sha256

# Module, distributions that may carry it, the extra that installs it, and what needs it.
PARTS = (
    ("numpy", ("numpy",), "", "everything"),
    ("cv2", ("opencv-python-headless", "opencv-python"), "", "reading and resizing photos"),
    ("PIL", ("pillow",), "", "reading photos, writing pictures"),
    ("h5py", ("h5py",), "", "shards"),
    ("dlib", ("dlib-bin", "dlib"), "detect", "finding faces"),
    ("av", ("av",), "video", "reading videos, writing .mp4"),
    ("numba", ("numba",), "fast", "drawing masks faster (optional)"),
    ("simplejpeg", ("simplejpeg",), "fast", "decoding JPEGs faster (optional)"),
    ("ray", ("ray",), "ray", "builds on several machines (optional)"),
    ("scipy", ("scipy",), "exchange", "bending photos in morphs, importing DeepFashion"),
    ("pyarrow", ("pyarrow",), "exchange", "exporting Parquet"),
    ("pycocotools", ("pycocotools",), "exchange", "exporting COCO's run-length codes"),
    ("webdataset", ("webdataset",), "exchange", "reading exported WebDataset tars"),
    ("albumentations", ("albumentations",), "augment", "augmentation"),
    ("starlette", ("starlette",), "studio", "the page of maskkit studio (optional)"),
    ("uvicorn", ("uvicorn",), "studio", "the page of maskkit studio (optional)"),
    ("websockets", ("websockets",), "studio", "the page of maskkit studio (optional)"),
    ("torch", ("torch",), "gan", "training and rendering"),
    ("pydantic", ("pydantic",), "gan", "training settings"),
    ("tomli_w", ("tomli-w",), "gan", "training settings"),
    ("safetensors", ("safetensors",), "gan", "exported generators, judges"),
    ("lightning_fabric", ("lightning-fabric",), "gan", "training in several processes"),
    ("tensorboard", ("tensorboard",), "gan", "TensorBoard's events of a training"),
    ("torchmetrics", ("torchmetrics",), "gan", "measures of features and diversity"),
    ("matplotlib", ("matplotlib",), "gan", "the figure of losses"),
    ("onnx", ("onnx",), "onnx", "exporting .onnx"),
    ("onnxscript", ("onnxscript",), "onnx", "exporting .onnx"),
    ("onnxruntime", ("onnxruntime",), "onnx", "comparing an exported .onnx with torch"),
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for. `detail` is its version or place, or how to get it."""

    name: str
    found: bool
    detail: str
    purpose: str


def examine() -> list[Finding]:
    """Look for every package and model that some part of the project needs; imports them, which takes a few seconds."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for news
    return [_package(*part) for part in PARTS] + [_opencv_twice(), _model(), _mtcnn(), _device()]


def _package(module: str, distributions: tuple[str, ...], extra: str, purpose: str) -> Finding:
    try:
        importlib.import_module(module)
    except (ImportError, OSError, RuntimeError) as error:  # the latter two from packages that do not fit each other
        reason = str(error).partition("\n")[0]
        return Finding(module, False, f"{reason}; get it with: {way_to_get(extra)}", purpose)
    versions = [f"{name} {importlib.metadata.version(name)}" for name in distributions if _installed(name)]
    return Finding(module, True, " and ".join(versions) or "installed by hand", purpose)


def _opencv_twice() -> Finding:
    both = _installed("opencv-python") and _installed("opencv-python-headless")
    advice = "opencv-python and opencv-python-headless overwrite each other's files: uninstall both, then install one"
    return Finding("a single OpenCV", not both, advice if both else "yes", "reading and resizing photos")


def _model() -> Finding:
    purpose = "predicting 68 points"
    try:
        path = find_model()
        known = file_sha256(path) == MODEL_SHA256
    except (MaskkitError, OSError) as error:
        return Finding("68-point model", False, str(error), purpose)
    note = "" if known else " (not dlib's published file: its points may differ)"
    return Finding("68-point model", True, f"{path}{note}", purpose)


def _mtcnn() -> Finding:
    purpose = "finding turned and covered faces (optional)"
    if mtcnn.available():
        return Finding("MTCNN", True, f"facenet-pytorch {_version('facenet-pytorch')}", purpose)
    return Finding("MTCNN", False, mtcnn.advice(), purpose)


def _device() -> Finding:
    purpose = "training at full size"
    try:
        import torch
    except ImportError:
        return Finding("accelerator", False, "torch is not installed", purpose)
    if torch.cuda.is_available():
        return Finding("accelerator", True, torch.cuda.get_device_name(0), purpose)
    return Finding("accelerator", False, "torch sees no CUDA device; training runs on the processor, slowly", purpose)


def _installed(distribution: str) -> bool:
    return bool(_version(distribution))


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
