"""CorLoc: the share of images whose best box overlaps a ground-truth box, at several IoU thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from colocalization.boxes import box_iou

__all__ = ["IOU_THRESHOLDS", "CorLoc", "CorLocScores"]

IOU_THRESHOLDS = (0.3, 0.5, 0.7)


@dataclass(frozen=True, slots=True)
class CorLocScores:
    """CorLoc of a set of images, in percent.

    Attributes:
        images: Number of images scored.
        missing: How many of them have no predicted box; each is a miss.
        at: CorLoc at each IoU threshold.
        mean: Mean over the thresholds ("CorLoc Mean" of Ki et al. 2021).
    """

    images: int
    missing: int
    at: dict[float, float]
    mean: float

    def __str__(self) -> str:
        parts = "  ".join(f"{threshold:g}: {value:.2f}" for threshold, value in self.at.items())
        return f"CorLoc {parts}  mean: {self.mean:.2f}  (images: {self.images}, without a box: {self.missing})"


@dataclass
class CorLoc:
    """Accumulates images, then computes CorLoc (Ki et al. 2021; Deselaers et al. 2012).

    An image is a hit at threshold t when its first box has IoU >= t with any of its ground-truth boxes. An image
    without a predicted box is a miss.

    Example:
        >>> corloc = CorLoc()
        >>> corloc.add([[0, 0, 10, 10]], [[0, 0, 10, 6]])
        >>> corloc.add([], [[0, 0, 10, 10]])
        >>> print(corloc.compute())
        CorLoc 0.3: 50.00  0.5: 50.00  0.7: 0.00  mean: 33.33  (images: 2, without a box: 1)
    """

    thresholds: tuple[float, ...] = IOU_THRESHOLDS
    _ious: list[float] = field(default_factory=list)
    _missing: int = 0

    def add(self, predicted: ArrayLike | Sequence[object], truth: ArrayLike) -> None:
        """Add one image.

        Args:
            predicted: (N, 4) boxes, best first; only the first counts, and N may be 0.
            truth: (M, 4) ground-truth boxes, M >= 1.

        Raises:
            ValueError: The image has no ground-truth box, or an array has another shape.
        """
        truth_boxes = np.asarray(truth, dtype=np.float64)
        if truth_boxes.size == 0:
            raise ValueError("an image without a ground-truth box cannot be scored")
        boxes = np.asarray(predicted, dtype=np.float64)
        if boxes.size == 0:
            self._missing += 1
            self._ious.append(0.0)
        else:
            self._ious.append(float(box_iou(boxes[:1], truth_boxes).max()))

    @property
    def ious(self) -> NDArray[np.float64]:
        """(N,) float64 in [0, 1]: best IoU of each image's first box, in the order added."""
        return np.asarray(self._ious, dtype=np.float64)

    def compute(self) -> CorLocScores:
        """CorLoc of all images added.

        Raises:
            ValueError: No image was added.
        """
        if not self._ious:
            raise ValueError("no image was added")
        at = {threshold: 100.0 * float(np.mean(self.ious >= threshold)) for threshold in self.thresholds}
        return CorLocScores(len(self._ious), self._missing, at, float(np.mean(list(at.values()))))
