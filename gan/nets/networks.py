"""The networks of SCGAN: those of the SCGAN paper's Table 2 (contradictions resolved as noted) and its alternatives."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.nets.losses import Reduction
from gan.settings.run_settings import TailNorm

SMALL_MAP = 8  # side of an input map up to which patches are faster; at 16 the two are equal


class ResidualUp(nn.Module):
    """Double the resolution: (N, channels_in, H, W) -> (N, channels_out, 2H, 2W); RESBLKUP of the paper's Figure 3.

    The norms stand inside the block, as in the SCGAN release: attributes enter as constant planes, and an instance
    norm right behind them would erase them.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, padding=1),
            nn.InstanceNorm2d(channels_out, affine=True),
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(channels_out, channels_out, 3, padding=1),
            nn.InstanceNorm2d(channels_out, affine=True),
        )
        # A 1x1 convolution commutes with nearest upsampling; before it, it costs a quarter.
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1), nn.Upsample(scale_factor=2, mode="nearest")
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.main(x) + self.shortcut(x))


class Generator(nn.Module):
    """Make images from latents, attributes and layouts, joined step by step (SCGAN paper, Table 2, G).

    `z` (N, n_z), `c` (N, n_c), `s` one-hot (N, n_s, size, size), all float -> (N, 3, size, size) in [-1, 1].
    `n_c` may be 0. `tail_norm` says where "IN, ReLU" stands after blocks: "last" (before row 11 only, as in the
    release) or "every" block (Table 2 read literally; it keeps about two thirds of the effect of c).
    """

    def __init__(
        self, n_s: int, n_c: int, size: int, *, width: int = 64, n_z: int = 512, tail_norm: TailNorm = "last"
    ) -> None:
        super().__init__()
        w, plane = width, size // 16
        self.encoder = _encoder(n_s, w)  # rows 1-4
        # Row b1: Table 2 prints FC-8192, but its two shapes agree on `width` planes of size/16 squared. The norm is
        # taken over each plane, since over a single value it would be zero.
        self.latent = nn.Sequential(
            nn.Linear(n_z, w * plane**2),
            nn.Unflatten(1, (w, plane, plane)),
            nn.InstanceNorm2d(w, affine=True),
            nn.ReLU(),
        )
        self.block6 = ResidualUp(9 * w, 8 * w)
        self.block7 = ResidualUp(8 * w, 4 * w)
        self.block9 = ResidualUp(4 * w + n_c, 2 * w)
        self.block10 = ResidualUp(2 * w, w)
        every = tail_norm == "every"
        self.norm6 = _norm_relu(8 * w) if every else nn.Identity()
        self.norm7 = _norm_relu(4 * w) if every else nn.Identity()
        self.norm9 = _norm_relu(2 * w) if every else nn.Identity()
        self.norm10 = _norm_relu(w)
        self.row11 = _to_image(w)
        self.apply(_xavier)

    def forward(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        h = torch.cat([self.encoder(s), self.latent(z)], dim=1)
        h = self.norm7(self.block7(self.norm6(self.block6(h))))
        h = self.norm9(self.block9(torch.cat([h, _planes(c, h)], dim=1)))
        y: Tensor = self.row11(self.norm10(self.block10(h)))
        return y


class AllAtOnceGenerator(nn.Module):
    """Make images as `Generator` does, with z and c repeated over the encoded layout and joined to it at one place.

    The class that the SCGAN release trains, and the "alternative G" of the SCGAN slides. Inputs and output as those of
    `Generator`.
    """

    def __init__(self, n_s: int, n_c: int, size: int, *, width: int = 64, n_z: int = 512) -> None:
        super().__init__()
        w = width
        self.encoder = _encoder(n_s, w)
        self.blocks = nn.Sequential(
            ResidualUp(8 * w + n_z + n_c, 8 * w),
            ResidualUp(8 * w, 4 * w),
            ResidualUp(4 * w, 2 * w),
            ResidualUp(2 * w, w),
            _norm_relu(w),
        )
        self.to_image = _to_image(w)
        self.apply(_xavier)

    def forward(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        h = self.encoder(s)
        y: Tensor = self.to_image(self.blocks(torch.cat([h, _planes(z, h), _planes(c, h)], dim=1)))
        return y


class ReversedOrderGenerator(nn.Module):
    """Make images as `Generator` does, but from z first, with s and c joined at a quarter of the size.

    The alternative of the SCGAN paper's Figure 9, built from an unused class of the release. Inputs and output as those
    of `Generator`.
    """

    def __init__(self, n_s: int, n_c: int, size: int, *, width: int = 64, n_z: int = 512) -> None:
        super().__init__()
        w = width
        # At 32 pixels the map of z would begin as one pixel, which no instance norm can take: one block less there.
        blocks = [16 * w, 16 * w, 8 * w, 4 * w] if size > 32 else [16 * w, 8 * w, 4 * w]
        plane = (size // 4) >> (len(blocks) - 1)
        self.latent = nn.Sequential(
            nn.Linear(n_z, 16 * w * plane**2),
            nn.Unflatten(1, (16 * w, plane, plane)),
            *(ResidualUp(a, b) for a, b in pairwise(blocks)),
            _norm_relu(4 * w),
        )
        self.layout = nn.Sequential(_encoder_row(n_s, w), _encoder_row(w, 2 * w))
        self.join = nn.Conv2d(4 * w + n_c + 2 * w, 4 * w, 3, padding=1)
        self.blocks = nn.Sequential(ResidualUp(4 * w, 2 * w), ResidualUp(2 * w, w), _norm_relu(w))
        self.to_image = _to_image(w)
        self.apply(_xavier)

    def forward(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        h = self.latent(z)
        h = self.join(torch.cat([h, _planes(c, h), self.layout(s)], dim=1))
        y: Tensor = self.to_image(self.blocks(h))
        return y


class Halving(nn.Conv2d):
    """Halve the resolution: (N, channels_in, H, W) -> (N, channels_out, H / 2, W / 2), by a 4 x 4 kernel.

    On a CPU, where maps are `small`, patches are gathered and multiplied as one matrix: oneDNN's
    convolutions take up to twenty times as long for the gradients of so many weights at so few places.
    """

    def __init__(self, channels_in: int, channels_out: int, *, small: bool) -> None:
        super().__init__(channels_in, channels_out, 4, 2, 1)
        self.small = small

    def forward(self, x: Tensor) -> Tensor:
        if not self._by_patches(x):
            return super().forward(x)
        h, w = (side // 2 for side in x.shape[2:])
        patches = F.unfold(x, 4, padding=1, stride=2).transpose(1, 2).flatten(0, 1)
        return F.linear(patches, self.weight.flatten(1), self.bias).view(len(x), h, w, -1).permute(0, 3, 1, 2)

    def back(self, slope: Tensor) -> Tensor:
        """Give the gradient at the input for one at the output, (N, channels_out, H / 2, W / 2) -> as the input."""
        if not self._by_patches(slope):
            return F.conv_transpose2d(slope, self.weight, stride=2, padding=1)
        count, _, h, w = slope.shape
        patches = slope.permute(0, 2, 3, 1).flatten(0, 2) @ self.weight.flatten(1)
        return F.fold(patches.view(count, h * w, -1).transpose(1, 2), (2 * h, 2 * w), 4, padding=1, stride=2)

    def _by_patches(self, x: Tensor) -> bool:
        return self.small and x.device.type == "cpu"


class Critic(nn.Module):
    """Score images and guess their attributes (SCGAN paper, Table 2, D): a trunk without norms and two heads.

    (N, 3, size, size) -> score map (N, 1, 2, 2), unbounded, and attribute logits (N, n_c). The trunk halves until its
    map is 2 x 2. No norm anywhere: the gradient penalty is taken for each sample on its own.
    """

    def __init__(self, n_c: int, size: int, *, width: int = 64, leaky_slope: float = 0.2) -> None:
        super().__init__()
        layers = size.bit_length() - 2
        channels = [3, *(width * 2**i for i in range(layers))]
        self.trunk = nn.Sequential(
            *(
                nn.Sequential(Halving(a, b, small=size >> i <= SMALL_MAP), nn.LeakyReLU(leaky_slope))
                for i, (a, b) in enumerate(pairwise(channels))
            )
        )
        self.score = nn.Conv2d(channels[-1], 1, 3, padding=1, bias=False)
        # The kernel equals the remaining map: Table 2's K3 would give one logit for each of its four places.
        self.attributes = nn.Conv2d(channels[-1], n_c, 2, bias=False) if n_c else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.trunk(x)
        logits = h.new_zeros(len(h), 0) if self.attributes is None else self.attributes(h).flatten(1)
        return self.score(h), logits

    def slope(self, x: Tensor, reduction: Reduction = "sum") -> Tensor:
        """Give the gradient of each image's score map, summed or averaged, at x (N, 3, size, size): of the same shape.

        Written out: the trunk is convolutions and leaky ReLUs, so going back it is transposed convolutions, with the
        signs that went forward as fixed masks. What comes out is differentiable by the weights in one ordinary
        backward, and has the gradients that differentiating twice would give: almost everywhere the masks change with
        neither weights nor images.
        """
        rows: list[tuple[Halving, nn.LeakyReLU]] = [(row[0], row[1]) for row in self.trunk]  # type: ignore[index]
        masks: list[Tensor] = []
        with torch.no_grad():
            h = x
            for conv, activation in rows:
                h = activation(conv(h))
                masks.append(torch.full_like(h, activation.negative_slope).masked_fill_(h > 0, 1))
            score = self.score(h[:1])  # going back, it is the same for every image
        # Biases decide the masks alone. Their gradient is 0 and not None: Adam moves what has a gradient.
        idle = 0 * torch.stack([conv.bias.sum() for conv, _ in rows if conv.bias is not None]).sum()
        slope = torch.full_like(score, 1 if reduction == "sum" else 1 / score.numel()) + idle
        slope = F.conv_transpose2d(slope, self.score.weight, padding=1)
        for (conv, _), mask in zip(reversed(rows), reversed(masks), strict=True):
            slope = conv.back(slope * mask)
        return slope


class Residual(nn.Module):
    """Refine a map at its resolution, (N, channels, H, W) -> the same shape; nothing follows the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.main(x)
        return y


class Segmentor(nn.Module):
    """Name the region of every pixel (SCGAN paper, Table 2, S): (N, 3, H, W) -> logits (N, n_s, H, W)."""

    def __init__(self, n_s: int, *, width: int = 64, blocks: int = 4) -> None:
        super().__init__()
        w = width
        self.down = nn.Sequential(_segmentor_row(nn.Conv2d, 3, w), _segmentor_row(nn.Conv2d, w, 2 * w))
        self.blocks = nn.Sequential(*(Residual(2 * w) for _ in range(blocks)))
        up = nn.ConvTranspose2d
        self.up = nn.Sequential(_segmentor_row(up, 2 * w, w), _segmentor_row(up, w, w // 2))
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
        self.stem = nn.Sequential(nn.Conv2d(3, w, 7, padding=3, bias=False), *_norm_relu(w))
        self.down = nn.Sequential(_segmentor_row(nn.Conv2d, w, 2 * w), _segmentor_row(nn.Conv2d, 2 * w, 4 * w))
        self.blocks = nn.Sequential(*(Residual(4 * w) for _ in range(blocks)))
        up = nn.ConvTranspose2d
        self.up = nn.Sequential(_segmentor_row(up, 4 * w, 2 * w), _segmentor_row(up, 2 * w, w))
        self.out = nn.Conv2d(w, n_s, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.up(self.blocks(self.down(self.stem(x)))))
        return logits


def _planes(vector: Tensor, h: Tensor) -> Tensor:
    """Repeat (N, C) over the places of a map (N, _, H, W): (N, C, H, W)."""
    return vector[:, :, None, None].expand(-1, -1, *h.shape[2:])


def _encoder(n_s: int, w: int) -> nn.Sequential:
    return nn.Sequential(*(_encoder_row(a, b) for a, b in pairwise((n_s, w, 2 * w, 4 * w, 8 * w))))


def _encoder_row(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 4, 2, 1), *_norm_relu(channels_out))


def _segmentor_row(conv: type[nn.Conv2d] | type[nn.ConvTranspose2d], a: int, b: int) -> nn.Sequential:
    return nn.Sequential(conv(a, b, 4, 2, 1, bias=False), *_norm_relu(b))


def _norm_relu(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.InstanceNorm2d(channels, affine=True), nn.ReLU())


def _to_image(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 3, 3, padding=1), nn.Tanh())


def _xavier(module: nn.Module) -> None:
    """Xavier uniform for weights, PyTorch's own biases: the SCGAN release's choice for G (D and S keep defaults)."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
