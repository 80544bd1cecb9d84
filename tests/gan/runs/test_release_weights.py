"""Weights of the SCGAN release, against a forward pass written from its keys alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cli.gan_command import group
from gan.errors import CheckpointError, InputError
from gan.runs.export import draw_example
from gan.runs.loading import load_generator
from gan.runs.release_weights import load_release, load_release_critic, load_release_segmentor

State = dict[str, Tensor]


def conv(state: State, noise: torch.Generator, key: str, *shape: int, bias: bool = True) -> None:
    state[f"{key}.weight"] = torch.randn(shape, generator=noise) / (shape[1] * shape[2] * shape[3]) ** 0.5
    if bias:
        state[f"{key}.bias"] = torch.randn(shape[0], generator=noise) * 0.3


def norm(state: State, noise: torch.Generator, key: str, channels: int) -> None:
    state[f"{key}.weight"] = torch.rand(channels, generator=noise) + 0.5
    state[f"{key}.bias"] = torch.randn(channels, generator=noise) * 0.3


def release_generator(n_c: int = 5) -> State:
    state, noise = {}, torch.Generator().manual_seed(1)
    for i, (a, b) in enumerate([(7, 64), (64, 128), (128, 256), (256, 512)]):
        conv(state, noise, f"model_s.{3 * i}", b, a, 4, 4)
        norm(state, noise, f"model_s.{3 * i + 1}", b)
    for i, (a, b) in enumerate([(1024 + n_c, 512), (512, 256), (256, 128), (128, 64)]):
        for key, twin, channels, side in (
            ("model.0", "conv1", a, 3),
            ("model.4", "conv2", b, 3),
            ("bypass.1", "conv_sc", a, 1),
        ):
            conv(state, noise, f"model1.{i}.{key}", b, channels, side, side)
            for kind in ("weight", "bias"):
                state[f"model1.{i}.{twin}.{kind}"] = state[f"model1.{i}.{key}.{kind}"]
        norm(state, noise, f"model1.{i}.model.1", b)
        norm(state, noise, f"model1.{i}.model.5", b)
    norm(state, noise, "model1.4", 64)
    conv(state, noise, "model1.6", 3, 64, 3, 3)
    return state | {f"final.{kind}": state[f"model1.6.{kind}"] for kind in ("weight", "bias")}


def release_segmentor() -> State:
    state, noise = {}, torch.Generator().manual_seed(2)
    for i, shape in (
        (0, (64, 3, 7, 7)),
        (3, (128, 64, 4, 4)),
        (6, (256, 128, 4, 4)),
        (13, (256, 128, 4, 4)),
        (16, (128, 64, 4, 4)),
    ):
        conv(state, noise, f"main.{i}", *shape, bias=False)
        norm(state, noise, f"main.{i + 1}", shape[1] if i > 9 else shape[0])
    for i in (9, 10, 11, 12):
        for j in (0, 3):
            conv(state, noise, f"main.{i}.main.{j}", 256, 256, 3, 3, bias=False)
            norm(state, noise, f"main.{i}.main.{j + 1}", 256)
    conv(state, noise, "main.19", 7, 64, 7, 7, bias=False)
    return state


def release_critic(n_c: int = 5) -> State:
    state, noise = {}, torch.Generator().manual_seed(3)
    for i in range(6):
        conv(state, noise, f"main.{2 * i}", 64 * 2**i, 3 if i == 0 else 32 * 2**i, 4, 4)
    conv(state, noise, "conv1", 1, 2048, 3, 3, bias=False)
    conv(state, noise, "conv2", n_c, 2048, 2, 2, bias=False)
    return state


def apply_conv(state: State, key: str, x: Tensor, **options: int) -> Tensor:
    return F.conv2d(x, state[f"{key}.weight"], state.get(f"{key}.bias"), **options)


def apply_norm(state: State, key: str, x: Tensor) -> Tensor:
    return F.instance_norm(x, weight=state[f"{key}.weight"], bias=state[f"{key}.bias"])


def run_generator(w: State, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
    h = s
    for i in (0, 3, 6, 9):
        h = F.relu(apply_norm(w, f"model_s.{i + 1}", apply_conv(w, f"model_s.{i}", h, stride=2, padding=1)))
    planes = [vector.view(len(h), -1, 1, 1).repeat(1, 1, *h.shape[2:]) for vector in (z, c)]
    h = torch.cat([h, *planes], 1)
    for i in range(4):
        main = F.relu(apply_norm(w, f"model1.{i}.model.1", apply_conv(w, f"model1.{i}.model.0", h, padding=1)))
        main = apply_conv(w, f"model1.{i}.model.4", F.interpolate(main, scale_factor=2), padding=1)
        main = apply_norm(w, f"model1.{i}.model.5", main)
        h = F.relu(main + apply_conv(w, f"model1.{i}.bypass.1", F.interpolate(h, scale_factor=2)))
    return apply_conv(w, "model1.6", F.relu(apply_norm(w, "model1.4", h)), padding=1).tanh()


def run_segmentor(w: State, x: Tensor) -> Tensor:
    h = F.relu(apply_norm(w, "main.1", apply_conv(w, "main.0", x, padding=3)))
    for i in (3, 6):
        h = F.relu(apply_norm(w, f"main.{i + 1}", apply_conv(w, f"main.{i}", h, stride=2, padding=1)))
    for i in (9, 10, 11, 12):
        inside = F.relu(apply_norm(w, f"main.{i}.main.1", apply_conv(w, f"main.{i}.main.0", h, padding=1)))
        h = h + apply_norm(w, f"main.{i}.main.4", apply_conv(w, f"main.{i}.main.3", inside, padding=1))
    for i in (13, 16):
        h = F.conv_transpose2d(h, w[f"main.{i}.weight"], stride=2, padding=1)
        h = F.relu(apply_norm(w, f"main.{i + 1}", h))
    return apply_conv(w, "main.19", h, padding=3)


def run_critic(w: State, x: Tensor) -> tuple[Tensor, Tensor]:
    for i in range(0, 12, 2):
        x = F.leaky_relu(apply_conv(w, f"main.{i}", x, stride=2, padding=1), 0.01)
    return apply_conv(w, "conv1", x, padding=1), apply_conv(w, "conv2", x).flatten(1)


def close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-4, atol=2e-5)


@pytest.fixture(scope="module")
def generator_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release's G with random weights. Not to be written to."""
    path = tmp_path_factory.mktemp("release") / "20_250000_G.pth"
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
    assert generator.network(
        torch.zeros(1, 512), generator.attributes(["colour 3"])[None], torch.zeros(1, 7, 32, 32)
    ).std()


