"""Batch norm over the whole batch, whoever holds it."""

import pytest
import torch
from torch import Tensor, nn

from gan.computing.compute import Compute
from gan.computing.processes import computing
from gan.computing.spawning import Stop
from gan.nets.norms import BatchNorm2d


def work(compute: Compute) -> dict[str, Tensor]:
    """Two norms with a bend between them; outputs, gradients and buffers, of the whole batch."""
    torch.manual_seed(0)
    x = torch.randn(6, 3, 4, 5, dtype=torch.float64) * 2 + 1
    target = torch.randn(6, 3, 4, 5, dtype=torch.float64)
    network = nn.Sequential(BatchNorm2d(3), nn.Tanh(), BatchNorm2d(3)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(0.5, 1.5)
    mine = compute.share(x).double().requires_grad_()
    for _ in range(2):  # the second forward meets buffers that have moved
        loss = (network(mine) - compute.share(target).double()).square().mean()
    loss.backward()
    compute.average_gradients(network)
    found = {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}
    return found | dict(network.named_buffers()) | {"loss": compute.mean(loss.detach())}


def follow(compute: Compute, stop: Stop) -> None:
    work(Compute(compute.device, "64", compute.fabric))


def test_two_processes_norm_as_one_and_as_torch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    with computing("cpu", 2, "64", follow) as compute:
        found = work(compute)
    alone = work(Compute(torch.device("cpu"), "64"))
    torch.testing.assert_close(found, alone, rtol=1e-12, atol=1e-12)
    monkeypatch.setattr(BatchNorm2d, "forward", nn.BatchNorm2d.forward)
    torch.testing.assert_close(alone, work(Compute(torch.device("cpu"), "64")), rtol=0, atol=0)
    assert alone["0.num_batches_tracked"] == 2
