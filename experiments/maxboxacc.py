"""MaxBoxAccV2 (Choe et al., CVPR 2020), the score of weakly supervised localization, as a second opinion on maps.

For each IoU threshold the share of images of which any component's box at a cut hits any ground-truth box, at the
best cut for the whole set; then the mean over the IoU thresholds. The cut is chosen on the boxes, so that it is a bound
on what a map allows and no method.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import box_iou
from colocalization.corloc import IOU_THRESHOLDS
from colocalization.maps import min_max, upsample

__all__ = ["MaxBoxAcc"]

_SIDE = 224
_CUTS = np.arange(0.0, 1.0, 0.02)
"""The paper's cuts are 0.001 apart; twenty times fewer change the score by some tenths of a point."""


class MaxBoxAcc:
    """Accumulates the maps of a set, then computes the score."""

    def __init__(self) -> None:
        self._hits = np.zeros((len(_CUTS), len(IOU_THRESHOLDS)))
        self._count = 0

    def add(self, heatmap: NDArray[np.floating], truth: NDArray[np.float64]) -> None:
        """Add one image.

        Args:
            heatmap: (h, w) map over the whole image, of any range.
            truth: (M, 4) ground-truth boxes as shares of the image's width and height, M >= 1.
        """
        self._count += 1
        values = upsample(min_max(heatmap), _SIDE, _SIDE)
        boxes = truth * _SIDE
        for index, cut in enumerate(_CUTS):
            mask = (values > cut).astype(np.uint8)
            count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
            if count > 1:
                x, y, width, height = stats[1:, :4].T
                best = box_iou(np.stack([x, y, x + width, y + height], axis=1), boxes).max()
                self._hits[index] += best >= np.asarray(IOU_THRESHOLDS)

    def compute(self) -> float:
        """The score, in percent.

        Raises:
            ValueError: No image was added.
        """
        if self._count == 0:
            raise ValueError("no image was added")
        return float(100 * (self._hits.max(axis=0) / self._count).mean())
