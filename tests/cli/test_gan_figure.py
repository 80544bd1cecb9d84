"""The commands `gan figure NAME` as a user meets them."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import maskkit
from cli.gan.figures import figure
from cli.gan_command import group
from tests.drawn import face_points


@pytest.mark.parametrize("name", sorted(figure.commands))
def test_help_has_an_example_that_names_real_options(name: str) -> None:
    text = CliRunner().invoke(group, ["figure", name, "--help"]).output
    example = re.search(rf"Example: (gan figure {name} .*?)\n\n", text, re.DOTALL)
    assert example
    for option in re.findall(r"--[a-z-]+", example[1]):
        assert option in text.replace(example[1], "")


def test_every_figure_is_written_and_told_as_json(small_run: Path, tmp_path: Path) -> None:
    maskkit.write_points(tmp_path / "a.pts", face_points(100, 0.0))
    maskkit.write_points(tmp_path / "b.pts", face_points(100, 0.1))
    ends = ("--from", tmp_path / "a.pts", "--to", tmp_path / "b.pts")
    calls = {
        "panels": [small_run, "--rows", 2, "--z-per", "column"],
        "smile": [small_run, *ends, "--attributes", "Male,Young", "--attributes", "", "--columns", 3],
        "turn": [small_run, *ends, "--path", "spherical", "--seed-to", 4, "--scale", 2],
        "compare": [small_run, small_run, "--name", "one", "--name", "two", "--columns", 2],
        "losses": [small_run, "--name", "joint"],
    }
    assert set(calls) == set(figure.commands)
    for name, arguments in calls.items():
        out = tmp_path / f"{name}.png"
        call = ["figure", name, *map(str, arguments), "-o", str(out), "--json"]
        result = CliRunner().invoke(group, call, catch_exceptions=False)
        told = json.loads(result.stdout)
        assert (result.exit_code, told["output"]) == (0, str(out)) and out.exists()
        if name == "losses":
            assert set(told["shares"]["joint"]) == {"loss_d", "loss_g", "loss_s"}
    assert CliRunner().invoke(group, ["figure", "losses", "-o", "x.png"]).exit_code == 2
