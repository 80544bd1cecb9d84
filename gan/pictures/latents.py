"""Ways from one latent vector to another."""

from typing import Literal

import torch
from torch import Tensor

from gan.errors import InputError

LatentPath = Literal["linear", "spherical"]
PARALLEL = 1e-6  # radians; below it an arc and a straight line are the same to rounding


def interpolate(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """Go straight from `a` to `b`, both (n,): float32 (steps, n), both ends included exactly; one step is `a`."""
    t = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]
    return ((1 - t) * a.double() + t * b.double()).float()


def interpolate_latents(z_a: Tensor, z_b: Tensor, steps: int, path: LatentPath = "linear") -> Tensor:
    """Go from `z_a` to `z_b`, both (n_z,): float32 (steps, n_z), both ends included; one step is `z_a`.

    "linear" is the SCGAN release's way. "spherical" turns the direction at constant speed along the great circle
    (Shoemake 1985) while the norm goes linearly from one to the other, so that the norms on the way are as usual as
    those of the ends; in many dimensions a straight line passes through norms that no normal draw has. Raises
    InputError for vectors in opposite directions, between which there is no one arc.
    """
    if path == "linear":
        return interpolate(z_a, z_b, steps)
    a, b = z_a.double(), z_b.double()
    norm_a, norm_b = a.norm(), b.norm()
    if not norm_a or not norm_b:
        return interpolate(z_a, z_b, steps)  # zero has every direction, so also the other's
    unit_a, unit_b = a / norm_a, b / norm_b
    # Exact for small and large angles, where the cosine is flat.
    angle = 2 * torch.atan2((unit_a - unit_b).norm(), (unit_a + unit_b).norm())
    if angle < PARALLEL:
        return interpolate(z_a, z_b, steps)
    if torch.pi - angle < PARALLEL:
        raise InputError("the two latents point in opposite directions, with no one arc between; take the path linear")
    t = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]
    direction = (torch.sin((1 - t) * angle) * unit_a + torch.sin(t * angle) * unit_b) / torch.sin(angle)
    latents: Tensor = ((1 - t) * norm_a + t * norm_b) * direction
    return latents.float()
