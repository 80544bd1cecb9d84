"""WGAN-GP and ACWGAN through the door: sizes, gradients, what they take, and what cannot be done for them."""

import json
from itertools import cycle
from pathlib import Path

import pytest
import torch

import gan
import maskkit
from gan import figures
from gan.computing.compute import Compute
from gan.data.description import DataDescription
from gan.errors import InputError, SettingsError
from gan.runs.presets import load_preset
from gan.systems import build_system, system_class
from gan.systems.given import Given
from tests.gan.resuming import CUT
from tests.gan.systems.test_scgan import changed, make_batches, noise, weights

ATTRIBUTES = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
CPU = torch.device("cpu")
DATA = DataDescription(32, maskkit.load_scheme("scgan"), ATTRIBUTES[:3], 12)
SYSTEMS = ("wgan-gp", "acwgan")


@pytest.mark.parametrize(
    ("system", "n_c", "expected"),
    [
        ("acwgan", 5, {"G": 39_044_355, "D": 44_762_048}),
        ("acwgan", 17, {"G": 39_072_003, "D": 44_860_352}),
        ("wgan-gp", 5, {"G": 39_032_835, "D": 44_721_088}),  # without the 5 planes, and without the head
    ],
)
def test_parameters(system: str, n_c: int, expected: dict[str, int]) -> None:
    """Those of the ACWGAN release's networks at 128 x 128."""
    data = DataDescription(128, maskkit.load_scheme("scgan"), tuple(map(str, range(n_c))), 10)
    with torch.device("meta"):
        networks = system_class(system).build(load_preset("paper", system=system), data)
        found = {name: sum(p.numel() for p in build().parameters()) for name, build in networks.items()}
    assert found == expected


@pytest.mark.parametrize("size", [32, 64, 256])
def test_other_sizes(size: int) -> None:
    settings = load_preset("tiny", [f"data.size={size}", "generator.width=2"], system="acwgan")
    data = DataDescription(size, maskkit.load_scheme("scgan"), ATTRIBUTES, 10)
    network = system_class("acwgan").build(settings, data)["G"]()
    assert network(torch.zeros(2, settings.n_z), torch.zeros(2, 5)).shape == (2, 3, size, size)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("updates", ["joint", "separate"])
def test_a_round_moves_both_and_names_its_losses(system: str, updates: str) -> None:
    """The attribute head is there where there are attributes, and its loss alone."""
    settings = load_preset("paper", [*CUT[system], "schedule.n_repeat=2", f"critic.updates={updates}"], system=system)
    made = build_system(settings, DATA, Compute(CPU))
    before = {name: weights(network) for name, network in made.networks.items()}
    losses = made.train_round(cycle(make_batches(2)), noise())
    assert all(not torch.equal(weights(network), before[name]) for name, network in made.networks.items())
    parts = ["real", "fake", *(["cls"] if system == "acwgan" else []), "gp", "total"]
    further = ["cls"] if system == "acwgan" else []
    assert list(losses) == [f"loss_d/{name}" for name in parts] + [
        f"loss_g/{name}" for name in ("fake", *further, "total")
    ]
    assert made.generate(Given(torch.zeros(2, settings.n_z), torch.zeros(2, 3))).shape == (2, 3, 32, 32)


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_step_changes_its_own_network_only(system: str) -> None:
    """And the gradient at the fakes is that of -D_d, and with attributes of 5 A_c, written out."""
    made = build_system(load_preset("paper", CUT[system], system=system), DATA, Compute(CPU))
    now = made.draw_once(make_batches(1)[0], noise())
    x_fake = made.fake(now)
    for name, step in (
        ("D", lambda: made.critic_step(now, x_fake.detach())),
        ("G", lambda: made.generator_step(now, x_fake)),
    ):
        before = {key: weights(network) for key, network in made.networks.items()}
        step()
        assert changed(made, before) == {name}
    x_fake = torch.rand(4, 3, 32, 32, generator=noise(), requires_grad=True)
    score, logits = made.networks["D"](x_fake)
    p = torch.sigmoid(logits)
    a_c = -(now.c * p.log() + (1 - now.c) * (1 - p).log()).sum() / 4 if system == "acwgan" else torch.zeros(())
    (expected,) = torch.autograd.grad(-score.mean() + 5 * a_c, x_fake)
    made.generator_step(now, x_fake)
    torch.testing.assert_close(x_fake.grad, expected, rtol=1e-4, atol=1e-8)


@pytest.fixture(scope="module", params=SYSTEMS)
def run(request: pytest.FixtureRequest, drawn_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each of 3 steps. Not to be written to."""
    system, run = request.param, tmp_path_factory.mktemp("run") / "run"
    settings = load_preset("tiny", [*CUT[system], "averaging.decay=0.5"], system=system)
    gan.fit(drawn_shards, run, settings, steps=3, device="cpu")
    return run


def test_a_trained_one_is_used_by_what_it_takes(run: Path, drawn_shards: Path, tmp_path: Path) -> None:
    generator = gan.load_generator(run)
    takes = ("z", "c") if generator.system == "acwgan" else ("z",)
    assert generator.takes == takes and generator.n_z == 16
    inputs = {"z": generator.draw_z(2, 0), "c": torch.zeros(2, 5)}
    given = {name: inputs[name] for name in takes}
    assert torch.equal(generator(*given.values()), generator(**given))
    with pytest.raises(InputError, match=f"takes {', '.join(takes)}, each once; z, c, s was given"):
        generator(z=inputs["z"], c=inputs["c"], s=inputs["z"])
    gan.export_generator(run, tmp_path / "G.safetensors")
    assert torch.equal(gan.load_generator(tmp_path / "G.safetensors")(**given), generator(**given))
    grid = gan.sample(run, tmp_path / "grid.png", rows=2, columns=3)
    assert grid.shape[0] < 2 * 40 and grid.shape[1] < 3 * 40  # no photos, no layouts
    for again in (gan.render, figures.smile):
        with pytest.raises(InputError, match=r"takes no layouts, so landmarks cannot move its pictures"):
            again(run, f"{drawn_shards}/train-00000.h5#0", f"{drawn_shards}/train-00000.h5#1", tmp_path / "way.png")
    with pytest.raises(InputError, match=r"takes no layouts, so .* no place in a comparison of layouts"):
        figures.compare([run], tmp_path / "compare.png")
    if "c" in takes:
        assert figures.panels(run, tmp_path / "panels.png", rows=2).shape[1] > 12 * 32
    else:
        with pytest.raises(InputError, match="WGAN-GP takes no attributes, so there are no labels to go through"):
            figures.panels(run, tmp_path / "panels.png")


def test_measures_that_apply_and_reasons_for_the_others(run: Path, drawn_shards: Path) -> None:
    report = gan.evaluate_run(run, drawn_shards, count=4, judge_steps=1, device="cpu")
    parts = {key.split("/")[0] for key in report.figures}
    system = report.about["system"]
    assert parts == ({"attributes"} if system == "acwgan" else set()) | {"features", "diversity"}
    assert all(
        report.left_out[part].endswith("takes no layouts") for part in ("consistency", "landmarks", "decoupling")
    )
    assert list(report.about["judges"]) == ["independent classifier"]
    json.dumps(report.to_dict())


def test_validation_in_training_needs_a_segmentor() -> None:
    with pytest.raises(SettingsError, match=r"the run has no segmentor to evaluate with; set log.evaluate_every=0"):
        load_preset("tiny", ["log.evaluate_every=5"], system="acwgan")
