"""A system written as docs/architecture.md says, and nothing else, goes the whole way."""

import json
import re
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest
import tomli_w
import torch

import gan
from gan import figures, systems
from gan.errors import InputError
from gan.runs import presets
from tests.conftest import ROOT
from tests.gan.resuming import difference

PAGE = ROOT / "docs" / "architecture.md"
COMMON = ("seed", "data", "compute", "augmentation", "averaging", "schedule", "log")


@pytest.fixture
def pix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's system among the others, its preset in a folder of its own."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    module = module_from_spec(spec_from_loader("gan.systems.pix", loader=None))
    monkeypatch.setitem(sys.modules, "gan.systems.pix", module)
    exec(compile(blocks[0], str(PAGE), "exec"), module.__dict__)
    other = tomllib.loads((ROOT / "gan/presets/wgan-gp/tiny.toml").read_text())
    values = {"system": "pix", **{name: other[name] for name in COMMON}, "generator": {"width": 4, "lr": 1e-3}}
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "paper.toml").write_text(tomli_w.dumps(values))
    monkeypatch.setitem(systems.SYSTEMS, "pix", ("pix", "Pix"))
    monkeypatch.setattr(systems, "preset_folder", lambda system: folder)
    monkeypatch.setattr(presets, "preset_folder", lambda system: folder)


def test_the_page_s_system_goes_the_whole_way(pix: None, drawn_shards: Path, tmp_path: Path) -> None:
    """Trained, resumed to the bit, sampled, rendered, compared, measured, exported; what it lacks is said."""
    settings = gan.load_preset("paper", ["data.size=32", "schedule.batch=4", "averaging.decay=0.9"], system="pix")
    gan.fit(drawn_shards, tmp_path / "whole", settings, steps=4, device="cpu")
    for steps in (2, 4):
        gan.fit(drawn_shards, tmp_path / "run", settings, steps=steps, device="cpu", resume=steps == 4)
    assert difference(tmp_path / "run", tmp_path / "whole", 4) is None
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["loss_g/l1"] for line in lines] == [line["loss_g/total"] for line in lines]
    run, ways = tmp_path / "run", (f"{drawn_shards}/train-00000.h5#0", f"{drawn_shards}/train-00000.h5#1")
    assert "G " in gan.dry_run(drawn_shards, tmp_path / "dry", settings, steps=4, device="cpu").to_text()
    generator = gan.load_generator(run)
    assert generator(torch.zeros(2, 7, 32, 32)).shape == (2, 3, 32, 32)
    assert gan.sample(run, tmp_path / "grid.png", rows=2).shape[1] < 4 * 40  # photo, layout and one picture
    gan.render(run, *ways, tmp_path / "way.gif", frames=3, masks=True)
    assert figures.smile(run, *ways, tmp_path / "smile.png", rows=2, columns=3).shape[1] > 3 * 32
    assert figures.compare([run, run], tmp_path / "compare.png", names=["a", "b"], rows=1).shape[0] > 4 * 32
    report = gan.evaluate_run(run, drawn_shards, count=4, judge_steps=1, device="cpu")
    assert {"consistency/independent/value", "features/classifier_frechet_generated"} <= report.figures.keys()
    assert "takes no attributes" in report.left_out["attributes"]
    assert "takes no latents" in report.left_out["diversity/ms_ssim_z"]
    gan.export_generator(run, tmp_path / "G.onnx")
    with pytest.raises(InputError, match="Pix takes no latents, so there is no way between two of them"):
        figures.turn(run, *ways, tmp_path / "turn.png", seed_to=1)
