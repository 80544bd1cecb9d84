"""What can be told before the first step about how a run will end: too slow, too short, on too few photos."""

import torch
from torch import nn

from gan.settings.run_settings import RunSettings

FEW_PHOTOS = 1000
FEW_IMAGES = 20_000  # real ones used: of SCGAN's runs none had shown faces with fewer
MANY_PARAMETERS = 20_000_000  # those of tiny presets have at most 7 million, those of papers at least 28


def count_parameters(network: nn.Module) -> int:
    """Count what a network learns; not what norms gather."""
    return sum(parameter.numel() for parameter in network.parameters())


def doubts(
    settings: RunSettings, photos: int, last: int, ends_itself: bool, parameters: int, device: torch.device
) -> list[str]:
    """Give a sentence for everything that speaks against a run up to step `last` from its first.

    `ends_itself` where the schedule says that it ends there, and not who started it. `parameters` are those of all
    networks.
    """
    schedule, said = settings.schedule, []
    if device.type == "cpu" and parameters > MANY_PARAMETERS:
        said.append(
            f"{parameters / 1e6:.0f} million parameters learn on the processor, where a step may take a minute: they "
            "want a GPU. The preset tiny learns on a processor in minutes; --dry-run tells the time that this takes"
        )
    if photos < FEW_PHOTOS:
        said.append(
            f"{photos} train photos are few: the critic comes to know them by heart, and what is generated stays rough "
            f"and resembles them; take {FEW_PHOTOS:,} or more"
        )
    images = last * schedule.images_per_step
    if ends_itself and images < FEW_IMAGES:
        way_out = "--steps" if not schedule.decay_epochs else "schedule.epochs"
        said.append(
            f"after {schedule.epochs} epochs of {photos} photos, {last} steps, {images:,} images are used, and the "
            f"first faces are to be expected after some {FEW_IMAGES:,}; give {way_out} a larger value"
        )
    return said
