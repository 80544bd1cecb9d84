"""Validation in training: a run's own segmentor on its generator, on the same rows every time."""

import math

from torch import Tensor, nn

import maskkit
from gan.computing.compute import Compute
from gan.data.rows import RowsAtSize
from gan.errors import DataError
from gan.evaluation import evaluate, mean_iou
from gan.settings.run_settings import RunSettings
from gan.systems.base import System
from gan.systems.given import Given, draw_latents
from gan.training.previews import rows_to_look_at


class Validation:
    """Scores the generator by the run's own segmentor on the first rows of `val`, or of `train` where it is empty.

    Raises DataError where there are too few rows.
    """

    def __init__(self, train: RowsAtSize, settings: RunSettings, compute: Compute) -> None:
        self.rows = rows_to_look_at(train)
        if len(self.rows) < 2:
            raise DataError(
                f"{self.rows.reader.folder}: evaluating needs at least 2 rows in {self.rows.reader.split}, and there "
                f"is {len(self.rows)}; set log.evaluate_every=0"
            )
        self.settings, self.compute = settings, compute

    def figures(self, system: System) -> dict[str, float | None]:
        """Give spatial consistency (value, floor, ceiling, share of the way) and mean IoU, real and generated, by name.

        None where a figure has no meaning, such as a share of no way.
        """
        generator = _InTraining(system, self.rows.reader.scheme, self.compute)
        segmentor = _Segmentor(system.networks[str(self.settings.segmentor_name)], self.compute)
        result = evaluate(generator, segmentor, [self.rows], self.settings.seed, self.settings.log.evaluate_rows)
        seen = result.consistency
        figures = {"value": seen.value, "floor": seen.floor, "ceiling": seen.ceiling, "share": seen.share}
        figures |= {"mean_iou_real": mean_iou(result.confusion), "mean_iou_generated": mean_iou(result.generated)}
        return {f"eval/{name}": value if math.isfinite(value) else None for name, value in figures.items()}


class _InTraining:
    """What `evaluate` asks of a generator, by a system that still learns."""

    def __init__(self, system: System, scheme: maskkit.RegionScheme, compute: Compute) -> None:
        self.system, self.scheme, self.takes = system, scheme, system.settings.takes
        self.device = compute.device

    def make(self, given: Given) -> Tensor:
        return self.system.generate(Given(*(None if one is None else one.to(self.device) for one in given)))

    def draw_z(self, count: int, seed: int) -> Tensor:
        return draw_latents(count, self.system.settings.n_z, seed)


class _Segmentor(nn.Module):
    """A segmentor at the precision that it learns in."""

    def __init__(self, network: nn.Module, compute: Compute) -> None:
        super().__init__()
        self.network, self.compute = network, compute

    def forward(self, x: Tensor) -> Tensor:
        with self.compute.arithmetic(), self.compute.autocast():
            logits: Tensor = self.network(x.to(self.compute.dtype))
        return logits
