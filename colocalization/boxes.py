"""Boxes: intersection over union, non-maximum suppression, and boxes of the components of a map.

Boxes are half-open `x0, y0, x1, y1`, x to the right, y down.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Box", "Components", "box_iou", "connected_components", "non_maximum_suppression"]


@dataclass(frozen=True, slots=True)
class Box:
    """One box in pixels of the original image, half-open, with its score in [0, 1].

    The score of a result's box is an estimate of the probability that its IoU with an instance is at least 0.5; of one
    that a user has drawn it is 1.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    score: float

    def as_tuple(self) -> tuple[float, float, float, float]:
        """The corners `x0, y0, x1, y1`."""
        return self.x0, self.y0, self.x1, self.y1

    def within(self, width: float, height: float) -> "Box":
        """The part of the box that lies in an image of this size.

        Example:
            >>> Box(-0.5, 2.0, 3.0, 6.000000000000001, 0.5).within(4, 6)
            Box(x0=0.0, y0=2.0, x1=3.0, y1=6.0, score=0.5)
        """
        return Box(
            max(self.x0, 0.0), max(self.y0, 0.0), min(self.x1, float(width)), min(self.y1, float(height)), self.score
        )


def box_iou(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of every pair of boxes.

    Args:
        first: (N, 4) boxes.
        second: (M, 4) boxes.

    Returns:
        (N, M) float64 in [0, 1]; 0 where the union has no area.

    Raises:
        ValueError: An array is not of shape (N, 4).

    Example:
        >>> box_iou([[0, 0, 2, 2]], [[1, 0, 3, 2], [2, 0, 4, 2]]).round(3)
        array([[0.333, 0.   ]])
    """
    a, b = (np.asarray(boxes, dtype=np.float64) for boxes in (first, second))
    for boxes in (a, b):
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"expected an (N, 4) array of boxes, got shape {boxes.shape}")
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    intersection = np.clip(high - low, 0, None).prod(axis=2)
    union = _area(a)[:, None] + _area(b)[None, :] - intersection
    return np.asarray(np.divide(intersection, union, out=np.zeros_like(union), where=union > 0))


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1))


def non_maximum_suppression(boxes: ArrayLike, scores: ArrayLike, iou_threshold: float = 0.5) -> NDArray[np.intp]:
    """Greedy non-maximum suppression.

    Args:
        boxes: (N, 4) boxes.
        scores: (N,) scores.
        iou_threshold: A box is dropped when its IoU with a kept, better box is above this.

    Returns:
        (K,) indices of the kept boxes, best first; equal scores keep their order.

    Raises:
        ValueError: There are not as many scores as boxes, or the boxes are not of shape (N, 4).

    Example:
        >>> non_maximum_suppression([[0, 0, 4, 4], [0, 0, 4, 5], [6, 6, 8, 8]], [0.9, 0.8, 0.7]).tolist()
        [0, 2]
    """
    count = len(np.asarray(boxes))
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    if order.shape != (count,):
        raise ValueError(f"expected a score for each of {count} boxes, got scores of shape {order.shape}")
    iou = box_iou(boxes, boxes) if count else np.zeros((0, 0))
    kept: list[int] = []
    for index in order:
        if all(iou[index, other] <= iou_threshold for other in kept):
            kept.append(int(index))
    return np.asarray(kept, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Components:
    """The 8-connected components of a mask, largest area first; those of equal area in scan order.

    Attributes:
        boxes: (N, 4) intp `x0, y0, x1, y1` in pixels of the mask.
        areas: (N,) intp, pixels of each.
    """

    boxes: NDArray[np.intp]
    areas: NDArray[np.intp]
    _labels: NDArray[np.int32]
    _order: NDArray[np.intp]

    def inside(self, index: int, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Values at the pixels of a component.

        Args:
            index: Which component.
            values: (H, W), of the mask's shape.

        Returns:
            (area,) values in scan order.
        """
        x0, y0, x1, y1 = self.boxes[index]
        return np.asarray(values[y0:y1, x0:x1][self._labels[y0:y1, x0:x1] == self._order[index]])


def connected_components(mask: NDArray[np.bool_]) -> Components:
    """Find the 8-connected components of a mask.

    Args:
        mask: (H, W) bool.

    Example:
        >>> connected_components(np.array([[1, 0, 0, 1], [0, 0, 1, 1]], bool)).boxes.tolist()
        [[2, 0, 4, 2], [0, 0, 1, 1]]
    """
    bits = np.ascontiguousarray(mask).view(np.uint8)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(bits, connectivity=8)
    found = statistics[1:].astype(np.intp)  # the first is the background
    lefts, tops, widths, heights, areas = found.T
    boxes = np.stack([lefts, tops, lefts + widths, tops + heights], axis=1)
    # OpenCV numbers them by blocks of pixels. A component's first pixel is the first of its own in its top row.
    starts = [
        int(np.argmax(labels[y0, x0:x1] == label)) + x0 for label, (x0, y0, x1, _) in enumerate(boxes.tolist(), start=1)
    ]
    order = np.lexsort((starts, tops, -areas))
    return Components(boxes[order], areas[order], labels, order + 1)
