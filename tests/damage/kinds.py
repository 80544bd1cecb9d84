"""What is damaged: each kind of file that is read, whole, in a folder of its own."""

from pathlib import Path

from tests.damage.kind import Kind
from tests.damage.own_kinds import own_kinds
from tests.damage.user_kinds import user_kinds
from tests.damage.weight_kinds import weight_kinds


def make(folder: Path, *, large: bool) -> list[Kind]:
    """Write one file of each kind below `folder`, and give the kinds; without `large`, those below 10 MB."""
    return [*own_kinds(folder), *user_kinds(folder), *weight_kinds(folder, large)]
