"""Attributes switched in a generator whose colours follow, ignore or oppose them, and seen by an exact classifier."""

import pytest
import torch
from torch import Tensor, nn

import maskkit
from gan.data.rows import Batch
from gan.evaluation.attributes import report_attributes, set_attribute
from gan.evaluation.decoupling import change_one, region_change, report_decoupling
from gan.evaluation.material import Material
from gan.evaluation.report import Report
from gan.systems.given import Given

SIZE, NAMES = 16, ("follows", "ignores", "opposes")


class Painter:
    """Colours the face by attributes and the background by z: red follows c0, green ignores c1, blue opposes c2."""

    takes = ("z", "c", "s")

    def __init__(self, leaks: bool = False) -> None:
        self.scheme, self.device, self.leaks = maskkit.load_scheme("scgan"), torch.device("cpu"), leaks

    def draw_z(self, count: int, seed: int) -> Tensor:
        return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))

    def make(self, given: Given) -> Tensor:
        z, c, s = given.inputs(self.takes)
        face = torch.stack([c[:, 0], torch.full_like(c[:, 1], 0.2), 1 - c[:, 2]], 1) * 2 - 1
        inside = torch.ones_like(s[:, :1]) if self.leaks else 1 - s[:, :1]
        return face[:, :, None, None] * inside + z.tanh()[:, :, None, None] * (1 - inside)


class Colours(nn.Module):
    """Sees an attribute where its channel is bright in the middle of the picture."""

    def forward(self, x: Tensor) -> Tensor:
        return 3 * x[:, :, 6:10, 6:10].mean((2, 3))


class Inside(nn.Module):
    """Calls the same square skin in every picture."""

    def forward(self, x: Tensor) -> Tensor:
        logits = torch.zeros(len(x), 7, SIZE, SIZE)
        logits[:, 1, 4:12, 4:12] = 1
        return logits


def material(c: Tensor, leaks: bool = False) -> Material:
    generator = Painter(leaks)
    s_idx = torch.zeros(len(c), SIZE, SIZE, dtype=torch.long)
    s_idx[:, 4:12, 4:12] = 1
    shown = torch.stack([c[:, 0], c[:, 1], c[:, 2]], 1)[:, :, None, None].expand(-1, -1, SIZE, SIZE) * 2 - 1
    made = Material(generator, Batch(shown, c, s_idx, s_idx), generator.draw_z(len(c), 0), shown, 0)
    return Material(generator, made.real, made.z, made.generate(), 0)


@pytest.fixture
def independent() -> Tensor:
    return torch.tensor([[a, b, d] for a in (0.0, 1.0) for b in (0.0, 1.0) for d in (0.0, 1.0)] * 3)


def test_switching_bits(independent: Tensor) -> None:
    report = Report()
    report_attributes(Colours(), material(independent), NAMES, "binary", report, lambda done, total: None)
    by = {key.removeprefix("attributes/"): figure.by for key, figure in report.figures.items()}
    way = torch.tensor(3.0).sigmoid().item() - torch.tensor(-3.0).sigmoid().item()
    assert by["switched"] == pytest.approx({"follows": way, "ignores": 0, "opposes": -way}, abs=1e-6)
    assert by["edited"] == pytest.approx({"follows": 1, "ignores": 0.5, "opposes": 0})
    assert by["accuracy_real"] == pytest.approx(dict.fromkeys(NAMES, 1.0))
    assert by["accuracy_generated"] == pytest.approx({"follows": 1, "ignores": 0.5, "opposes": 0})
    assert by["accuracy_guessed"] == pytest.approx(dict.fromkeys(NAMES, 0.5))
    assert by["switched_real"] == pytest.approx(dict.fromkeys(NAMES, way), abs=1e-6)
    assert report.figures["attributes/edited"].value == pytest.approx(0.5)


def test_one_of_n() -> None:
    c = torch.eye(3)[torch.tensor([0, 0, 0, 1, 2, 2])]
    assert torch.equal(set_attribute(c, 2, "softmax"), torch.eye(3)[[2] * 6])
    report = Report()
    report_attributes(Colours(), material(c), NAMES, "softmax", report, lambda done, total: None)
    figures = {key.removeprefix("attributes/"): figure for key, figure in report.figures.items()}
    assert figures["accuracy_real"].value == 1 and figures["accuracy_guessed"].value == pytest.approx(0.5)
    # Class 2 is painted without any blue, class 0 with red and blue alike, class 1 as blue.
    assert figures["switched"].by["opposes"] < 0 and figures["edited"].by["opposes"] == 0
    assert figures["accuracy_generated"].by == pytest.approx({"follows": 1, "ignores": 0, "opposes": 0})


def test_attributes_that_stay_in_the_face_are_decoupled(independent: Tensor) -> None:
    report = Report()
    report_decoupling(material(independent), Colours(), {"own": Inside()}, NAMES, "binary", report)
    values = {key.removeprefix("decoupling/"): figure.value for key, figure in report.figures.items()}
    assert values["background_change_c"] == values["background_ratio"] == 0 < values["background_change_z"]
    assert values["probability_change_z"] == 0 and values["layout_kept_own_c"] == 1
    leaking = Report()
    report_decoupling(material(independent, leaks=True), None, {}, NAMES, "binary", leaking)
    change = leaking.figures["decoupling/background_change_c"]
    # A reversed bit moves one of three channels by 2, or none.
    assert change.by == pytest.approx({"follows": 2 / 3, "ignores": 0, "opposes": 2 / 3})
    assert leaking.figures["decoupling/background_ratio"].value != leaking.figures["decoupling/background_ratio"].value


def test_change_inside_a_region() -> None:
    noise = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 70, 3, 4, 4, generator=noise)
    region = torch.rand(70, 4, 4, generator=noise) > 0.5
    expected = [(x - y).abs().mean(0)[inside].mean() for x, y, inside in zip(a, b, region, strict=True)]
    assert torch.allclose(region_change(a, b, region), torch.stack(expected).double(), atol=1e-6)


def test_every_row_changes_one_attribute(independent: Tensor) -> None:
    changed, turn = change_one(independent, "binary")
    rows = torch.arange(len(turn))
    assert torch.equal((changed - independent).abs().sum(1), torch.ones(len(turn)))
    assert torch.equal(changed[rows, turn], 1 - independent[rows, turn]) and turn[:4].tolist() == [0, 1, 2, 0]
    one_hot = torch.eye(3)[torch.tensor([0, 1, 2, 0])]
    changed, turn = change_one(one_hot, "softmax")
    assert torch.equal(changed.argmax(1), turn) and (changed.sum(1) == 1).all() and not (changed * one_hot).any()
