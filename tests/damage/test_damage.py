"""A few damages of each kind of file; `python -m tests.damage` tries hundreds."""

from pathlib import Path
from random import Random

import pytest

from tests.damage.kind import Kind
from tests.damage.kinds import make
from tests.damage.trial import DAMAGES, try_damage

PLACES = 1


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Kind]]:
    """A file of each kind, and where they are."""
    folder = tmp_path_factory.mktemp("damage")
    return folder, make(folder, large=False)


def test_damage_is_refused_mended_or_of_no_effect(kinds: tuple[Path, list[Kind]]) -> None:
    folder, found = kinds
    outcomes = {
        (kind.name, damage): try_damage(kind, folder, damage, Random(f"{kind.name} {damage}"), PLACES)
        for kind in found
        for damage in DAMAGES
    }
    assert [case for case, seen in outcomes.items() if "SILENT" in seen] == []
    for damage in DAMAGES:  # by the checkpoint before it, and a warning that names the damaged one
        assert set(outcomes[found[0].name, damage]) == {"mended"}
