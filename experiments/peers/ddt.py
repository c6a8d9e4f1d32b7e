"""Deep descriptor transforming (Wei, Zhang, Li, Xie, Wu, Shen, Zhou, Pattern Recognition 2019; arXiv 2017).

Descriptors of all images of the set, mean removed, first principal component p; map P = <f - mean, p>, object where
P > 0, largest component. The paper leaves the component's sign open; here the object has the longer descriptors.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.peers.base import Finder, Found, Observation, cut_box

__all__ = ["DescriptorTransform", "principal_direction"]


class DescriptorTransform:
    """DDT on the last block's features."""

    def fit(self, observations: Sequence[Observation]) -> Finder:
        """Find the first principal component over the set."""
        mean, direction = principal_direction(observations)

        def find(seen: Observation) -> Found:
            positions = np.einsum("c,chw->hw", direction, seen.features) - direction @ mean
            heatmap = np.asarray(positions, dtype=np.float32)
            return Found(cut_box(heatmap, 0.0, seen.width, seen.height), heatmap, 0.0)

        return find


def principal_direction(observations: Sequence[Observation]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and first principal component of all descriptors, accumulated image by image.

    Args:
        observations: The set, at least one image.

    Returns:
        (C,) float64 mean, and (C,) float64 component of length 1 along which descriptors grow longer.
    """
    channels = observations[0].features.shape[0]
    count = 0
    total, products = np.zeros(channels), np.zeros((channels, channels))
    lengths, weighted = 0.0, np.zeros(channels)
    for seen in observations:
        rows = seen.features.reshape(channels, -1).astype(np.float64)
        length = np.linalg.norm(rows, axis=0)
        count += rows.shape[1]
        total += rows.sum(axis=1)
        products += rows @ rows.T
        lengths += float(length.sum())
        weighted += rows @ length
    mean = total / count
    _, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
    direction = vectors[:, -1]
    # Covariance of the position along the component with the descriptor's length.
    with_length = direction @ (weighted / count - mean * lengths / count)
    return mean, np.asarray(direction if with_length >= 0 else -direction)
