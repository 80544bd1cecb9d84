"""What the documents say must be there: links, and commands with their options. test_followed.py runs them."""

import re
import shlex
from pathlib import Path

import click
import pytest
import torch

import gan
import maskkit
from cli import gan_command, maskkit_command
from gan.data.description import DataDescription
from gan.systems import SYSTEMS, system_class
from tests.conftest import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "fixtures").glob("*.md")])
GROUPS: dict[str, click.Group] = {"maskkit": maskkit_command.group, "gan": gan_command.group}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), f"{document.name} names {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_exist_with_their_options(document: Path) -> None:
    for line in re.findall(r"^    ((?:maskkit|gan) .+)$", document.read_text(), re.MULTILINE):
        program, *arguments = shlex.split(re.sub(r" +# .*", "", line))
        command: click.Command = GROUPS[program]
        while isinstance(command, click.Group):
            command = command.commands[arguments.pop(0)]
        known = {name for parameter in command.params for name in parameter.opts}
        used = {argument for argument in arguments if argument.startswith("-")}
        assert used <= known, f"{document.name}: {line}"


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
