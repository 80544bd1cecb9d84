"""Weights of the SCGAN release, against a forward pass written from its keys alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cli.gan_command import group
from gan.errors import CheckpointError, InputError
from gan.runs.export import draw_example
from gan.runs.loading import load_generator
from gan.runs.release_weights import load_release, load_release_critic, load_release_segmentor
from tests.gan.released import (
    State,
    release_critic,
    release_generator,
    release_segmentor,
    run_critic,
    run_generator,
    run_segmentor,
)

KINDS = ("running_mean", "running_var")


def close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-4, atol=2e-5)


def running(state: State) -> State:
    """What the release's PyTorch saved beside each instance norm, whose scales are the only weights of one axis."""
    norms = [
        key.removesuffix("weight") for key, tensor in state.items() if key.endswith("weight") and tensor.dim() == 1
    ]
    return {f"{norm}{kind}": torch.rand(len(state[f"{norm}weight"])) for norm in norms for kind in KINDS}


@pytest.fixture(scope="module")
def generator_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release's G with random weights. Not to be written to."""
    path = tmp_path_factory.mktemp("release") / "20_12000_G.pth"
    torch.save(release_generator(), path)
    return path


def test_the_generator(generator_file: Path) -> None:
    generator = load_release(generator_file)
    assert sum(parameter.numel() for parameter in generator.parameters()) == 12_893_379
    assert (generator.size, generator.n_z, len(generator.scheme)) == (128, 512, 7)
    assert generator.attribute_names == ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
    example = draw_example(generator, 2)
    s = example["s"][:, :, :32, :32]  # it has no layer that knows the size
    images = generator.network(example["z"], example["c"], s)
    assert images.std() > 0.2
    assert close(images, run_generator(release_generator(), example["z"], example["c"], s))


def test_the_generator_of_fashion(tmp_path: Path) -> None:
    torch.save(release_generator(n_c=17), tmp_path / "G.pth")
    generator = load_release(tmp_path / "G.pth", [f"colour {i}" for i in range(17)], scheme="deepfashion")
    assert generator.scheme.names[1] == "hair" and generator.settings.loss.cls == "softmax"
    assert "after an unknown number of steps" in generator.about.note
    assert "takes layouts and gives pictures that lie on their side" in generator.about.note
    assert generator.network(
        torch.zeros(1, 512), generator.attributes(["colour 3"])[None], torch.zeros(1, 7, 32, 32)
    ).std()


def test_the_segmentor_in_the_old_file_format(tmp_path: Path) -> None:
    path, w = tmp_path / "20_12000_A.pth", release_segmentor()
    held = w | running(w)
    assert len(held) - len(w) == 26
    torch.save(held, path, _use_new_zipfile_serialization=False)
    segmentor, x = load_release_segmentor(path), torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    assert sum(parameter.numel() for parameter in segmentor.parameters()) == 6_066_048
    assert close(segmentor(x), run_segmentor(w, x))


def test_the_generator_with_what_old_norms_gathered(generator_file: Path, tmp_path: Path) -> None:
    w = release_generator()
    torch.save(w | running(w), tmp_path / "G.pth")
    weights = load_release(generator_file).network.state_dict()
    found = load_release(tmp_path / "G.pth").network.state_dict()
    assert found.keys() == weights.keys() and all(torch.equal(found[key], weights[key]) for key in weights)


def test_the_critic(tmp_path: Path) -> None:
    path, w = tmp_path / "20_12000_D.pth", release_critic()
    torch.save(w, path)
    critic, x = load_release_critic(path), torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(4))
    assert sum(parameter.numel() for parameter in critic.parameters()) == 44_762_048
    assert all(close(ours, theirs) for ours, theirs in zip(critic(x), run_critic(w, x), strict=True))


