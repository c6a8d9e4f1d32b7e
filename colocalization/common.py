"""The step over the set: what the pictures have in common, and where it is in each."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["sample_indices"]


def sample_indices(count: int, limit: int) -> NDArray[np.intp]:
    """Indices of at most `limit` pictures, spread evenly over a set of `count`.

    Args:
        count: Size of the set.
        limit: Most indices to return, at least 1.

    Returns:
        (min(count, limit),) strictly increasing indices.

    Example:
        >>> sample_indices(10, 4).tolist()
        [0, 2, 5, 7]
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    kept = min(count, limit)
    return (np.arange(kept) * count // max(kept, 1)).astype(np.intp)