def test_the_segmentor_in_the_old_file_format(tmp_path: Path) -> None:
    path, w = tmp_path / "20_250000_A.pth", release_segmentor()
    torch.save(w, path, _use_new_zipfile_serialization=False)
    segmentor, x = load_release_segmentor(path), torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    assert sum(parameter.numel() for parameter in segmentor.parameters()) == 6_066_048
    assert close(segmentor(x), run_segmentor(w, x))


def test_the_critic(tmp_path: Path) -> None:
    path, w = tmp_path / "20_250000_D.pth", release_critic()
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
    assert "20_250000_G.pth" in generator.about.note and "scheme scgan is assumed" in generator.about.note
    weights = load_release(generator_file).network.state_dict()
    assert all(torch.equal(tensor, weights[key]) for key, tensor in generator.network.state_dict().items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.update({"model1.2.conv_sc.bias": torch.zeros(128)}), "conv_sc.bias must equal model1.2.bypass"),
        (lambda w: w.pop("model1.6.weight"), "final.weight must equal model1.6.weight"),
        (lambda w: w.pop("model_s.10.bias"), "network G: the key model_s.10.bias is missing"),
        (lambda w: w.update({"model_s.1.running_mean": torch.zeros(64)}), "the key model_s.1.running_mean is foreign"),
        (lambda w: w.update({"model1.4.bias": torch.zeros(63)}), "the key model1.4.bias has the shape (63,)"),
        (lambda w: w.update({"model1.4.bias": "text"}), "model1.4.bias has the shape str"),
    ],
)  # fmt: skip
def test_refused_contents_are_named(tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str) -> None:
    state: dict[str, Any] = dict(release_generator())
    change(state)
    torch.save(state, tmp_path / "G.pth")
    with pytest.raises(CheckpointError) as error:
        load_release(tmp_path / "G.pth")
    assert "G.pth" in str(error.value) and said in str(error.value)


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
    with pytest.raises(CheckpointError, match=r"none\.pth cannot be read: No such file"):
        load_release(tmp_path / "none.pth")
