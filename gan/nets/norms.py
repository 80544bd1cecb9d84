"""Norms that several systems share."""

import torch
from torch import Tensor, distributed, nn


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the whole batch, also where several processes hold a part of it each.

    As `torch.nn.BatchNorm2d`, to rounding, with the same weights and buffers. PyTorch's own norm for several processes
    computes on CUDA alone. In evaluation the averages that it has gathered stand in for the batch's.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Norm (N, C, H, W)."""
        if not self.training or not _shared():
            return super().forward(x)
        wide = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        axes = (0, 2, 3)
        # Every process has as many rows as the others, so the mean of means is the mean.
        mean = _mean_of_all(wide.mean(axes))
        var = _mean_of_all((wide - mean[:, None, None]).square().mean(axes))
        self._remember(mean.detach(), var.detach(), x.numel() // x.shape[1])
        scale = torch.rsqrt(var + self.eps)
        scale = scale * self.weight if self.affine else scale
        shift = self.bias - mean * scale if self.affine else -mean * scale
        y: Tensor = wide * scale[:, None, None] + shift[:, None, None]
        return y.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor, count: int) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        whole = count * distributed.get_world_size()
        share = self.momentum or 0.0
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(var.to(self.running_var) * (whole / (whole - 1)), share)
        self.num_batches_tracked.add_(1)


def _shared() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


class _Sum(torch.autograd.Function):
    """The sum over the processes; going back, each learns from what all of them make of its part."""

    @staticmethod
    def forward(ctx: object, value: Tensor) -> Tensor:
        summed = value.clone()
        distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: object, slope: Tensor) -> Tensor:
        summed = slope.clone()
        distributed.all_reduce(summed)
        return summed


def _mean_of_all(value: Tensor) -> Tensor:
    summed: Tensor = _Sum.apply(value)  # type: ignore[no-untyped-call]
    return summed / distributed.get_world_size()
