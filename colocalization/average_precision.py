"""Average precision and recall over all boxes of a set, at one IoU threshold, as COCO computes them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from colocalization.boxes import box_iou

__all__ = ["AveragePrecision", "AveragePrecisionScores"]

_RECALLS = np.linspace(0, 1, 101)
"""Recalls at which the precision is read off, as COCO does."""


@dataclass(frozen=True, slots=True)
class AveragePrecisionScores:
    """Average precision of a set of images.

    Attributes:
        threshold: IoU from which on a box is right.
        average_precision: In percent.
        recall: Share of the ground-truth boxes that are found by any of the predicted boxes, in percent.
        truth: Number of ground-truth boxes.
        predicted: Number of predicted boxes.
    """

    threshold: float
    average_precision: float
    recall: float
    truth: int
    predicted: int

    def __str__(self) -> str:
        return (
            f"AP{100 * self.threshold:.0f} {self.average_precision:.2f}  recall: {self.recall:.2f}  "
            f"(boxes: {self.truth}, predicted: {self.predicted})"
        )


@dataclass
class AveragePrecision:
    """Accumulates images, then computes average precision (COCO's, interpolated at 101 recalls) and recall.

    In each image, boxes are matched best score first: each to the ground-truth box that it overlaps most among those
    that are still free, if their IoU is at least the threshold. There is no limit of boxes an image.

    Example:
        >>> precision = AveragePrecision()
        >>> precision.add([[0, 0, 4, 4], [8, 8, 9, 9]], [0.9, 0.8], [[0, 0, 4, 4]])
        >>> precision.add([], [], [[0, 0, 4, 4]])
        >>> print(precision.compute())
        AP50 50.50  recall: 50.00  (boxes: 2, predicted: 2)
    """

    threshold: float = 0.5
    _scores: list[NDArray[np.float64]] = field(default_factory=list)
    _right: list[NDArray[np.bool_]] = field(default_factory=list)
    _truth: int = 0

    def add(self, predicted: ArrayLike, scores: ArrayLike, truth: ArrayLike) -> None:
        """Add one image.

        Args:
            predicted: (N, 4) boxes; N may be 0.
            scores: (N,) scores, which order the boxes of all images.
            truth: (M, 4) ground-truth boxes; M may be 0.

        Raises:
            ValueError: There are not as many scores as boxes, or an array has another shape.
        """
        boxes = np.asarray(predicted, dtype=np.float64).reshape(-1, 4)
        values = np.asarray(scores, dtype=np.float64)
        truth_boxes = np.asarray(truth, dtype=np.float64).reshape(-1, 4)
        if values.shape != (len(boxes),):
            raise ValueError(f"expected a score for each of {len(boxes)} boxes, got scores of shape {values.shape}")
        order = np.argsort(-values, kind="stable")
        self._scores.append(values[order])
        self._right.append(self._matched(box_iou(boxes[order], truth_boxes)))
        self._truth += len(truth_boxes)

    def _matched(self, ious: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(N,) whether each box finds a ground-truth box of its own, from their (N, M) IoUs, best score first."""
        right = np.zeros(len(ious), dtype=bool)
        free = ious.copy()
        for index in range(len(ious)):
            if free.shape[1] and free[index].max() >= self.threshold:
                right[index] = True
                free[:, free.shape[1] - 1 - int(free[index, ::-1].argmax())] = -1  # the last of equals, as COCO does
        return right

    def compute(self) -> AveragePrecisionScores:
        """Average precision over all images added.

        Raises:
            ValueError: No ground-truth box was added.
        """
        if not self._truth:
            raise ValueError("no ground-truth box was added")
        scores, right = np.concatenate(self._scores), np.concatenate(self._right)
        hits = np.cumsum(right[np.argsort(-scores, kind="stable")])
        recall = hits / self._truth
        precision = hits / np.arange(1, len(hits) + 1)
        # The best precision at this recall or a higher one; 0 where the recall is never reached.
        envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
        average = float(envelope[np.searchsorted(recall, _RECALLS)].mean())
        found = float(recall[-1]) if len(recall) else 0.0
        return AveragePrecisionScores(self.threshold, 100 * average, 100 * found, self._truth, len(scores))
