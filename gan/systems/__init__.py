"""The systems that can be trained, by name; a system's module is imported when it is first asked for.

To add one: a file beside this one with a subclass of `gan.systems.base.System`, its name below, and its presets in
gan/presets/NAME/ (docs/architecture.md).
"""

from importlib import import_module
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from gan.errors import SettingsError

if TYPE_CHECKING:
    from gan.computing.compute import Compute
    from gan.data.description import DataDescription
    from gan.settings.run_settings import RunSettings
    from gan.systems.base import System

# By name: the module in this folder and the class in it.
SYSTEMS: dict[str, tuple[str, str]] = {
    "scgan": ("scgan", "SCGAN"),
    "wgan-gp": ("acwgan", "WGAN"),
    "acwgan": ("acwgan", "ACWGAN"),
    "pix2pix": ("pix2pix", "Pix2Pix"),
    "cyclegan": ("cyclegan", "CycleGAN"),
    "spade": ("spade", "SPADE"),
}


def system_class(name: str) -> "type[System]":
    """Give the class of a system. Raises SettingsError for a name that is none."""
    if name not in SYSTEMS:
        raise SettingsError(f"there is no system {name!r}; there are {', '.join(SYSTEMS)}")
    module, attribute = SYSTEMS[name]
    found: type[System] = getattr(import_module(f"gan.systems.{module}"), attribute)
    return found


def build_system(settings: "RunSettings", data: "DataDescription", compute: "Compute") -> "System":
    """Make the untrained system that the settings name."""
    return system_class(settings.system)(settings, data, compute)


def preset_folder(system: str) -> Traversable:
    """Give the folder of a system's presets, a TOML file each."""
    return files("gan").joinpath("presets", system)


def preset_names(system: str) -> tuple[str, ...]:
    """Give the names of a system's presets, `paper` first."""
    files_there = (entry.name for entry in preset_folder(system).iterdir())
    names = [name.removesuffix(".toml") for name in files_there if name.endswith(".toml")]
    return tuple(sorted(names, key=lambda name: (name != "paper", name)))
