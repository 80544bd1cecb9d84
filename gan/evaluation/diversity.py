"""How much images differ from each other: mean pairwise MS-SSIM."""

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from gan.data.rows import Batch
from gan.evaluation.material import Material, generate
from gan.evaluation.report import Report

ROWS, LATENTS = 64, 4
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, finest first (Wang et al. 2003)


def scale_weights(size: int) -> tuple[float, ...]:
    """Give the weights of the scales that fit: 5 from 128 pixels on, 4 at 64, 3 at 32; they add up to 1.

    The window of 11 pixels (sigma 1.5) needs a coarsest scale of at least 8.
    """
    fitting = WEIGHTS[: min(len(WEIGHTS), size.bit_length() - 3)]
    return tuple(weight / sum(fitting) for weight in fitting)


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Compare images in [-1, 1] pair by pair: (N, 3, H, W) twice -> (N,), 1 where they are the same."""
    size = a.shape[-1]
    # torchmetrics takes its Gaussian window from sigma alone and checks sizes against `kernel_size`.
    return multiscale_structural_similarity_index_measure(
        a, b, kernel_size=7 if size < 160 else 11, data_range=2.0, betas=scale_weights(size), reduction="none"
    )


def report_diversity(material: Material, report: Report, on_step: Callable[[int, int], None]) -> None:
    """Add the similarity of images that differ in z alone, and of different rows' images, generated and real."""
    count, generator = min(ROWS, len(material)), material.generator
    rows = torch.arange(count) * len(material) // count
    recipe = f"mean MS-SSIM ({len(scale_weights(material.x_fake.shape[-1]))} scales) of images"
    recipes = {
        "rows_generated": (_across(material.x_fake[rows]), f"{recipe} generated for different rows"),
        "rows_real": (_across(material.real.x[rows]), f"{recipe} of different rows, real ones"),
    }
    if "z" in generator.takes:
        z = generator.draw_z(count * LATENTS, material.other_seed).view(LATENTS, count, -1)
        real = Batch(*(tensor[rows] for tensor in material.real))
        images = torch.stack([generate(generator, real, one) for one in z])
        by_z = [(images[i], images[j]) for i, j in combinations(range(LATENTS), 2)]
        recipes = {"z": (by_z, f"{recipe} of one row and another z"), **recipes}
    else:
        report.leave_out("diversity/ms_ssim_z", "the generator takes no latents")
    for done, (name, (pairs, recipe)) in enumerate(recipes.items()):
        similarity = torch.cat([ms_ssim(a, b) for a, b in pairs])
        report.add(f"diversity/ms_ssim_{name}", float(similarity.double().mean()), len(similarity), recipe)
        on_step(done + 1, len(recipes))


def _across(images: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Pair each image with the next ones in turn, as many pairs as there are of latents."""
    ways = LATENTS * (LATENTS - 1) // 2
    return [(images, images.roll(-shift, 0)) for shift in range(1, min(ways + 1, len(images)))]
