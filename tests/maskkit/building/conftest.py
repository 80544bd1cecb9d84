"""The small builds that several tests look at or begin with."""

import shutil
from pathlib import Path

import pytest

import maskkit
from tests.maskkit.building.small_builds import OPTIONS


@pytest.fixture(scope="package")
def built(celeba_fixture: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture's shards, made in this process."""
    out = tmp_path_factory.mktemp("built") / "shards"
    maskkit.build_celeba(celeba_fixture, out, OPTIONS)
    return out


@pytest.fixture
def root(celeba_fixture: Path, tmp_path: Path) -> Path:
    """A copy of the first 12 photos that may be damaged, with tables of its own."""
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{number:06d}.jpg" for number in range(1, 13)]
    for name in names:
        shutil.copy(celeba_fixture / "img_align_celeba" / name, folder / "img_align_celeba")
    rows = (celeba_fixture / "list_attr_celeba.txt").read_text().splitlines()
    (folder / "list_attr_celeba.txt").write_text("\n".join(["12", *rows[1:14]]) + "\n")
    return folder
