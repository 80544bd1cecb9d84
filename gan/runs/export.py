"""A trained generator for elsewhere: its weights and settings as safetensors, or the whole computation as ONNX."""

import copy
import importlib
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan.data.rows import one_hot
from gan.errors import GanError, InputError
from gan.runs.generator_file import METADATA_KEY, encode_generator
from gan.runs.loading import EXPORTED, LoadedGenerator, load_generator
from gan.runs.run_folder import check_beside
from maskkit.errors import MissingExtraError
from maskkit.files.outputs import refuse_existing, write_result

ONNX = ".onnx"
# The exporter's own, so that no converter touches the graph; ONNX Runtime reads it from 1.14 on.
OPSET = 18
TOLERANCE = 1e-4  # largest difference from torch, where the image's range is 2
LARGEST_ONNX = 2**31 - 2**20  # bytes of weights; protobuf ends at 2 GiB

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Export:
    """What was written; `difference` is the largest one between ONNX Runtime's pixels and torch's, None if not seen."""

    path: Path
    size: int
    parameters: int
    step: int
    difference: float | None


def export_generator(generator: LoadedGenerator | str | Path, out: str | Path, *, overwrite: bool = False) -> Export:
    """Write a generator alone, as the name's ending says: `.safetensors` (for `load_generator`) or `.onnx`.

    `generator` is a loaded one or what `load_generator` takes. The ONNX graph has those float32 inputs that the
    generator takes, of z (N, n_z), c (N, n_c), s (N, n_s, size, size) and x (N, 3, size, size), for any N, and the
    output image (N, 3, size, size). Both carry the same JSON
    in their metadata and come out with the same bytes each time. Raises GanError, among others where ONNX Runtime is
    there and disagrees with torch by more than 1e-4, or maskkit's errors.
    """
    path = Path(out)
    if path.suffix.lower() not in (EXPORTED, ONNX):
        raise InputError(f"{path}: a generator is exported as {EXPORTED} or {ONNX}; give a name that ends in one")
    inputs = [] if isinstance(generator, LoadedGenerator) else [generator]
    check_beside(path, inputs)
    refuse_existing(path, overwrite, inputs)
    as_onnx = path.suffix.lower() == ONNX
    if as_onnx:
        for package in ("onnx", "onnxscript"):
            _import_for_onnx(package)
    if not isinstance(generator, LoadedGenerator):
        generator = load_generator(generator)
    parameters = sum(parameter.numel() for parameter in generator.parameters())
    if as_onnx and 4 * parameters > LARGEST_ONNX:
        raise InputError(f"{path}: {4 * parameters:,} bytes of weights are too many for {ONNX}; take {EXPORTED}")
    difference = None
    if as_onnx:
        content = encode_onnx(generator)
        difference = compare_onnx(content, generator)
        if difference is not None and not difference <= TOLERANCE:  # NaN too
            raise GanError(
                f"{path} is not written: ONNX Runtime's images differ from torch's by up to {difference:.1e}, "
                f"and {TOLERANCE:.0e} is allowed"
            )
    else:
        content = encode_generator(generator.network.state_dict(), generator.about)
    write_result(path, content, overwrite)
    return Export(path, len(content), parameters, generator.step, difference)


def encode_onnx(generator: LoadedGenerator) -> bytes:
    """Give the bytes of the ONNX model, the same for the same weights."""
    batch = torch.export.Dim("batch")
    # Two samples, since torch takes a batch of one for a constant.
    example = draw_example(generator, 2)
    with _quiet():
        program = torch.onnx.export(
            copy.deepcopy(generator.network).cpu(),
            tuple(example.values()),
            input_names=generator.takes,
            output_names=["image"],
            dynamic_shapes=tuple({0: batch} for _ in example),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise GanError("torch gave no ONNX program")
    model = program.model_proto
    for node in model.graph.node:  # the exporter notes lines of source code with the paths of this machine
        del node.metadata_props[:]
        node.doc_string = ""
    model.metadata_props.add(key=METADATA_KEY, value=json.dumps(generator.about.to_dict()))
    return bytes(model.SerializeToString(deterministic=True))


def compare_onnx(content: bytes, generator: LoadedGenerator) -> float | None:
    """Give the largest difference between ONNX Runtime's images and torch's; None, and a warning, without it."""
    try:
        runtime = _import_for_onnx("onnxruntime")
    except MissingExtraError as error:
        log.warning("the ONNX file was not compared with torch: %s", error)
        return None
    example = draw_example(generator, 3)  # another batch than the one that was traced
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (images,) = session.run(["image"], {name: tensor.numpy() for name, tensor in example.items()})
    expected: Tensor = generator(**example).cpu()
    return float((torch.from_numpy(images) - expected).abs().max())


def draw_example(generator: LoadedGenerator, count: int) -> dict[str, Tensor]:
    """Draw inputs of the kind that the generator is meant for, by name in its order: float32 on the CPU."""
    noise = torch.Generator().manual_seed(0)
    data = generator.about.data
    s_idx = torch.randint(data.n_s, (count, data.size, data.size), generator=noise)
    inputs = {
        "z": generator.draw_z(count, seed=0),
        "c": torch.randint(2, (count, data.n_c), generator=noise).float(),
        "s": one_hot(s_idx, data.n_s),
        "x": torch.rand((count, 3, data.size, data.size), generator=noise) * 2 - 1,
    }
    return {name: inputs[name] for name in generator.takes}


def _import_for_onnx(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise MissingExtraError(package, "onnx", f"exporting as {ONNX}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back the exporter's remarks on its own insides; its errors are raised."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
