"""What `maskkit doctor` looks for."""

import tomllib

from maskkit.doctor import PARTS, _package
from tests.conftest import ROOT


def test_every_package_of_an_extra_is_looked_for_under_its_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra in ("exchange", "fast", "ray", "augment", "video", "studio"):
        wanted = {line.split(">")[0] for line in extras[extra]}
        assert wanted <= {name for _, names, given, _ in PARTS if given == extra for name in names}


def test_a_missing_package_comes_with_the_way_to_get_it() -> None:
    finding = _package("no_such_thing", ("no-such-thing",), "exchange", "nothing")
    assert not finding.found and "pip install 'maskkit[exchange]'" in finding.detail
