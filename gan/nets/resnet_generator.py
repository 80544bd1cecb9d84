"""The generator of CycleGAN: two halvings, residual blocks, two doublings, reflected at the edges."""

from torch import Tensor, nn


class ResnetGenerator(nn.Module):
    """Translate (N, channels_in, H, W) into (N, channels_out, H, W) in [-1, 1] (official `resnet_9blocks`)."""

    def __init__(self, channels_in: int, channels_out: int, *, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        w = width
        self.rows = nn.Sequential(
            nn.ReflectionPad2d(3),
            *_row(nn.Conv2d(channels_in, w, 7), w),
            *_row(nn.Conv2d(w, 2 * w, 3, 2, 1), 2 * w),
            *_row(nn.Conv2d(2 * w, 4 * w, 3, 2, 1), 4 * w),
            *(ReflectedResidual(4 * w) for _ in range(blocks)),
            *_row(nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1, output_padding=1), 2 * w),
            *_row(nn.ConvTranspose2d(2 * w, w, 3, 2, 1, output_padding=1), w),
            nn.ReflectionPad2d(3),
            nn.Conv2d(w, channels_out, 7),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.rows(x)
        return y


class ReflectedResidual(nn.Module):
    """Refine a map at its resolution, (N, channels, H, W) -> the same shape; nothing follows the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ReflectionPad2d(1),
            *_row(nn.Conv2d(channels, channels, 3), channels),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.main(x)
        return y


def _row(conv: nn.Module, channels: int) -> tuple[nn.Module, ...]:
    return conv, nn.InstanceNorm2d(channels), nn.ReLU()
