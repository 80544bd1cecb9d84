"""Networks that name the region of every pixel."""

from torch import Tensor, nn

from gan.nets.blocks import Residual, norm_relu


class Segmentor(nn.Module):
    """Name the region of every pixel (SCGAN paper, Table 2, S): (N, 3, H, W) -> logits (N, n_s, H, W)."""

    def __init__(self, n_s: int, *, width: int = 64, blocks: int = 4) -> None:
        super().__init__()
        w = width
        self.down = nn.Sequential(_row(nn.Conv2d, 3, w), _row(nn.Conv2d, w, 2 * w))
        self.blocks = nn.Sequential(*(Residual(2 * w) for _ in range(blocks)))
        up = nn.ConvTranspose2d
        self.up = nn.Sequential(_row(up, 2 * w, w), _row(up, w, w // 2))
        self.out = nn.Conv2d(w // 2, n_s, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.up(self.blocks(self.down(x))))
        return logits


class ReleaseSegmentor(nn.Module):
    """Name the region of every pixel as the SCGAN release does, with 7 x 7 ends at full size and twice the channels.

    (N, 3, H, W) -> logits (N, n_s, H, W); no convolution has a bias.
    """

    def __init__(self, n_s: int, *, width: int = 64, blocks: int = 4) -> None:
        super().__init__()
        w = width
        self.stem = nn.Sequential(nn.Conv2d(3, w, 7, padding=3, bias=False), *norm_relu(w))
        self.down = nn.Sequential(_row(nn.Conv2d, w, 2 * w), _row(nn.Conv2d, 2 * w, 4 * w))
        self.blocks = nn.Sequential(*(Residual(4 * w) for _ in range(blocks)))
        up = nn.ConvTranspose2d
        self.up = nn.Sequential(_row(up, 4 * w, 2 * w), _row(up, 2 * w, w))
        self.out = nn.Conv2d(w, n_s, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.up(self.blocks(self.down(self.stem(x)))))
        return logits


def _row(conv: type[nn.Conv2d] | type[nn.ConvTranspose2d], a: int, b: int) -> nn.Sequential:
    return nn.Sequential(conv(a, b, 4, 2, 1, bias=False), *norm_relu(b))
