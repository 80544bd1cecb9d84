"""The SCGAN release's networks as in its files: random weights by its keys, and forward passes over those keys."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

State = dict[str, Tensor]


def conv(state: State, noise: torch.Generator, key: str, *shape: int, bias: bool = True) -> None:
    state[f"{key}.weight"] = torch.randn(shape, generator=noise) / (shape[1] * shape[2] * shape[3]) ** 0.5
    if bias:
        state[f"{key}.bias"] = torch.randn(shape[0], generator=noise) * 0.3


def norm(state: State, noise: torch.Generator, key: str, channels: int) -> None:
    state[f"{key}.weight"] = torch.rand(channels, generator=noise) + 0.5
    state[f"{key}.bias"] = torch.randn(channels, generator=noise) * 0.3


@cache
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
    for i in range(0, 2 * sum(key.startswith("main.") for key in w) // 2, 2):  # weight and bias of each
        x = F.leaky_relu(apply_conv(w, f"main.{i}", x, stride=2, padding=1), 0.01)
    return apply_conv(w, "conv1", x, padding=1), apply_conv(w, "conv2", x).flatten(1)
