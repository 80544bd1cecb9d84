"""A few damages of each kind of file; `python -m tests.damage` tries hundreds."""

from pathlib import Path
from random import Random

import pytest

from tests.damage.kinds import Kind, make
from tests.damage.trial import DAMAGES, try_damage

PLACES = 3


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Kind]]:
    """A file of each kind, and where they are."""
    folder = tmp_path_factory.mktemp("damage")
    return folder, make(folder)


def test_damage_is_refused_mended_or_of_no_effect(kinds: tuple[Path, list[Kind]]) -> None:
    folder, found = kinds
    outcomes = {
        (kind.name, damage, number): try_damage(kind, folder, damage, Random(f"{kind.name} {damage} {number}"))
        for kind in found
        for damage in DAMAGES
        for number in range(PLACES)
    }
    assert [case for case, outcome in outcomes.items() if outcome == "SILENT"] == []
    newest = [outcome for (name, _, _), outcome in outcomes.items() if name == found[0].name]
    assert set(newest) == {"mended"}  # by the checkpoint before it, and a warning that names the damaged one
