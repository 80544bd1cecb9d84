"""What each system of an experiment may spend: time, images, or what its own paper gives it."""

import re
from dataclasses import dataclass
from typing import Literal

from gan.errors import InputError
from gan.settings.run_settings import RunSettings

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TIME = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
MOST = 10**12  # seconds or images
# Rates that fall would end nowhere in particular where an end in epochs is not known, so all are constant then.
CONSTANT_RATES = ("schedule.decay_epochs=0", "schedule.decay_every=0")


@dataclass(frozen=True)
class Budget:
    """So many seconds of training, so many real images, or (`paper`) the epochs of each system's own settings."""

    kind: Literal["time", "images", "paper"]
    amount: float = 0.0

    @property
    def seconds(self) -> float | None:
        """Of training for each system; None where time does not end it."""
        return self.amount if self.kind == "time" else None

    @property
    def overrides(self) -> tuple[str, ...]:
        """What it changes in a system's settings, as "section.key=value"."""
        return () if self.kind == "paper" else CONSTANT_RATES

    def steps(self, settings: RunSettings) -> int | None:
        """Give the steps after which the images are used, rounded up; None where images do not end it."""
        if self.kind != "images":
            return None
        return -(-int(self.amount) // settings.schedule.images_per_step)

    def to_text(self) -> str:
        """Say it in words, such as "12 min of training"."""
        if self.kind == "paper":
            return "the epochs of each paper"
        if self.kind == "images":
            return f"{int(self.amount):,} real images"
        for unit, word in (("d", "days"), ("h", "h"), ("m", "min")):
            if self.amount % _SECONDS[unit] == 0:
                return f"{self.amount // _SECONDS[unit]:.0f} {word} of training"
        return f"{self.amount:g} s of training"


def parse_budget(text: str) -> Budget:
    """Read "90s", "12m", "20h" or "2d", a whole number of images, or "paper". Raises InputError."""
    text = text.strip()
    if text == "paper":
        return Budget("paper")
    time = _TIME.fullmatch(text)
    kind: Literal["time", "images"] = "time" if time else "images"
    amount = float(time[1]) * _SECONDS[time[2]] if time else int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < amount <= MOST:
        raise InputError(
            f"the budget {text[:40]!r} is none; write a time such as 90s, 12m or 20h, a number of images such as "
            "100000, or paper"
        )
    return Budget(kind, amount)
