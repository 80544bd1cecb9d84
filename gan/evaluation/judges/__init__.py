"""Judges: networks that have never met a generator, what they are taught with, and where they are kept."""

from gan.evaluation.judges.kept import Judge, JudgeRecipe, network_sha256
from gan.evaluation.judges.teaching import Judges

__all__ = ["Judge", "JudgeRecipe", "Judges", "network_sha256"]
