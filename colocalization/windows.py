"""Windows over a map of scores: where something of a known size stands out."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["WindowSize", "box_cells", "box_coverage", "find_windows"]

_RING = 1.6
"""Side of the surroundings that a window is compared with, in sides of the window."""

_RING_WEIGHT = 0.7
"""How much of the surroundings' mean is taken from the window's: below 1, since instances may lie side by side."""

_STRIDE = 1 / 6
"""Step from a window to the next, in its shorter sides."""

_OVERLAP = 0.3
"""IoU from which on two windows are taken for the same instance."""

_MOST = 2000
"""Windows that are compared with each other, best first."""

_UNITS = 1e4
"""Units of an image's side in which windows are compared."""

_RANGE = (-0.5, 1.5)
"""Scores beyond count as these: 0 is the mean of the background and 1 that of the object."""


@dataclass(frozen=True, slots=True)
class WindowSize:
    """Size of an instance, whatever the shape of the image it is in.

    Attributes:
        side: Root of its share of the image's area, in (0, 1].
        aspect: Its width by its height, in pixels.
    """

    side: float
    aspect: float

    @classmethod
    def of(cls, corners: Sequence[float], width: int, height: int) -> "WindowSize":
        """Size of a box given as shares of the sides of an image of `width` x `height` pixels."""
        across, down = corners[2] - corners[0], corners[3] - corners[1]
        return cls(sqrt(across * down), across * width / (down * height))

    def shares(self, width: int, height: int) -> tuple[float, float]:
        """Width and height as shares of the sides of an image of this size, at most 1 each.

        Example:
            >>> WindowSize(0.2, 1.0).shares(400, 100)
            (0.1, 0.4)
        """
        stretch = sqrt(self.aspect * height / width)
        return min(1.0, self.side * stretch), min(1.0, self.side / stretch)


def box_cells(corners: Sequence[float], rows: int, columns: int) -> NDArray[np.bool_]:
    """Cells of a grid whose centres lie in a box, at least one.

    Args:
        corners: `x0, y0, x1, y1` as shares of the image's sides.
        rows: Rows of the grid.
        columns: Its columns.

    Returns:
        (rows, columns) bool.

    Example:
        >>> box_cells((0.5, 0.0, 1.0, 0.5), 2, 2).tolist()
        [[False, True], [False, False]]
    """
    inside = []
    for low, high, count in ((corners[1], corners[3], rows), (corners[0], corners[2], columns)):
        centres = (np.arange(count) + 0.5) / count
        chosen = (centres > low) & (centres < high)
        if not chosen.any():
            chosen[min(max(int((low + high) / 2 * count), 0), count - 1)] = True
        inside.append(chosen)
    return np.asarray(np.outer(*inside))


def box_coverage(corners: Sequence[float], rows: int, columns: int) -> NDArray[np.float32]:
    """Share of each cell of a grid that a box covers.

    Args:
        corners: `x0, y0, x1, y1` as shares of the sides of what the grid lies over.
        rows: Rows of the grid.
        columns: Its columns.

    Returns:
        (rows, columns) float32 [0, 1].

    Example:
        >>> box_coverage((0.0, 0.0, 0.75, 1.0), 1, 2).tolist()
        [[1.0, 0.5]]
    """
    sides = []
    for low, high, count in ((corners[1], corners[3], rows), (corners[0], corners[2], columns)):
        edges = np.arange(count + 1) / count
        sides.append(np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None) * count)
    return np.asarray(np.outer(*sides), dtype=np.float32)


def find_windows(
    scores: NDArray[np.float32], sizes: Sequence[tuple[float, float]], most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Windows in which scores are high and around which they are low, best first.

    A window's value is the mean of the scores in it, less 0.7 times the mean in the ring around it.

    Args:
        scores: (h, w) float32; 0 at the mean of the background, 1 at that of the object.
        sizes: Widths and heights of windows to try, as shares of the map's sides.
        most: Most windows to give.

    Returns:
        (K, 4) float64 `x0, y0, x1, y1` as shares, and (K,) float64 values, K <= most; at least one window.
    """
    rows, columns = scores.shape
    integral = cv2.integral(np.clip(scores, *_RANGE).astype(np.float32), sdepth=cv2.CV_64F)
    boxes, values = [], []
    for across, down in sizes:
        width, height = min(across, 1.0) * columns, min(down, 1.0) * rows
        step = max(0.5, _STRIDE * min(width, height))
        x, y = np.meshgrid(np.arange(0, columns - width + 1e-6, step), np.arange(0, rows - height + 1e-6, step))
        corners = np.stack([x, y, x + width, y + height], axis=-1).reshape(-1, 4)
        grown = np.array([-width, -height, width, height]) * (_RING - 1) / 2
        outer = np.clip(corners + grown, 0, [columns, rows, columns, rows])
        inner_sum, outer_sum = _sums(integral, corners), _sums(integral, outer)
        area = width * height
        ring = (outer[:, 2] - outer[:, 0]) * (outer[:, 3] - outer[:, 1]) - area
        around = np.divide(outer_sum - inner_sum, ring, out=np.zeros_like(ring), where=ring > 1e-6)
        boxes.append(corners / [columns, rows, columns, rows])
        values.append(inner_sum / area - _RING_WEIGHT * around)
    found, worth = np.concatenate(boxes), np.concatenate(values)
    order = np.argsort(-worth, kind="stable")[:_MOST]
    found, worth = found[order], worth[order]
    # OpenCV's, since ours compares all pairs; it takes left, top, width, height, and scores above 0.
    sized = np.concatenate([found[:, :2], found[:, 2:] - found[:, :2]], axis=1) * _UNITS
    kept = (
        np.asarray(cv2.dnn.NMSBoxes(sized.tolist(), (worth - worth.min() + 1.0).tolist(), 0.0, _OVERLAP))
        .reshape(-1)[:most]
        .astype(np.intp)
    )
    return found[kept], worth[kept]


def _sums(integral: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over (N, 4) boxes in cells, whose corners may lie within cells."""

    def at(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        left = np.clip(x.astype(np.intp), 0, integral.shape[1] - 2)
        top = np.clip(y.astype(np.intp), 0, integral.shape[0] - 2)
        right, low = x - left, y - top
        upper = integral[top, left] * (1 - right) + integral[top, left + 1] * right
        lower = integral[top + 1, left] * (1 - right) + integral[top + 1, left + 1] * right
        return np.asarray(upper * (1 - low) + lower * low)

    x0, y0, x1, y1 = corners.T
    return at(x1, y1) - at(x0, y1) - at(x1, y0) + at(x0, y0)
