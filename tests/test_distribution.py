"""What is handed out: an installation that works wherever one stands, and a source distribution that can be tested."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hatchling import build

from tests.conftest import ROOT

PACKAGES = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Build a wheel, an editable one or the source distribution of this very tree, and unpack it."""
    folder = tmp_path_factory.mktemp("made")

    def make(kind: str) -> Path:
        target = folder / kind
        if not target.exists():
            stands = Path.cwd()
            os.chdir(ROOT)  # as a build backend is called
            try:
                name = getattr(build, f"build_{kind}")(str(folder))
            finally:
                os.chdir(stands)
            if kind == "sdist":
                with tarfile.open(folder / name) as packed:
                    packed.extractall(target, filter="data")
            else:
                with zipfile.ZipFile(folder / name) as packed:
                    packed.extractall(target)
        return target

    return make


def python(code: str, stands: Path, *, path: list[Path] = []) -> str:  # noqa: B006
    """What code prints where nothing is installed but the libraries."""
    libraries = f"import site, sys\nsys.path += {PACKAGES}\n"
    result = subprocess.run(
        [sys.executable, "-S", "-c", libraries + code], cwd=stands, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_an_editable_install_is_found_beside_folders_of_its_names(made: Callable[[str], Path], tmp_path: Path) -> None:
    # From a clone's parent, the clone itself is a folder `maskkit` without code in it.
    for name in ("maskkit", "gan", "cli"):
        (tmp_path / name).mkdir()
    code = f"site.addsitedir({str(made('editable'))!r})\nimport maskkit, gan\nprint(maskkit.__file__, gan.__file__)"
    assert python(code, tmp_path) == f"{ROOT / 'maskkit/__init__.py'} {ROOT / 'gan/__init__.py'}"


@pytest.mark.parametrize("kind", ["editable", "wheel"])
@pytest.mark.parametrize("command", ["maskkit", "gan"])
def test_a_command_is_not_led_astray_by_packages_of_its_names(
    made: Callable[[str], Path], tmp_path: Path, kind: str, command: str
) -> None:
    for name in ("gan", "cli"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('a stranger')")
    code = (
        f"site.addsitedir({str(made(kind))!r})\nsys.argv = [{command!r}, '--version']\n"
        f"from maskkit_entry import {command}\n{command}()"
    )
    assert python(code, tmp_path, path=[tmp_path]) == f"{command}, version 0.1.0"


def test_a_wheel_puts_nothing_beside_others_but_its_own_names(made: Callable[[str], Path]) -> None:
    names = {path.name for path in made("wheel").iterdir() if path.suffix != ".dist-info"}
    assert names == {"maskkit", "gan", "maskkit_commands", "maskkit_entry.py"}


def test_the_source_distribution_holds_what_git_holds(made: Callable[[str], Path]) -> None:
    (folder,) = made("sdist").iterdir()
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("needs the repository")
    missing = [name for name in listed.stdout.splitlines() if not (folder / name).exists()]
    assert [name for name in missing if not name.startswith(".ci/")] == []


def test_a_package_index_shows_no_link_that_leads_nowhere(made: Callable[[str], Path]) -> None:
    (folder,) = made("sdist").iterdir()
    about = (folder / "PKG-INFO").read_text()
    assert "](" not in about.replace("](http", "") and "More, in the source distribution" in about
    assert "*What `make demo` ends with" in (ROOT / "README.md").read_text()
    assert "*What `make demo` ends with" not in about  # the picture's caption
