"""`gan compare` as a user meets it."""

import json
import re
from pathlib import Path

from click.testing import CliRunner

from cli.gan_command import group
from tests.cli.conftest import Command


def test_one_table_in_several_forms(command: Command, small_run: Path, drawn_shards: Path, tmp_path: Path) -> None:
    forms = [tmp_path / "new" / f"table{suffix}" for suffix in (".html", ".txt", ".json", ".tex")]
    outputs = [word for form in forms for word in ("-o", form)]
    call = ("compare", small_run, small_run, drawn_shards, "--name", "one", "--name", "two", "--judge-steps", 1,
            "--only", "consistency", "--count", 4, "--device", "cpu")  # fmt: skip
    status, said = command("gan", *call, *outputs)
    assert status == 0 and "one: training the independent segmentor" in said and re.search(r"two +SCGAN +40 +0 ", said)
    assert all(form.stat().st_size for form in forms)
    assert {path.suffix for path in (tmp_path / "new" / "judges").iterdir()} == {".safetensors"}
    before = {form: form.read_bytes() for form in forms}
    status, said = command("gan", *call, *outputs)
    assert status == 1 and "table.html exists" in said
    status, said = command("gan", *call, *outputs, "--overwrite", "--json")
    assert status == 0 and {form: form.read_bytes() for form in forms} == before
    assert json.loads(said.splitlines()[0]) == json.loads(forms[2].read_text())


def test_names_that_no_table_can_have(command: Command, small_run: Path, drawn_shards: Path, tmp_path: Path) -> None:
    for outputs, said in (
        ([tmp_path / "table"], "table: a comparison is written as .txt, .json, .tex or .html; give a name that ends"),
        ([tmp_path / "a.txt", tmp_path / "new" / ".." / "a.txt"], "is named twice"),
        ([small_run / "checkpoints" / "a.txt"], "checkpoints belongs to the run"),
    ):
        status, told = command("gan", "compare", small_run, drawn_shards, *[w for o in outputs for w in ("-o", o)])
        assert status == 1 and said in told
    assert command("gan", "compare", small_run, drawn_shards)[0] == 2
    assert not list(tmp_path.iterdir())


def test_help_has_an_example_that_names_real_options() -> None:
    text = CliRunner().invoke(group, ["compare", "--help"]).output
    example = re.search(r"Example: (gan compare .*?)\n\n", text, re.DOTALL)
    assert example and "by default the folder judges beside" in " ".join(text.split())
    for option in re.findall(r" --?[a-z-]+", example[1]):
        assert option in text.replace(example[1], "")
