"""Measures against a slow truth, and the scorer on faces whose layout is exactly known."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gan.data import RowsAtSize
from gan.errors import DataError
from gan.evaluation import Consistency, class_iou, confusion_matrix, evaluate, mean_iou, pixel_accuracy, train_segmentor
from gan.loading import load_generator


def test_iou_against_sets_of_pixels() -> None:
    torch.manual_seed(0)
    truth, predicted = torch.randint(4, (3, 6, 5)), torch.randint(4, (3, 6, 5))
    confusion = confusion_matrix(truth, predicted, 5)  # class 4 occurs nowhere
    slow = []
    for k in range(4):
        ours, theirs = (set(torch.nonzero(m.flatten() == k).flatten().tolist()) for m in (truth, predicted))
        slow.append(len(ours & theirs) / len(ours | theirs))
    assert class_iou(confusion)[:4].tolist() == pytest.approx(slow)
    assert class_iou(confusion)[4].isnan()
    assert mean_iou(confusion) == pytest.approx(sum(slow) / 4)
    assert mean_iou(confusion, background=False) == pytest.approx(sum(slow[1:]) / 3)


def test_accuracy_is_taken_image_by_image() -> None:
    truth = torch.tensor([[[0, 1], [1, 1]], [[2, 2], [2, 2]]])
    predicted = torch.tensor([[[0, 1], [0, 0]], [[2, 2], [2, 0]]])
    assert pixel_accuracy(truth, predicted).tolist() == [0.5, 0.75]


def test_share_of_the_way() -> None:
    assert Consistency(floor=0.9204, value=0.9895, ceiling=0.9928).share == pytest.approx(0.954, abs=5e-4)


class Oracle(nn.Module):
    """Read the class that a picture's red channel spells."""

    def forward(self, x: Tensor) -> Tensor:
        classes = torch.arange(7.0).view(1, 7, 1, 1)
        return -((x[:, :1] - classes / 10).abs())


class Spelling(nn.Module):
    """A generator that keeps to its layout in the upper half only."""

    def __init__(self, like: nn.Module) -> None:
        super().__init__()
        self.scheme, self.device, self.draw_z = like.scheme, torch.device("cpu"), like.draw_z

    def forward(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        x = s.argmax(1, keepdim=True).expand(-1, 3, -1, -1) / 10
        return torch.cat([x[:, :, : x.shape[2] // 2], torch.full_like(x[:, :, x.shape[2] // 2 :], 0.6)], dim=2)


def test_value_is_measured_on_generated_images(small_run: Path, drawn_shards: Path) -> None:
    rows = [RowsAtSize(drawn_shards, "val", 32), RowsAtSize(drawn_shards, "test", 32)]
    result = evaluate(Spelling(load_generator(small_run)), Oracle(), rows)
    layouts = rows[0].read(range(8)).s_idx
    expected = 0.5 + (layouts[:, 16:] == 6).float().mean() / 2
    assert result.consistency.value == pytest.approx(expected.item()) and result.images == 8


def test_a_trained_scorer_tells_floor_from_ceiling(small_run: Path, drawn_shards: Path) -> None:
    train, val = (RowsAtSize(drawn_shards, split, 32) for split in ("train", "val"))
    scorer = train_segmentor(
        train,
        width=8,
        blocks=1,
        steps=100,
        seed=9,
        batch=8,
        learning_rate=5e-3,
        device=torch.device("cpu"),
    )
    result = evaluate(load_generator(small_run), scorer, [val])
    assert result.consistency.floor + 0.02 < result.consistency.ceiling > 0.9
    assert class_iou(result.confusion)[1] > 0.7  # the skin; eyes are a few pixels at this size
    assert result.confusion.sum() == 8 * 32 * 32


def test_nothing_to_evaluate_on(small_run: Path, drawn_shards: Path) -> None:
    with pytest.raises(DataError, match="at least 2 rows are needed to evaluate, and there are 0"):
        evaluate(load_generator(small_run), Oracle(), [RowsAtSize(drawn_shards, "test", 32)])
