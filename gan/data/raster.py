"""Points to layouts on the device that trains: the pixels of `maskkit.rasterize`, in torch.

The same integer arithmetic as in `maskkit.raster`, which says what it is about; here for all polygons at once, in
shapes that do not depend on the points, so that nothing waits for the device.
"""

import torch
from torch import Tensor

import maskkit
from maskkit.masks.raster import SUBPIXELS


class Rasterizer:
    """Draws layouts of a scheme with polygons at one size on one device: points (N, 68, 2) -> uint8 (N, H, W).

    Points must be as `check_points` gives them; that is not looked at again, for it would have to
    be waited for. They may lie outside of the picture, cross, run backwards or enclose nothing.
    """

    def __init__(self, scheme: maskkit.RegionScheme, size: int, device: torch.device) -> None:
        painted = [(label, region.polygon) for label, region in enumerate(scheme.regions) if region.polygon]
        edges = [
            (number, start, end)
            for number, (_, polygon) in enumerate(painted)
            for start, end in zip(polygon, (*polygon[1:], polygon[0]), strict=True)
        ]
        self.size = size
        self.polygon, self.start, self.end = torch.tensor(edges, device=device).unbind(1)
        self.labels = torch.tensor([label for label, _ in painted], dtype=torch.uint8, device=device)

    def __call__(self, points: Tensor) -> Tensor:
        """Draw points float32 (N, 68, 2) of the rasterizer's device."""
        count, size, polygons = len(points), self.size, len(self.labels)
        snapped = torch.round(points.double() * SUBPIXELS).long()  # halves to even
        start, end = snapped[:, self.start], snapped[:, self.end]  # (N, E, 2)
        downward = (start[..., 1] <= end[..., 1])[..., None]
        x0, y0 = torch.where(downward, start, end)[..., None].unbind(2)  # (N, E, 1)
        x1, y1 = torch.where(downward, end, start)[..., None].unbind(2)
        row = torch.arange(size, device=points.device)
        y = row * SUBPIXELS
        crossed = (y0 <= y) & (y < y1)  # (N, E, H): the top rule
        dx, dy = x1 - x0, (y1 - y0).clamp(min=1)  # a level edge is crossed by no row
        # The first centre not left of the crossing, by exact ceiling division: the left rule.
        first = -torch.div(-(x0 * dy + (y - y0) * dx), SUBPIXELS * dy, rounding_mode="floor")
        first = first.clamp(0, size)

        picture = torch.arange(count, device=points.device)[:, None, None] * polygons + self.polygon[:, None]
        cell = (picture * size + row) * (size + 1) + first
        # uint8 counts that wrap round keep what is asked of them: whether they are odd.
        crossings = crossed.new_zeros(count * polygons * size * (size + 1), dtype=torch.uint8)
        crossings.scatter_add_(0, cell.flatten(), crossed.to(torch.uint8).flatten())
        crossings = crossings.view(count, polygons, size, size + 1)[..., :-1]
        inside = crossings.cumsum(3, dtype=torch.uint8) & 1
        return (inside * self.labels[:, None, None]).amax(1)  # later polygons are painted over earlier ones
