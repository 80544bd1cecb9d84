"""What the documents say must be there: links, and commands with their options. test_followed.py runs them."""

import re
import shlex
from pathlib import Path

import click
import pytest

from cli import gan_command, maskkit_command
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
