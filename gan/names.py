"""Names to choose from, apart from what they name: the command shows them without torch or pydantic."""

from typing import Literal, get_args

SystemName = Literal["scgan"]
SYSTEM_NAMES: tuple[SystemName, ...] = get_args(SystemName)
PRESETS = ("paper", "release", "tiny")
