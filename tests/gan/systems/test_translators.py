"""Pix2Pix, CycleGAN and SPADE: sizes, who learns from what, chance, and the whole way through the door."""

import os
import pickle
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import gan
import maskkit
from gan import figures
from gan.computing.compute import Compute
from gan.computing.processes import computing
from gan.computing.spawning import Stop
from gan.data.description import DataDescription
from gan.data.rows import one_hot
from gan.errors import CheckpointError, InputError, SettingsError
from gan.nets import vgg
from gan.nets.losses import kl_to_standard_normal
from gan.runs.checked_json import decode_line
from gan.runs.checkpoint import load_checkpoint
from gan.runs.generator_file import About
from gan.runs.presets import load_preset
from gan.systems import build_system, system_class
from gan.systems.base import System
from gan.systems.given import Given
from gan.systems.replay_pool import ReplayPool
from gan.training.fit import train
from gan.training.job import Request
from tests.drawn import face_points
from tests.gan.computing.test_processes import farthest
from tests.gan.resuming import CUT
from tests.gan.systems.test_scgan import DATA, changed, make_batches, noise, weights

DATA128 = DataDescription(128, maskkit.load_scheme("scgan"), ("a",), 10)
CPU = torch.device("cpu")
SYSTEMS = ("pix2pix", "cyclegan", "spade")


def build(name: str, *overrides: str, preset: str = "tiny") -> Any:
    return build_system(load_preset(preset, [*CUT[name], *overrides], system=name), DATA, Compute(CPU))


def state(system: System) -> dict[str, Tensor]:
    return {name: weights(network) for name, network in system.networks.items()}


@pytest.mark.parametrize(
    ("system", "overrides", "expected"),
    [
        ("pix2pix", (), {"G": 41_828_995, "D": 2_768_705}),
        ("pix2pix", ("generator.layouts=one-hot",), {"G": 41_833_091, "D": 2_772_801}),
        ("cyclegan", (), {"G": 11_378_179, "F": 11_378_179, "D_x": 2_764_737, "D_s": 2_764_737}),
        ("cyclegan", ("generator.blocks=6",), {"G": 7_837_699, "F": 7_837_699, "D_x": 2_764_737, "D_s": 2_764_737}),
        ("spade", (), {"G": 96_324_547, "D": 5_542_018, "E": 10_463_424}),
        ("spade", ("generator.n_z=0",), {"G": 92_179_395, "D": 5_542_018}),
    ],
)
def test_parameters(system: str, overrides: tuple[str, ...], expected: dict[str, int]) -> None:
    """Those of the official networks at 128 x 128."""
    with torch.device("meta"):
        networks = system_class(system).build(load_preset("paper", overrides, system=system), DATA128)
        found = {name: sum(p.numel() for p in make().parameters()) for name, make in networks.items()}
    assert found == expected


@pytest.mark.parametrize("size", [32, 64, 256])
@pytest.mark.parametrize("system", SYSTEMS)
def test_other_sizes(system: str, size: int) -> None:
    settings = load_preset("tiny", [f"data.size={size}", "generator.width=2"], system=system)
    data = DataDescription(size, maskkit.load_scheme("scgan"), (), 10)
    inputs = {"z": torch.randn(2, settings.n_z), "s": one_hot(torch.zeros(2, size, size).long(), 7)}
    with torch.no_grad():
        images = system_class(system).build(settings, data)["G"]()(*(inputs[name] for name in settings.takes))
    assert images.shape == (2, 3, size, size) and images.abs().max() <= 1


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_weight_learns_in_a_round_and_parts_add_up(system: str) -> None:
    made = build(system)
    before = {name: [p.clone() for p in network.parameters()] for name, network in made.networks.items()}
    found = made.train_round(cycle(make_batches(2)), noise())
    for name, network in made.networks.items():
        for (key, now), then in zip(network.named_parameters(), before[name], strict=True):
            assert now.requires_grad and not torch.equal(now, then), f"{name}.{key} has not moved"
    for total in {name.split("/")[0] for name in found}:
        parts = [value for name, value in found.items() if name.startswith(f"{total}/") and not name.endswith("total")]
        torch.testing.assert_close(found[f"{total}/total"], torch.stack(parts).sum())


