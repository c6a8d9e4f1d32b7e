"""From the coarse grid of the map to the object's outline in the image."""

import cv2
import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import box_iou, connected_components

__all__ = ["refine"]

_ROUNDS = 1
"""More give the same boxes (CorLoc within 0.1 of three rounds on 1,362 photographs) and take twice as long."""

_LEAST_LEFT = 0.2
"""Share of what the map takes for background that the outline must leave where none of it is sure."""

_SURE_MARGIN, _SURE_OVERLAP = 0.15, 0.75
"""Where the boxes of the map cut so far above and below the threshold overlap by such an IoU, its edge is steep, and
the colours would move the box by little."""


def refine(
    rgb: NDArray[np.uint8], heatmap: NDArray[np.float32], *, threshold: float = 0.5, margin: float = 0.25
) -> NDArray[np.bool_]:
    """Foreground of an image by GrabCut (Rother, Kolmogorov, Blake 2004), started from a heat map.

    Above `threshold + margin` a pixel is sure to be foreground, below `threshold - margin` sure to be background; the
    colours of both sides decide between. Where the map's edge is steep it stays as it is.

    Args:
        rgb: (H, W, 3) uint8 image; about 200 pixels a side are enough and quick.
        heatmap: (H, W) float32.
        threshold: Where the doubt is greatest, in units of the heat map.
        margin: How far from it doubt ends.

    Returns:
        (H, W) bool; the thresholded heat map where it leaves nothing to decide, or the colours would leave nothing of
        one side.
    """
    likely = np.asarray(heatmap > threshold)
    if likely.all() or not likely.any() or _is_sure(heatmap, threshold):
        return likely
    labels = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[heatmap > threshold + margin] = cv2.GC_FGD
    labels[heatmap < threshold - margin] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # k-means inside draws from the thread's generator; the same image must give the same box
    backgrounds, foregrounds = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(rgb), labels, None, backgrounds, foregrounds, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))
    # The colours can outvote a side of which nothing is sure, and must not, as they do in drawings of few flat colours.
    least = 0.0 if (labels == cv2.GC_BGD).any() else _LEAST_LEFT * np.count_nonzero(~likely)
    return found if found.any() and np.count_nonzero(~found) > least else likely


def _is_sure(heatmap: NDArray[np.float32], threshold: float) -> bool:
    """Whether the box of the map's largest part hardly depends on where the map is cut."""
    wide, narrow = (
        connected_components(heatmap > cut).boxes[:1] for cut in (threshold - _SURE_MARGIN, threshold + _SURE_MARGIN)
    )
    return len(narrow) > 0 and bool(box_iou(wide, narrow)[0, 0] > _SURE_OVERLAP)
