"""Measures of layouts against scikit-learn and hand-made truths, and judges on faces whose layout is exactly known."""

from pathlib import Path

import pytest
import torch
from sklearn.metrics import accuracy_score, jaccard_score
from sklearn.metrics import confusion_matrix as sklearn_confusion
from torch import Tensor, nn

from gan.data.rows import RowsAtSize
from gan.errors import DataError
from gan.evaluation import Consistency, class_iou, confusion_matrix, evaluate, mean_iou, pixel_accuracy
from gan.runs.loading import load_generator
from gan.systems.given import Given


def test_against_scikit_learn() -> None:
    torch.manual_seed(0)
    truth, predicted = torch.randint(4, (3, 6, 5)), torch.randint(4, (3, 6, 5))
    flat = truth.flatten().numpy(), predicted.flatten().numpy()
    confusion = confusion_matrix(truth, predicted, 5)  # class 4 occurs nowhere
    assert (confusion.numpy() == sklearn_confusion(*flat, labels=range(5))).all()
    expected = jaccard_score(*flat, labels=range(4), average=None)
    assert class_iou(confusion)[:4].tolist() == pytest.approx(expected)
    assert class_iou(confusion)[4].isnan()
    assert mean_iou(confusion) == pytest.approx(expected.mean())
    assert mean_iou(confusion, background=False) == pytest.approx(expected[1:].mean())
    by_image = [accuracy_score(a.flatten(), b.flatten()) for a, b in zip(truth, predicted, strict=True)]
    assert pixel_accuracy(truth, predicted).tolist() == pytest.approx(by_image)


def test_share_of_the_way() -> None:
    assert Consistency(floor=0.9204, value=0.9895, ceiling=0.9928).share == pytest.approx(0.954, abs=5e-4)


class Oracle(nn.Module):
    """Read the class that a picture's red channel spells."""

    def forward(self, x: Tensor) -> Tensor:
        classes = torch.arange(7.0).view(1, 7, 1, 1)
        return -((x[:, :1] - classes / 10).abs())


class Spelling(nn.Module):
    """A generator that keeps to its layout in the upper half only."""

    takes = ("z", "c", "s")

    def __init__(self, like: nn.Module) -> None:
        super().__init__()
        self.scheme, self.device, self.draw_z = like.scheme, torch.device("cpu"), like.draw_z

    def make(self, given: Given) -> Tensor:
        (s,) = given.inputs("s")
        x = s.argmax(1, keepdim=True).expand(-1, 3, -1, -1) / 10
        return torch.cat([x[:, :, : x.shape[2] // 2], torch.full_like(x[:, :, x.shape[2] // 2 :], 0.6)], dim=2)


def test_value_is_measured_on_generated_images(small_run: Path, drawn_shards: Path) -> None:
    rows = [RowsAtSize(drawn_shards, "val", 32), RowsAtSize(drawn_shards, "test", 32)]
    result = evaluate(Spelling(load_generator(small_run)), Oracle(), rows)
    layouts = rows[0].read(range(8)).s_idx
    expected = 0.5 + (layouts[:, 16:] == 6).float().mean() / 2
    assert result.consistency.value == pytest.approx(expected.item()) and result.images == 8
    # Wrong pixels are all in the lower half, and all are called class 6.
    wrong = result.generated.sum() - result.generated.diag().sum()
    assert wrong == (layouts[:, 16:] != 6).sum() == result.generated[:6, 6].sum()


def test_fewer_rows(small_run: Path, drawn_shards: Path) -> None:
    rows = [RowsAtSize(drawn_shards, split, 32) for split in ("val", "train")]
    generator = load_generator(small_run)
    assert evaluate(generator, Oracle(), rows, count=10).confusion.sum() == 10 * 32 * 32
    with pytest.raises(DataError, match="at least 2 rows are needed to evaluate, and there are 1"):
        evaluate(generator, Oracle(), rows, count=1)
    with pytest.raises(DataError, match="at least 2 rows are needed to evaluate, and there are 0"):
        evaluate(generator, Oracle(), [RowsAtSize(drawn_shards, "test", 32)])