def test_colours_and_classes_are_codes_and_back() -> None:
    s = one_hot(torch.arange(7).view(1, 1, 7), 7)
    palette = maskkit.load_scheme("scgan").palette
    for coding in ("rgb", "one-hot"):
        code = build("pix2pix", f"generator.layouts={coding}").networks["G"].coding
        coded = code(s)
        assert torch.equal(code.decode(coded + 0.05), torch.arange(7).view(1, 1, 7))
        expected = torch.tensor(palette.T / 127.5 - 1).float() if coding == "rgb" else 2 * torch.eye(7) - 1
        torch.testing.assert_close(coded[0, :, 0], expected)


def test_pix2pix_steps_change_their_own_network_only() -> None:
    system = build("pix2pix")
    draws = system.draw(iter(make_batches(1)), noise())
    s = one_hot(draws.s_idx, 7)
    layouts, x_fake = system.networks["G"].coding(s), system.make(system.forward("G"), Given(z=draws.z, s=s))
    for name, step in (
        ("D", lambda: system.critic_step(layouts, draws.x, x_fake.detach())),
        ("G", lambda: system.generator_step(layouts, draws.x, x_fake)),
    ):
        before = state(system)
        step()
        assert changed(system, before) == {name}


def test_pix2pix_learns_from_both_terms_and_halves_its_critics() -> None:
    """The gradient at the fakes is that of the loss written out, and the critic's loss is the mean of its two."""
    system = build("pix2pix")
    draws = system.draw(iter(make_batches(1)), noise())
    layouts = system.networks["G"].coding(one_hot(draws.s_idx, 7))
    x_fake = torch.rand(4, 3, 32, 32, generator=noise(), requires_grad=True)
    score = system.networks["D"](torch.cat([layouts, x_fake], 1))
    loss = -score.sigmoid().log().mean() + 100 * (x_fake - draws.x).abs().mean()
    (expected,) = torch.autograd.grad(loss, x_fake)
    system.generator_step(layouts, draws.x, x_fake)
    torch.testing.assert_close(x_fake.grad, expected, rtol=1e-4, atol=1e-8)
    real, fake = (system.networks["D"](torch.cat([layouts, x], 1)).sigmoid() for x in (draws.x, x_fake))
    expected = -(real.log().mean() + (1 - fake).log().mean()) / 2
    found = system.critic_step(layouts, draws.x, x_fake.detach())["loss_d/total"]
    torch.testing.assert_close(found, expected.detach())


def test_pix2pix_drops_by_the_signs_of_z() -> None:
    """As torch's dropout of one half with the same masks; nothing else is left to chance."""
    network = build("pix2pix", "data.size=32").networks["G"].eval()
    z, s = torch.randn(1, 512, generator=noise()), one_hot(torch.zeros(1, 32, 32).long(), 7)
    seen: list[Tensor] = []
    network.network.up[1].register_forward_hook(lambda module, given, output: seen.append(output))
    network.network.up[2].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    assert torch.equal(network(z, s), network(2 * z, s)) and not torch.equal(network(z, s), network(-z, s))
    normed, joined = seen[:2]
    dropped = normed * (z > 0).view(normed.shape) * 2
    assert torch.equal(joined[:, -normed.shape[1] :], dropped.relu())


def test_cyclegan_steps_change_their_own_networks_only() -> None:
    system = build("cyclegan")
    draws = system.draw(iter(make_batches(1)), noise())
    x, s = draws.x, system.coding(one_hot(draws.s_idx, 7))
    x_fake, s_fake = system.translate("G", s), system.translate("F", x)
    steps = {
        "GF": lambda: system.generators_step(x, s, x_fake, s_fake),
        "D_x": lambda: system.critic_step("x", x, x_fake.detach()),
        "D_s": lambda: system.critic_step("s", s, s_fake.detach()),
    }
    for name, step in steps.items():
        before = state(system)
        step()
        assert changed(system, before) == (set("GF") if name == "GF" else {name})


