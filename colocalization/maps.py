"""Maps over the image: normalisation, thresholds chosen without labels, upsampling."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["cropped", "min_max", "otsu_separability", "otsu_threshold", "touched_sides", "upsample"]

_OTSU_BINS = 256

_MOST_COUNTED = 2**24
"""OpenCV counts in float32, which is exact up to here."""


def min_max(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale a map linearly to [0, 1]; a constant map becomes 0.

    Args:
        values: (H, W) map, finite.

    Returns:
        (H, W) float32 [0, 1].

    Example:
        >>> min_max(np.array([[1.0, 2.0], [3.0, 5.0]])).tolist()
        [[0.0, 0.25], [0.5, 1.0]]
    """
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return np.zeros(values.shape, dtype=np.float32)
    return ((values - low) / (high - low)).astype(np.float32)


def otsu_threshold(values: NDArray[np.floating]) -> float:
    """Threshold that maximises the variance between the two classes (Otsu 1979), over values in [0, 1].

    Args:
        values: Values of any shape, of one map or of all maps of a set; those outside [0, 1] do not count.

    Returns:
        The threshold; values above it are foreground. The middle of the range of equally good cuts is taken, so that a
        map of two values is cut half-way between them.

    Example:
        >>> round(otsu_threshold(np.array([0.0, 0.0, 0.0, 1.0])), 2)
        0.5
    """
    between, _, edges = _variances(values)
    if not between.any():
        return 0.5
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float((edges[best[0] + 1] + edges[best[-1] + 1]) / 2)


def otsu_separability(values: NDArray[np.floating]) -> float:
    """How well Otsu's threshold tells two classes apart: their share of the variance (Otsu 1979, eta).

    Args:
        values: Values of any shape; those outside [0, 1] do not count.

    Returns:
        Between 0 (no two classes) and 1 (two values and nothing between). A Gaussian has 0.64.

    Example:
        >>> round(otsu_separability(np.array([0.0, 0.0, 0.0, 1.0])), 2)
        1.0
        >>> round(otsu_separability(np.linspace(0, 1, 1000)), 2)
        0.75
    """
    between, total, _ = _variances(values)
    return float(between.max() / total) if total > 0 else 0.0


def _variances(values: NDArray[np.floating]) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Variance between the classes of each cut, variance of all values, and the edges of the bins."""
    counts, edges = _histogram(values)
    centres = (edges[:-1] + edges[1:]) / 2
    total = counts.sum()
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = total - below
    weighted = counts * centres
    sum_below = np.cumsum(weighted)[:-1]
    valid = (below > 0) & (above > 0)
    mean_below = np.divide(sum_below, below, out=np.zeros_like(below), where=valid)
    mean_above = np.divide(weighted.sum() - sum_below, above, out=np.zeros_like(below), where=valid)
    between = np.where(valid, below * above * (mean_above - mean_below) ** 2, 0.0)
    if not total:
        return between, 0.0, edges
    spread = float((counts * (centres - weighted.sum() / total) ** 2).sum() / total)
    return between / total**2, spread, edges


def _histogram(values: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
    """What `np.histogram(values, 256, (0, 1))` gives, in a tenth of its time: a power of two makes the bins exact."""
    if values.size and (values.min() < 0 or values.max() > 1):
        values = values[(values >= 0) & (values <= 1)]
    scaled = values * _OTSU_BINS
    bins = np.minimum(scaled, _OTSU_BINS - 1, out=scaled).astype(np.uint8).reshape(-1)
    edges = np.linspace(0.0, 1.0, _OTSU_BINS + 1)
    if not 0 < bins.size < _MOST_COUNTED:
        return np.bincount(bins, minlength=_OTSU_BINS).astype(np.float64), edges
    return cv2.calcHist([bins], [0], None, [_OTSU_BINS], [0, _OTSU_BINS]).ravel().astype(np.float64), edges


def touched_sides(mask: NDArray[np.bool_], least: float) -> int:
    """How many of the four sides of its image a mask touches, each along more than a share `least` of it.

    Example:
        >>> touched_sides(np.array([[1, 1, 1], [0, 0, 0]], bool), 0.4)
        3
    """
    return sum(float(side.mean()) > least for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))


def upsample(values: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Upsample a map bilinearly; the corners of the map's cells are aligned to the corners of the image.

    Args:
        values: (h, w) float32 map.
        width: Width of the result, in pixels.
        height: Height of the result, in pixels.

    Returns:
        (height, width) float32.
    """
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def cropped(
    values: NDArray[np.float32], corners: tuple[float, float, float, float], width: int, height: int
) -> NDArray[np.float32]:
    """A part of a map, resampled bilinearly to a grid of its own.

    Args:
        values: (h, w) float32 map.
        corners: Left, top, right, bottom of the part as shares of the map's sides, in [0, 1].
        width: Columns of the result.
        height: Rows of the result.

    Returns:
        (height, width) float32; beyond the centres of the outermost cells their values go on.
    """
    x0, y0, x1, y1 = corners
    rows, columns = values.shape
    across, down = (x1 - x0) * columns / width, (y1 - y0) * rows / height
    # From the centres of the result's cells to places between the centres of the map's.
    backwards = np.array(
        [[across, 0, x0 * columns + across / 2 - 0.5], [0, down, y0 * rows + down / 2 - 0.5]], dtype=np.float64
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    found = cv2.warpAffine(values, backwards, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, dtype=np.float32)
