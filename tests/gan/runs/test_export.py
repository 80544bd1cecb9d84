"""Exported generators: the same images elsewhere, and files that are not what they say."""

import json
import struct
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors
import safetensors.torch
import torch
from torch import Tensor

import gan
import maskkit
from cli.gan_command import group
from gan.data.description import DataDescription
from gan.errors import CheckpointError, GanError, InputError, RunError
from gan.runs import export as export_module
from gan.runs.checkpoint import checkpoint_paths
from gan.runs.export import Export, draw_example, export_generator
from gan.runs.generator_file import METADATA_KEY, About
from gan.runs.loading import LoadedGenerator, load_generator, load_segmentor
from gan.runs.presets import load_preset
from gan.systems.scgan import build_generator
from maskkit.errors import MaskkitError, MissingExtraError, OutputError
from tests.gan.conftest import SMALL

NAMES = ("Male", "Young")
OnnxMaker = Callable[[str, tuple[str, ...]], tuple[LoadedGenerator, Export]]


@pytest.fixture(scope="module")
def exported(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generator of the small run as safetensors. Not to be written to."""
    path = tmp_path_factory.mktemp("exported") / "G.safetensors"
    export_generator(small_run, path)
    return path


def untrained(joining: str, names: tuple[str, ...], *, seed: int = 0) -> LoadedGenerator:
    settings = load_preset("tiny", (*SMALL, f"generator.joining={joining}"))
    data = DataDescription(32, maskkit.load_scheme("scgan"), names, 100)
    torch.manual_seed(seed)
    return LoadedGenerator(build_generator(settings, data), About(settings, data, 7), torch.device("cpu"))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safetensors.safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()[METADATA_KEY])
    del about["sha256"]  # what is written again without it is a file of old
    return safetensors.torch.load_file(path), about


def write(path: Path, tensors: dict[str, Tensor], about: object) -> None:
    safetensors.torch.save_file(tensors, path, {METADATA_KEY: about if isinstance(about, str) else json.dumps(about)})


def test_an_exported_generator_makes_the_images_of_its_run(small_run: Path, exported: Path) -> None:
    ours, theirs = load_generator(small_run), load_generator(exported)
    example = draw_example(ours, 3)
    assert torch.equal(ours(**example), theirs(**example))
    assert (theirs.size, theirs.n_z, theirs.step) == (32, 8, 40)
    assert (theirs.scheme, theirs.attribute_names) == (ours.scheme, ours.attribute_names)
    assert theirs.settings == ours.settings.with_shards(Path()).model_copy(update={"data": theirs.settings.data})
    assert theirs.about.versions["torch"] == torch.__version__


def test_the_file_tells_nothing_of_the_machine_and_is_the_same_each_time(
    small_run: Path, exported: Path, drawn_shards: Path, tmp_path: Path
) -> None:
    export_generator(exported, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == exported.read_bytes()
    assert str(drawn_shards).encode() in checkpoint_paths(small_run)[0].read_bytes()
    assert str(drawn_shards.parent).encode() not in exported.read_bytes()


def test_averaged_weights_are_exported_and_those_in_64_bits_become_32(small_run: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint_paths(small_run)[0], weights_only=True)
    weights = {key: tensor.double() * 0.5 for key, tensor in content["networks"]["G"].items()}
    torch.save(content | {"averages": {"G": weights}}, tmp_path / "averaged.pt")
    export_generator(tmp_path / "averaged.pt", tmp_path / "G.safetensors")
    tensors, _ = read(tmp_path / "G.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    assert all(torch.equal(tensors[key].double(), weights[key]) for key in weights)
    generator = load_generator(tmp_path / "averaged.pt")
    example = {name: tensor.double() for name, tensor in draw_example(generator, 1).items()}
    assert generator(**example).dtype == torch.float32


@pytest.fixture(scope="module")
def exported_onnx(tmp_path_factory: pytest.TempPathFactory) -> OnnxMaker:
    """Untrained generators as ONNX, each exported once. Not to be written to."""

    @cache
    def export(joining: str, names: tuple[str, ...]) -> tuple[LoadedGenerator, Export]:
        generator = untrained(joining, names)
        return generator, export_generator(generator, tmp_path_factory.mktemp("onnx") / "G.onnx")

    return export


@pytest.mark.parametrize(
    ("joining", "names"), [("step-by-step", NAMES), ("all-at-once", ()), ("reversed-order", NAMES)]
)
def test_onnx_runtime_makes_the_same_images(joining: str, names: tuple[str, ...], exported_onnx: OnnxMaker) -> None:
    generator, result = exported_onnx(joining, names)
    content = result.path.read_bytes()
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    about = About.from_dict(json.loads({entry.key: entry.value for entry in model.metadata_props}[METADATA_KEY]), "it")
    assert (about.step, about.data) == (7, generator.about.data)
    assert b"networks.py" not in content  # no lines of source code with this machine's paths
    session = onnxruntime.InferenceSession(content)
    for count in (1, 5):
        example = draw_example(generator, count)
        (images,) = session.run(None, {name: tensor.numpy() for name, tensor in example.items()})
        assert images.shape == (count, 3, 32, 32) and np.abs(images - generator(**example).numpy()).max() < 1e-4
    assert result.difference is not None and 0 <= result.difference < 1e-4
    assert result.size == len(content)


def test_onnx_files_are_the_same_each_time_and_one_that_disagrees_is_not_left(
    exported_onnx: OnnxMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    content = export_module.encode_onnx(untrained("step-by-step", NAMES))
    assert content == exported_onnx("step-by-step", NAMES)[1].path.read_bytes()
    monkeypatch.setattr(export_module, "encode_onnx", lambda generator: content)
    other, path = untrained("step-by-step", NAMES, seed=1), tmp_path / "G.onnx"
    with pytest.raises(GanError, match=r"G\.onnx is not written: ONNX Runtime's images differ from torch's by up to"):
        export_generator(other, path)
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert export_generator(other, path).difference is None and "not compared" in caplog.text
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"onnxscript, which is not installed.*\[onnx\]"):
        export_generator(tmp_path / "no run", tmp_path / "new.onnx")


def test_what_no_onnx_file_can_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "LARGEST_ONNX", 1000)
    with pytest.raises(InputError, match=r"bytes of weights are too many for \.onnx; take \.safetensors"):
        export_generator(untrained("step-by-step", NAMES), tmp_path / "G.onnx")


def test_refusals_before_any_work(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "there.safetensors").write_text("mine")
    with pytest.raises(InputError, match=r"G\.pt: a generator is exported as \.safetensors or \.onnx"):
        export_generator(tmp_path / "no run", tmp_path / "G.pt")
    with pytest.raises(OutputError, match=r"there\.safetensors exists"):
        export_generator(exported, tmp_path / "there.safetensors")
    assert (tmp_path / "there.safetensors").read_text() == "mine"
    export_generator(exported, tmp_path / "there.safetensors", overwrite=True)
    assert (tmp_path / "there.safetensors").read_bytes() == exported.read_bytes()


def test_what_has_no_segmentor_says_so(small_run: Path, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"G\.safetensors holds a generator and no segmentor"):
        load_segmentor(exported)
    content = torch.load(checkpoint_paths(small_run)[0], weights_only=True)
    content["settings"]["segmentor"]["training"] = "none"
    torch.save(content, tmp_path / "none.pt")
    with pytest.raises(RunError, match="trained without a segmentor; take"):
        load_segmentor(tmp_path / "none.pt")


def claim_the_largest(about: dict[str, Any]) -> None:
    about["settings"]["generator"].update(width=512, n_z=8192)
    about["settings"]["data"]["size"] = about["data"]["size"] = 1024


Change = Callable[[dict[str, Tensor], dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t, a: a.update(format_version=9), "format version 9"),
        (lambda t, a: a.pop("note"), "the metadata's note is missing"),
        (lambda t, a: a.update(extra=1), "the metadata's extra is foreign"),
        (lambda t, a: a.update(step="many"), "the metadata's step is a str, not a int"),
        (lambda t, a: a["settings"]["generator"].update(width=10**9), "generator.width = 1000000000"),
        (lambda t, a: a["data"].update(scheme=3), "not a region scheme"),
        (lambda t, a: a["data"].update(size=float("inf")), "description of the data is damaged"),
        (lambda t, a: a["data"].update(size=2**30), "1073741824 pixels, and its settings say 32"),
        # Such a network has 10**10 weights: it must be refused before there is memory for it.
        (lambda t, a: claim_the_largest(a), "(512, 7, 4, 4) is needed"),
        (lambda t, a: a["settings"]["generator"].update(joining="all-at-once"), "network G: the key block"),
        (lambda t, a: t.update(foreign=torch.zeros(1)), "network G: the key foreign is foreign"),
        (lambda t, a: t.pop("latent.0.bias"), "network G: the key latent.0.bias is missing"),
        (lambda t, a: t.update({"latent.0.bias": torch.zeros(3)}), "latent.0.bias has the shape (3,)"),
        (lambda t, a: t.update({"latent.0.bias": t["latent.0.bias"].long()}), "latent.0.bias holds int64, not floats"),
    ],
)  # fmt: skip
def test_refused_contents_are_named(exported: Path, tmp_path: Path, change: Change, said: str) -> None:
    tensors, about = read(exported)
    change(tensors, about)
    write(tmp_path / "G.safetensors", tensors, about)
    with pytest.raises(MaskkitError) as error:
        load_generator(tmp_path / "G.safetensors")
    assert "G.safetensors" in str(error.value) and said in str(error.value)


TENSOR = b'{"a":{"dtype":"F32","shape":[%s],"data_offsets":[0,4]}}'


def with_header(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + body


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cut short or no safetensors file"),
        (b"PK\x03\x04 a zip file, or the like", "cut short or no safetensors file"),
        (b"\xff" * 100, "cut short or no safetensors file"),
        (with_header(TENSOR % b"1099511627776", bytes(4)), "cut short or no safetensors file"),
        (with_header(TENSOR % b"1", bytes(4)), "metadata lack the key"),
        (with_header(b'{"__metadata__":{"gan_generator":"{\\"a\\":"}}'), "are not JSON"),
        (with_header(b'{"__metadata__":{"gan_generator":"' + b"[" * 20000 + b'"}}'), "are not JSON"),
        (with_header(b'{"__metadata__":{"gan_generator":"[1]"}}'), "format version None"),
    ],
)  # fmt: skip
def test_files_that_are_none_end_in_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "G.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=said) as error:
        load_generator(path)
    assert str(path) in str(error.value)


def test_a_file_cut_short_anywhere_ends_in_a_sentence(exported: Path, tmp_path: Path) -> None:
    content, path = exported.read_bytes(), tmp_path / "G.safetensors"
    for length in (1, 7, 8, 9, 500, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"G\.safetensors is cut short"):
            load_generator(path)


def test_the_command(small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "G.safetensors"
    group.main(["export", str(small_run), "-o", str(out), "--json"], standalone_mode=False)
    result = json.loads(capsys.readouterr().out)
    assert result["step"] == 40 and result["bytes"] == out.stat().st_size and result["difference"] is None
    assert result["parameters"] == sum(tensor.numel() for tensor in read(out)[0].values())
    gan.sample(out, tmp_path / "grid.png", shards=load_generator(small_run).settings.data.shards, device="cpu")
    gan.sample(small_run, tmp_path / "same.png", device="cpu")
    assert (tmp_path / "grid.png").read_bytes() == (tmp_path / "same.png").read_bytes()
