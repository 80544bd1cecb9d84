"""Names to choose from, apart from what they name: the command shows them without torch or pydantic."""

from typing import Literal, get_args

Precision = Literal["auto", "32", "tf32", "bf16", "64"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
Switch = Literal["auto", "on", "off"]
Measure = Literal["consistency", "landmarks", "attributes", "features", "diversity", "decoupling"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
Scale = Literal["paper", "tiny"]
SCALES: tuple[Scale, ...] = get_args(Scale)
EXPERIMENTS = ("scgan",)  # those of gan.experiments.recipes
