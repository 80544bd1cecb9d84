"""Files of weights that others publish, each with what its users get from it."""

import hashlib
import importlib
import importlib.metadata
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import safetensors.torch
import torch

from gan.nets import vgg
from gan.runs.release_weights import load_release_segmentor
from maskkit.detection import dlib_models, mtcnn
from tests.damage.kind import Kind, digest
from tests.gan.released import release_segmentor

NARROW = tuple(layer if isinstance(layer, str) else layer // 8 for layer in vgg._LAYERS)


def weight_kinds(folder: Path, large: bool) -> list[Kind]:
    """Write one file of each kind below `folder`, and give the kinds; those that are installed as copies."""
    return [*_vgg(folder), *_mtcnn(folder), *([*_release(folder), *_dlib(folder)] if large else [])]


def _vgg(folder: Path) -> Iterator[Kind]:
    with patch.object(vgg, "_LAYERS", NARROW):
        weights = vgg.VGG19().state_dict()
    torch.save(weights, folder / "vgg19.pth")
    safetensors.torch.save_file(weights, folder / "vgg19.safetensors")
    torch.save(weights, folder / "old.pth", _use_new_zipfile_serialization=False)
    content = (folder / "old.pth").read_bytes()
    published = f"vgg19-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (folder / published).write_bytes(content)
    yield Kind("VGG19 as published", published, lambda f: of_vgg(f / published))
    yield Kind("VGG19, saved anew", "vgg19.pth", lambda f: of_vgg(f / "vgg19.pth"))
    yield Kind("VGG19, saved by torch before 1.6", "old.pth", lambda f: of_vgg(f / "old.pth"), own=True)
    yield Kind("VGG19 as safetensors", "vgg19.safetensors", lambda f: of_vgg(f / "vgg19.safetensors"), own=True)


def _release(folder: Path) -> Iterator[Kind]:
    for name, title, zipped in (("1_1_A.pth", "SCGAN's release", True),
                                ("2_2_A.pth", "SCGAN's release by torch before 1.6", False)):  # fmt: skip
        torch.save(release_segmentor(), folder / name, _use_new_zipfile_serialization=zipped)
        yield Kind(title, name, lambda f, n=name: digest(load_release_segmentor(f / n).state_dict()), own=not zipped)


def _mtcnn(folder: Path) -> Iterator[Kind]:
    found = mtcnn._folder()
    if found is None:
        return
    installed = importlib.metadata.distribution(mtcnn.DISTRIBUTION)
    for path in (found, *(Path(str(one.locate())).parent for one in installed.files or () if one.name == "RECORD")):
        shutil.copytree(path, folder / "packages" / path.name)
    for name in mtcnn.NETWORKS.values():
        yield Kind(f"MTCNN's {name}", f"packages/{mtcnn.PACKAGE}/data/{name}", of_mtcnn)


def _dlib(folder: Path) -> Iterator[Kind]:
    (folder / "dlib").mkdir()
    shutil.copy(dlib_models.find_model(), folder / "dlib")
    yield Kind("dlib's model", f"dlib/{dlib_models.MODEL_NAME}", of_dlib)


def of_vgg(path: Path) -> str:
    """Its weights; the layers an eighth as wide as VGG19's, which would take 80 MB."""
    with patch.object(vgg, "_LAYERS", NARROW):
        network, _ = vgg.load_vgg19(path)
    return digest(network.state_dict())


def of_mtcnn(folder: Path) -> str:
    with _installed_in(folder / "packages"):
        networks, _ = mtcnn._load.__wrapped__()
    return digest([network.state_dict() for network in networks])


def of_dlib(folder: Path) -> bool:
    with patch.object(dlib_models, "find_model", lambda: folder / "dlib" / dlib_models.MODEL_NAME):
        return dlib_models.predictor.__wrapped__() is not None


@contextmanager
def _installed_in(packages: Path) -> Iterator[None]:
    """Let packages be found in another folder first."""
    sys.path.insert(0, str(packages))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(packages))
        importlib.invalidate_caches()
