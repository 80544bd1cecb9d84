"""What the documents say must be there: links, commands with their options, and code that runs."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import click
import pytest

import gan
from cli import gan_command, maskkit_command
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
