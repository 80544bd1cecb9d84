"""What the documents say must be there: links, commands with their options, and code that runs."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import click
import pytest
import torch

import gan
import maskkit
from cli import gan_command, maskkit_command
from gan.data.description import DataDescription
from gan.systems import SYSTEMS, system_class
from tests.conftest import ROOT
from tests.gan.conftest import SMALL

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "fixtures").glob("*.md")])
GROUPS: dict[str, click.Group] = {"maskkit": maskkit_command.group, "gan": gan_command.group}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), f"{document.name} names {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_exist_with_their_options(document: Path) -> None:
    for line in re.findall(r"^    ((?:maskkit|gan) .+)$", document.read_text(), re.MULTILINE):
        program, *arguments = shlex.split(line, comments=True)
        command: click.Command = GROUPS[program]
        while isinstance(command, click.Group):
            command = command.commands[arguments.pop(0)]
        known = {name for parameter in command.params for name in parameter.opts}
        used = {argument for argument in arguments if argument.startswith("-")}
        assert used <= known, f"{document.name}: {line}"


def test_the_readmes_python_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, drawn_shards: Path) -> None:
    code = "".join(re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL))
    shutil.copy(ROOT / "fixtures" / "faces" / "collins.jpg", tmp_path / "portrait.jpg")
    (tmp_path / "shards").symlink_to(drawn_shards)
    gan.fit(drawn_shards, tmp_path / "run", gan.load_preset("tiny", SMALL), steps=1, device="cpu")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["channels"].shape == (7, *names["photo"].shape[:2])
    assert len(names["reader"]) == 40
    assert names["image"].shape == (1, 3, 32, 32) and names["image"].abs().max() <= 1


def sections() -> dict[str, str]:
    """The sections of docs/systems.md by their systems."""
    parts = re.split(r"^## (.+)$", (ROOT / "docs" / "systems.md").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def plainly(value: object) -> str:
    """A setting as the page writes it."""
    return "empty" if value == "" else str(value)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_page_of_each_system_says_what_its_presets_and_networks_are(system: str) -> None:
    """Every setting of its own, and every network's parameters; its sketch and its command."""
    section = sections()[system]
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in section.splitlines()]
    presets = [gan.load_preset(name, system=system) for name in ("paper", "tiny")]
    expected: dict[str, list[str]] = {}
    for settings in presets:
        for part, values in settings.model_dump().items():
            if part in ("generator", "critic", "segmentor", "loss", "optimiser", "averaging"):
                for name, value in values.items():
                    expected.setdefault(f"{part}.{name}", []).append(plainly(value))
        for key in ("data.size", "schedule.batch", "schedule.n_repeat", "schedule.epochs", "schedule.decay_epochs"):
            part, name = key.split(".")
            expected.setdefault(key, []).append(plainly(getattr(getattr(settings, part), name)))
    assert {row[0]: row[2:] for row in cells if len(row) == 4 and "." in row[0]} == expected
    for settings, column in zip(presets, (1, 2), strict=True):
        data = DataDescription(settings.data.size, maskkit.load_scheme("scgan"), tuple("abcde"), 10)
        with torch.device("meta"):
            networks = {name: build() for name, build in system_class(system).build(settings, data).items()}
        counted = {name: f"{sum(p.numel() for p in network.parameters()):,}" for name, network in networks.items()}
        assert {row[0]: row[column] for row in cells if len(row) == 3 and row[0] in networks} == counted
    assert f"](images/systems/{system}.svg)" in section and "gan fit SHARDS" in section
