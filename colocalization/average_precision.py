"""Average precision and recall over all boxes of a set, as COCO counts them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from colocalization.boxes import box_iou

__all__ = ["AveragePrecision", "DetectionScores"]

_RECALLS = np.linspace(0, 1, 101)
"""Recalls at which COCO reads the precision."""


@dataclass(frozen=True, slots=True)
class DetectionScores:
    """Scores over all boxes of a set, in percent.

    Attributes:
        average_precision: Mean of the precision at 101 recalls.
        recall: Share of the ground-truth boxes that a predicted box is right about.
    """

    average_precision: float
    recall: float


@dataclass
class AveragePrecision:
    """Accumulates images, then computes AP at one IoU (COCO's interpolation, one class, any size, no limit of boxes).

    Boxes are taken by falling score over the whole set; each is right where the ground-truth box of its image that it
    overlaps most has at least the IoU and is not taken yet.

    Example:
        >>> precision = AveragePrecision()
        >>> precision.add([[0, 0, 4, 4], [5, 5, 9, 9]], [0.9, 0.8], [[0, 0, 4, 4], [20, 20, 30, 30]])
        >>> precision.compute()
        DetectionScores(average_precision=50.495..., recall=50.0)
    """

    iou: float = 0.5
    _scores: list[float] = field(default_factory=list)
    _right: list[bool] = field(default_factory=list)
    _truths: int = 0

    def add(self, predicted: ArrayLike, scores: Sequence[float], truth: ArrayLike) -> None:
        """Add one image.

        Args:
            predicted: (N, 4) boxes; N may be 0.
            scores: (N,) scores, comparable over the set.
            truth: (M, 4) ground-truth boxes; M may be 0.
        """
        truths = np.asarray(truth, dtype=np.float64).reshape(-1, 4)
        boxes = np.asarray(predicted, dtype=np.float64).reshape(-1, 4)
        self._truths += len(truths)
        overlaps = box_iou(boxes, truths)
        taken: set[int] = set()
        for index in np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable"):
            best = int(overlaps[index].argmax()) if len(truths) else -1
            right = best >= 0 and best not in taken and bool(overlaps[index, best] >= self.iou)
            if right:
                taken.add(best)
            self._scores.append(float(scores[index]))
            self._right.append(right)

    def compute(self) -> DetectionScores:
        """Scores of all images added.

        Raises:
            ValueError: No image with a ground-truth box was added.
        """
        if not self._truths:
            raise ValueError("no ground-truth box was added")
        right = np.asarray(self._right, dtype=bool)[np.argsort(-np.asarray(self._scores), kind="stable")]
        hits = np.cumsum(right)
        recalls, precisions = hits / self._truths, hits / np.arange(1, len(hits) + 1)
        best = [float(precisions[recalls >= recall - 1e-12].max(initial=0.0)) for recall in _RECALLS]
        return DetectionScores(100 * float(np.mean(best)), 100 * float(hits[-1] / self._truths) if len(hits) else 0.0)