def test_the_command_gives_a_file_that_loads(
    generator_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "G.safetensors"
    arguments = ["import-release", str(generator_file), "-o", str(out), "--attributes", "a,b,c,d,e", "--json"]
    group.main(arguments, standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["parameters"] == 12_893_379
    generator = load_generator(out)
    assert generator.attribute_names == tuple("abcde") and generator.step == 0
    note = generator.about.note
    assert "20_12000_G.pth" in note and "scheme scgan is assumed" in note and "lie on their side" not in note
    assert "after iteration 12000 of epoch 20, by the file's name" in note
    weights = load_release(generator_file).network.state_dict()
    assert all(torch.equal(tensor, weights[key]) for key, tensor in generator.network.state_dict().items())


def replaced(key: str, change: Callable[[Tensor], object]) -> Callable[[dict[str, Any]], object]:
    return lambda w: w.update({key: change(w[key])})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.update({"model1.2.conv_sc.bias": torch.zeros(128)}), "conv_sc.bias must equal model1.2.bypass"),
        (replaced("model1.2.conv_sc.bias", Tensor.bool), "conv_sc.bias must equal model1.2.bypass"),
        (lambda w: w.pop("model1.6.weight"), "network G: the key model1.6.weight is missing"),
        (lambda w: w.pop("model_s.10.bias"), "network G: the key model_s.10.bias is missing"),
        (lambda w: w.update({"final.running_mean": torch.zeros(64)}), "the key final.running_mean is foreign"),
        (lambda w: w.update({"model_s.0.running_mean": torch.zeros(64)}), "the key model_s.0.running_mean is foreign"),
        (lambda w: w.update({"model1.4.bias": torch.zeros(63)}), "the key model1.4.bias has the shape (63,)"),
        (lambda w: w.update({"model1.4.bias": "text"}), "model1.4.bias has the shape str"),
        (replaced("model1.4.bias", Tensor.to_sparse), "the key model1.4.bias holds a sparse_coo tensor; weights are"),
        (replaced("final.bias", Tensor.to_sparse), "the key final.bias holds a sparse_coo tensor; weights are saved"),
        (lambda w: w.update({"model1.4.bias": torch.zeros(64, device="meta")}), "model1.4.bias holds a meta tensor"),
        (replaced("model1.4.bias", Tensor.long), "model1.4.bias holds int64, not floats"),
        (replaced("model1.4.bias", Tensor.cfloat), "model1.4.bias holds complex64, not floats"),
        (replaced("model1.4.bias", lambda t: t.double() + 1e300), "model1.4.bias holds 1e+300, and weights must"),
        (replaced("model1.4.bias", lambda t: t * torch.nan), "network G: the key model1.4.bias holds "),
    ],
)  # fmt: skip
def test_refused_contents_are_named(tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str) -> None:
    state: dict[str, Any] = dict(release_generator())
    change(state)
    torch.save(state, tmp_path / "G.pth")
    with pytest.raises(CheckpointError) as error:
        load_release(tmp_path / "G.pth")
    assert "G.pth" in str(error.value) and said in str(error.value)


@pytest.mark.filterwarnings("ignore")  # torch's, of its own TorchScript
def test_refused_files_and_names(generator_file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"takes 5 attributes, and 2 are named \(a, b\)"):
        load_release(generator_file, ("a", "b"))
    with pytest.raises(InputError, match="two attributes have the same name: a, b, c, d, a"):
        load_release(generator_file, tuple("abcda"))
    content, path = generator_file.read_bytes(), tmp_path / "G.pth"
    for part in (b"", b"text", content[:1000], content[: len(content) // 2]):
        path.write_bytes(part)
        with pytest.raises(CheckpointError, match=r"G\.pth is"):
            load_release(path)
    for held, said in ((torch.zeros(2), "it holds a Tensor"), ({"a": Path}, "not opened"), ({}, "model_s")):
        torch.save(held, path)
        with pytest.raises(CheckpointError, match=said):
            load_release(path)
    torch.jit.script(torch.nn.ReLU()).save(path)
    for load in (load_release, load_generator):
        with pytest.raises(CheckpointError, match="not opened") as error:
            load(path)
        assert "weights_only" not in str(error.value)
    with pytest.raises(CheckpointError, match=r"none\.pth cannot be read: No such file"):
        load_release(tmp_path / "none.pth")
