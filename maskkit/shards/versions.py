"""The versions of the tools that decide pixels and points: a data set names them, and every worker must have them."""

from importlib.metadata import PackageNotFoundError, version

import cv2
import h5py
import numpy as np
import PIL

from maskkit.detection import dlib_models
from maskkit.files.regular import file_sha256


def tool_versions(steps: list[str]) -> dict[str, str]:
    """Whatever can change a pixel or a point, where these steps find the faces; none where nothing is looked for."""
    modules = {"numpy": np, "h5py": h5py, "opencv": cv2, "pillow": PIL}
    versions = {name: str(module.__version__) for name, module in modules.items()}
    if steps not in ([], ["given"]):
        versions["dlib"] = str(dlib_models.import_dlib().__version__)
        versions["dlib_model_sha256"] = file_sha256(dlib_models.find_model())
    if "mtcnn" in steps:
        versions |= {name: _installed(name) for name in ("facenet-pytorch", "torch")}
    return {"maskkit": version("maskkit"), **versions}


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "by hand"