def test_cyclegan_learns_from_critics_and_cycles() -> None:
    """The gradients at the fakes are those of the loss written out; identities add 5 times theirs."""
    system = build("cyclegan")
    draws = system.draw(iter(make_batches(1)), noise())
    x, s = draws.x, system.coding(one_hot(draws.s_idx, 7))
    fakes = [torch.rand(4, 3, 32, 32, generator=noise(), requires_grad=True) for _ in range(2)]
    x_fake, s_fake = fakes
    nets = system.networks
    to_photo, to_layout = nets["G"].network, nets["F"]
    cycles = (to_layout(x_fake) - s).abs().mean() + (to_photo(s_fake) - x).abs().mean()
    judged = (nets["D_x"](x_fake) - 1).square().mean() + (nets["D_s"](s_fake) - 1).square().mean()
    expected = torch.autograd.grad(judged + 10 * cycles, fakes)
    same = (to_photo(x) - x).abs().mean() + (to_layout(s) - s).abs().mean()
    real, fake = nets["D_s"](s), nets["D_s"](s_fake)
    critic = ((real - 1).square().mean() + fake.square().mean()) / 2
    found = system.generators_step(x, s, x_fake, s_fake)
    for one, gradient in zip(fakes, expected, strict=True):
        torch.testing.assert_close(one.grad, gradient, rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(found["loss_g/identity_x"] + found["loss_g/identity_s"], 5 * same.detach())
    torch.testing.assert_close(system.critic_step("s", s, s_fake.detach())["loss_d_s/total"], critic.detach())


def test_a_pool_shows_half_of_the_newest_and_forgets_what_it_has_shown() -> None:
    """Against lists and plain Python, and a resume in the middle."""
    ours, theirs = (ReplayPool(3, (1, 1, 1), CPU, torch.float32) for _ in range(2))
    draws = noise()
    held: list[float] = []
    swaps = 0
    for number in range(0, 400, 4):
        fakes = torch.arange(number, number + 4.0).view(4, 1, 1, 1)
        decisions, expected = ours.decide(4, draws), []
        for fake, place, kept, swapped in zip(fakes.flatten().tolist(), *map(Tensor.tolist, decisions), strict=True):
            assert kept == (swapped or len(held) < 3)
            if len(held) < 3:
                assert place == len(held)
                held.append(fake)
            expected.append(held[place] if swapped else fake)
            held[place] = fake if kept else held[place]
            swaps += swapped
        assert ours.query(fakes, decisions).flatten().tolist() == expected
        assert ours.images.flatten().tolist() == held
        if number == 200:
            theirs.load_state("x", ours.state("x"))
            ours = theirs
    assert 150 < swaps < 250
    with pytest.raises(CheckpointError, match=r"pool x has the shape \(3, 1, 1, 1\), and \(4, 1, 1, 1\) is needed"):
        ReplayPool(4, (1, 1, 1), CPU, torch.float32).load_state("x", ours.state("x"))


def test_cyclegan_learns_both_ways_from_what_does_not_belong_together(drawn_shards: Path, tmp_path: Path) -> None:
    """Its other direction is there in a loaded run and in an exported file; its identity needs equal channels."""
    settings = load_preset("tiny", CUT["cyclegan"], system="cyclegan")
    assert system_class("cyclegan").pairing == "unpaired"
    gan.fit(drawn_shards, tmp_path / "run", settings, steps=2, device="cpu")
    saved = load_checkpoint(tmp_path / "run/checkpoints/step-000002.pt").state
    assert int(saved["x/filled"]) == 5 and saved["s/images"].abs().amax((1, 2, 3)).min() > 0
    gan.export_generator(tmp_path / "run", tmp_path / "both.safetensors")
    x = torch.rand(2, 3, 32, 32, generator=noise()) * 2 - 1
    found = [gan.load_generator(tmp_path / name).layouts(x) for name in ("run", "both.safetensors")]
    assert found[0].shape == (2, 32, 32) and found[0].max() < 7 and torch.equal(*found)
    row = f"{drawn_shards}/train-00000.h5#1"
    photo = maskkit.read_face(row, 32).image
    (path,) = gan.make_layouts(tmp_path / "run", [row], tmp_path / "made")
    with Image.open(path) as picture:
        assert (path.name, picture.mode) == ("train-00000-1.png", "P")
        x = torch.from_numpy(photo).permute(2, 0, 1)[None] / 127.5 - 1
        expected = gan.load_generator(tmp_path / "run").layouts(x)[0].numpy()
        assert np.array_equal(np.asarray(picture), expected)
    with pytest.raises(SettingsError, match=r"has other channels than it takes .* set loss.lambda_identity=0"):
        load_preset("tiny", ["generator.layouts=one-hot"], system="cyclegan")
    system = build("cyclegan", "generator.layouts=one-hot", "loss.lambda_identity=0")
    assert not any("identity" in name for name in system.train_round(cycle(make_batches(1)), noise()))


def test_what_has_no_layouts_to_give_says_so(drawn_shards: Path, small_run: Path, tmp_path: Path) -> None:
    """Another system, points without a photo, and two faces of one name; no folder is left behind."""
    row, out, points = f"{drawn_shards}/train-00000.h5#1", tmp_path / "made", tmp_path / "face.pts"
    maskkit.write_points(points, face_points(32))
    for faces, reason in (
        ([row], "SCGAN has learned no way from pictures to layouts; CycleGAN learns both ways"),
        ([str(points)], "face.pts holds points and no photo"),
        ([row, row], "two faces would give layouts of the name train-00000-1.png"),
    ):
        with pytest.raises(InputError, match=reason):
            gan.make_layouts(small_run, faces, out)
    assert not out.exists()


def test_spade_steps_change_their_own_networks_only() -> None:
    """And a divergence is of the sum over the batch."""
    system = build("spade", "loss.lambda_kl=1.0")
    draws = system.draw(iter(make_batches(1)), noise())
    s = one_hot(draws.s_idx, 7)
    before = state(system)
    kl = kl_to_standard_normal(*system.networks["E"].eval()(draws.x)).item()
    assert system.generator_step(draws.x, s, draws.e_g)["loss_g/kl"].item() == pytest.approx(kl, rel=1e-2)
    assert changed(system, before) == {"G", "E"}
    before = state(system)
    system.critic_step(draws.x, s, torch.zeros_like(draws.x))
    assert changed(system, before) == {"D"}


def test_spade_learns_from_scores_and_maps_of_both_scales(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient at the fakes is that of the loss written out; the critic's is the hinge's."""
    system = build("spade")
    system.networks["D"].eval()  # where spectral vectors stay
    draws = system.draw(iter(make_batches(1)), noise())
    x, s = draws.x, one_hot(draws.s_idx, 7)
    x_fake = torch.rand(4, 3, 32, 32, generator=noise(), requires_grad=True)
    monkeypatch.setattr(system, "fake", lambda x, s, e: (x_fake, {"loss_g/kl": 0 * sum(map(torch.sum, weighted))}))
    weighted = [p for name in "GE" for p in system.networks[name].parameters()]  # all have a gradient, of 0
    real, fake = (system.networks["D"](torch.cat([s, one], 1)) for one in (x, x_fake))
    score = -(fake[0][-1].mean() + fake[1][-1].mean()) / 2
    apart = [(a - b).abs().mean() for i in (0, 1) for a, b in zip(real[i][:4], fake[i][:4], strict=True)]
    (expected,) = torch.autograd.grad(score + 10 * sum(apart) / 2, x_fake)
    critic = sum((1 - real[i][-1]).relu().mean() + (1 + fake[i][-1]).relu().mean() for i in (0, 1)) / 2
    system.generator_step(x, s, draws.e_g)
    torch.testing.assert_close(x_fake.grad, expected, rtol=1e-4, atol=1e-8)
    found = system.critic_step(x, s, x_fake.detach())["loss_d/total"]
    torch.testing.assert_close(found, critic.detach())


def test_spade_has_six_halvings_two_scales_and_five_doublings() -> None:
    with torch.device("meta"):
        networks = system_class("spade").build(load_preset("paper", system="spade"), DATA128)
        generator, critic, encoder = (networks[name]() for name in "GDE")
        scales = critic(torch.zeros(1, 10, 128, 128))
        shapes = [[tuple(maps.shape[1:]) for maps in scale] for scale in scales]
        sides: list[tuple[int, ...]] = []
        for block in generator.blocks:
            block.register_forward_hook(lambda module, given, output: sides.append(tuple(output.shape[1:])))
        generator(torch.zeros(1, 256), torch.zeros(1, 7, 128, 128))
        assert encoder(torch.zeros(2, 3, 128, 128))[1].shape == (2, 256)
    assert shapes == [
        [(64, 65, 65), (128, 33, 33), (256, 17, 17), (512, 18, 18), (1, 19, 19)],
        [(64, 33, 33), (128, 17, 17), (256, 9, 9), (512, 10, 10), (1, 11, 11)],
    ]
    assert sides == [(1024, 4, 4), *[(1024, 8, 8)] * 2, (512, 16, 16), (256, 32, 32), (128, 64, 64), (64, 128, 128)]


def test_spade_without_vgg_says_so_and_with_it_holds_to_one_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VGG19's layers are torchvision's; here with an eighth of the channels."""
    assert [key for key in vgg.VGG19().state_dict() if "weight" in key] == [
        f"features.{i}.weight" for i in (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28)
    ]
    monkeypatch.setattr(vgg, "_LAYERS", tuple(a if a == "M" else a // 8 for a in vgg._LAYERS))
    off = build("spade", "loss.lambda_vgg=10.0")
    assert "loss.lambda_vgg = 10 has no effect" in caplog.text and off.preparation() in caplog.text
    weights = vgg.VGG19().state_dict() | {"classifier.0.weight": torch.zeros(2)}
    torch.save(weights, tmp_path / "vgg19.pth")
    on = build("spade", "loss.lambda_vgg=10.0", f"loss.vgg_weights={tmp_path / 'vgg19.pth'}")
    found = on.train_round(cycle(make_batches(1)), noise())
    assert found["loss_g/vgg"] > 0 and on.preparation() is None
    data = DataDescription(on.settings.data.size, maskkit.load_scheme("scgan"), (), 10)
    exported = About(on.settings, data, 1).to_dict()
    assert "vgg19.pth" not in str(exported)  # a path of the run's machine
    assert About.from_dict(exported, "exported").settings.loss == off.settings.loss
    on.load_state(on.state())
    with pytest.raises(CheckpointError, match=r"other weights of VGG19 than those of loss.vgg_weights = '/.*, or with"):
        on.load_state(off.state())
    same = torch.zeros(1, 3, 32, 32)
    assert on.looks(same, same) == 0
    second = weights["features.2.weight"]
    others = {"wrong": torch.zeros(1), "nan": second / 0, "sparse": second.to_sparse(), "meta": second.to("meta")}
    for name, other in others.items():
        torch.save(weights | {"features.2.weight": other}, tmp_path / f"{name}.pth")
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(print, protocol=2))
    os.mkfifo(tmp_path / "pipe.pth")
    for name, reason in (
        ("wrong.pth", r"no state dict of torchvision's vgg19: features.2.weight is \(1,\), and floats of \(8, 8, 3, 3"),
        ("nan.pth", "features.2.weight holds NaN or infinite values"),
        ("sparse.pth", r"features.2.weight is \(8, 8, 3, 3\), and floats"),
        ("meta.pth", r"features.2.weight is \(8, 8, 3, 3\), and floats"),
        ("pipe.pth", "cannot be read: a named pipe"),
        ("evil.pth", "is no file of tensors alone and is not opened"),
        ("none.pth", "cannot be read: No such file"),
    ):
        with pytest.raises(InputError, match=reason):
            vgg.load_vgg19(tmp_path / name)


def test_a_dry_run_counts_what_learns(drawn_shards: Path, tmp_path: Path) -> None:
    """Not the colours, nor what norms gather."""
    settings = load_preset("tiny", CUT["pix2pix"], system="pix2pix")
    found = gan.dry_run(drawn_shards, tmp_path / "dry", settings, steps=2, device="cpu").parameters
    assert found == {name: len(values) for name, values in state(build("pix2pix")).items()}


def test_pairs_have_no_fresh_layouts() -> None:
    with pytest.raises(SettingsError, match=r"no photo belongs to, and pix2pix learns from pairs; set augm.*layouts=0"):
        load_preset("tiny", ["augmentation.layouts=0.5"], system="pix2pix")


def test_spade_refuses_a_batch_of_which_its_norms_would_see_one_value() -> None:
    with pytest.raises(SettingsError, match=r"schedule.batch = 1 with data.size = 32 leaves batch norm one value"):
        load_preset("tiny", ["schedule.batch=1", "data.size=32"], system="spade")
    load_preset("tiny", ["schedule.batch=2", "data.size=32"], system="spade")


def two(requests: list[Request], compute: Compute, stop: Stop) -> None:
    for request in requests:
        train(Compute(compute.device, "64", compute.fabric), request)


def test_two_processes_follow_one(drawn_shards: Path, tmp_path: Path) -> None:
    """A few steps of each in float64: norms, pools and sums over the batch are of the whole batch."""
    chosen = {
        name: load_preset("tiny", [*CUT[name], "compute.precision=64", "log.sample_columns=1"], system=name)
        for name in (*SYSTEMS, "wgan-gp", "acwgan")
    }
    requests = [Request(drawn_shards, tmp_path / f"two-{name}", one, steps=4) for name, one in chosen.items()]
    with computing("cpu", 2, "64", partial(two, requests)) as compute:
        two(requests, compute, lambda: False)
    for name, one in chosen.items():
        gan.fit(drawn_shards, tmp_path / f"one-{name}", one, steps=4, device="cpu")
        ours, theirs = (tmp_path / f"{number}-{name}" for number in ("two", "one"))
        checkpoints = [load_checkpoint(run / "checkpoints/step-000004.pt") for run in (ours, theirs)]
        assert farthest(*checkpoints) < 1e-6, name
        for key, tensor in checkpoints[0].state.items():
            torch.testing.assert_close(tensor, checkpoints[1].state[key], rtol=1e-6, atol=1e-6)
        lines = [decode_line((run / "metrics.jsonl").read_text().splitlines()[-1]) for run in (ours, theirs)]
        assert lines[0] == pytest.approx(lines[1], rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_run_goes_the_whole_way(system: str, drawn_shards: Path, tmp_path: Path) -> None:
    """Fitted, sampled, rendered, put into figures, measured, exported in both ways."""
    run, ways = tmp_path / "run", (f"{drawn_shards}/train-00000.h5#0", f"{drawn_shards}/train-00000.h5#1")
    settings = load_preset("tiny", [*CUT[system], "averaging.decay=0.5"], system=system)
    gan.fit(drawn_shards, run, settings, steps=3, device="cpu")
    generator = gan.load_generator(run)
    assert gan.sample(run, tmp_path / "grid.png", rows=2).shape[1] >= 3 * 32
    gan.render(run, *ways, tmp_path / "way.gif", frames=3, masks=True)
    assert figures.smile(run, *ways, tmp_path / "smile.png", rows=2, columns=3).shape[1] > 3 * 32
    figures.losses([run], tmp_path / "losses.png")
    assert figures.compare([run, run], tmp_path / "compare.png", names=["a", "b"], rows=1).shape[0] > 4 * 32
    report = gan.evaluate_run(run, drawn_shards, count=4, judge_steps=1, device="cpu")
    assert {"consistency/independent/value", "features/classifier_frechet_generated"} <= report.figures.keys()
    assert "takes no attributes" in report.left_out["attributes"]
    assert ("diversity/ms_ssim_z" in report.left_out) == ("z" not in generator.takes)
    given = {"z": generator.draw_z(2, 0), "s": one_hot(torch.randint(7, (2, 32, 32), generator=noise()), 7)}
    given = {name: given[name] for name in generator.takes}
    gan.export_generator(run, tmp_path / "G.safetensors")
    assert torch.equal(gan.load_generator(tmp_path / "G.safetensors")(**given), generator(**given))
    difference = gan.export_generator(run, tmp_path / "G.onnx").difference
    assert difference is not None and difference < 1e-4
    assert figures.turn(run, *ways, tmp_path / "turn.png", columns=3).shape[1] > 3 * 32
    assert figures.panels(run, tmp_path / "panels.png", rows=2).shape[1] > 3 * 32
