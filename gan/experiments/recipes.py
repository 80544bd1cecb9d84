"""What an experiment is made of: its systems, each with settings, and what its paper has printed of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gan.errors import InputError, SettingsError
from gan.experiments.budget import Budget
from gan.experiments.printed import SCGAN_PRINTED, Printed
from gan.names import Scale
from gan.runs.presets import load_preset
from gan.settings.run_settings import RunSettings

# No figure measured on the way chooses a system's best step, for not every system has a segmentor to measure with.
FOR_ALL = ("log.evaluate_every=0",)
# `best` at the size and width of the `tiny` presets, as docs/training.md measures it.
CUT_DOWN = (
    "data.size=64", "generator.width=16", "generator.n_z=128", "critic.width=16", "segmentor.width=16",
    "log.checkpoint_every=200", "log.sample_every=200",
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """A preset of a system and changes to it, as "section.key=value"."""

    preset: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """A paper's comparison: a recipe for each system and scale, in the order of the table, and the printed figures."""

    name: str
    paper: str
    recipes: Mapping[str, Mapping[Scale, Recipe]]
    printed: Mapping[str, Printed]

    def settings(
        self, system: str, scale: Scale, budget: Budget, overrides: Iterable[str] = (), seed: int = 0
    ) -> RunSettings:
        """Give the settings of a system; `overrides` hold for every system. Raises SettingsError that names it."""
        recipe = self.recipes[system][scale]
        changes = [*recipe.overrides, *FOR_ALL, *budget.overrides, *overrides, f"seed={seed}"]
        try:
            return load_preset(recipe.preset, changes, system=system)
        except SettingsError as error:
            raise SettingsError(f"{system}: {error}") from error

    def chosen(self, systems: Iterable[str] | None) -> tuple[str, ...]:
        """Give the systems asked for, all by default, in the order of the table. Raises InputError."""
        asked = tuple(self.recipes) if systems is None else tuple(systems)
        if unknown := [name for name in asked if name not in self.recipes]:
            raise InputError(f"{unknown[0]!r} is no system of this experiment; there are {', '.join(self.recipes)}")
        if not asked:
            raise InputError(f"name at least one system; there are {', '.join(self.recipes)}")
        return tuple(name for name in self.recipes if name in asked)


OF_PRESETS: Mapping[Scale, Recipe] = {"paper": Recipe("paper"), "tiny": Recipe("tiny")}


EXPERIMENTS = {
    "scgan": Experiment(
        "scgan",
        "Jiang, Liu, Wu, Fu: Spatially Constrained GAN for Face and Fashion Synthesis, arXiv 1905.02320, Table 1",
        {
            "wgan-gp": OF_PRESETS,
            "acwgan": OF_PRESETS,
            "cyclegan": OF_PRESETS,
            "pix2pix": OF_PRESETS,
            "spade": OF_PRESETS,
            "scgan": {**OF_PRESETS, "tiny": Recipe("best", CUT_DOWN)},
        },
        SCGAN_PRINTED,
    ),
}


def experiment(name: str) -> Experiment:
    """Give an experiment by its name. Raises InputError."""
    if name not in EXPERIMENTS:
        raise InputError(f"there is no experiment {name!r}; there are {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]
