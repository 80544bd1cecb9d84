"""What systems there are: what each takes, and its presets."""

from dataclasses import asdict, dataclass
from typing import Any

from gan.runs.presets import load_preset
from gan.systems import SYSTEMS, preset_names, system_class


@dataclass(frozen=True)
class SystemDescription:
    """A system as one chooses it: `takes` is what its generator is fed with preset `paper`, by z, c, s, x."""

    name: str
    title: str
    paper: str
    takes: tuple[str, ...]
    pairing: str
    presets: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give plain types."""
        return asdict(self)


def list_systems() -> list[SystemDescription]:
    """Describe every system that can be trained."""
    found = []
    for name in SYSTEMS:
        system, presets = system_class(name), preset_names(name)
        takes = load_preset(presets[0], system=name).takes
        found.append(SystemDescription(name, system.title, system.paper, takes, system.pairing, presets))
    return found
