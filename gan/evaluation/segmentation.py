"""How well predicted layouts agree with true ones: confusion, intersection over union, share of equal pixels."""

import torch
from torch import Tensor


def confusion_matrix(truth: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Count pixels by true class (rows) and predicted class (columns): int64 (classes, classes).

    `truth` int64 and `predicted` of any whole numbers are class indices of one shape.
    """
    return torch.bincount(truth.flatten() * classes + predicted.flatten(), minlength=classes**2).view(classes, classes)


def class_iou(confusion: Tensor) -> Tensor:
    """Give intersection over union by class, float64 (K,); NaN for a class that neither side has."""
    hit = confusion.diag().double()
    return hit / (confusion.sum(0) + confusion.sum(1) - hit)


def mean_iou(confusion: Tensor, *, background: bool = True) -> float:
    """Average `class_iou` over the classes that occur, with or without class 0."""
    return float(class_iou(confusion)[0 if background else 1 :].nanmean())


def pixel_accuracy(truth: Tensor, predicted: Tensor) -> Tensor:
    """Give each image's share of equal pixels: (N, H, W), (N, H, W) -> float64 (N,)."""
    return (truth == predicted).flatten(1).mean(1, dtype=torch.float64)
