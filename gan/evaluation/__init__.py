"""Honest measures of a trained generator; each figure's recipe stands in docs/measures.md."""

from gan.evaluation.consistency import Consistency, Evaluation, evaluate
from gan.evaluation.segmentation import class_iou, confusion_matrix, mean_iou, pixel_accuracy

__all__ = ["Consistency", "Evaluation", "class_iou", "confusion_matrix", "evaluate", "mean_iou", "pixel_accuracy"]
