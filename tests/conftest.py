"""What many tests share: the project's own photos, drawn data sets, and the larger data that some machines have."""

from pathlib import Path

import pytest

from tests.drawn import write_drawn_shards

ROOT = Path(__file__).parent.parent
REAL_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def celeba_fixture() -> Path:
    """The miniature data set in CelebA's layout."""
    return ROOT / "fixtures" / "celeba"


@pytest.fixture(scope="session")
def faces_fixture() -> Path:
    """The folder of free photos."""
    return ROOT / "fixtures" / "faces"


@pytest.fixture(scope="session")
def drawn_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of drawn faces, 64 x 64, with the splits train (40 rows) and val (8). Not to be written to."""
    return write_drawn_shards(tmp_path_factory.mktemp("drawn") / "shards", {"train": 40, "val": 8})


@pytest.fixture(scope="session")
def real_data() -> Path:
    """A folder of real photos that may not be redistributed; tests that need it are skipped where it is not."""
    if not REAL_DATA.is_dir():
        pytest.skip(
            f"needs the folder {REAL_DATA.relative_to(ROOT.parent)} beside the project, which cannot be shipped"
        )
    return REAL_DATA
