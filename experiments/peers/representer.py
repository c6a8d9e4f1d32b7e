"""Representer point selection (Song et al., ICCV 2023).

Over the set: v the mean feature, u the mean unit-length feature, w = v - u |v| / |u|. Map relu(<f / |f|, w>), cut by
Otsu's threshold of the image, largest component. The direction is the core's, where it starts our own step.
"""

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from colocalization.descriptors import descriptors
from colocalization.discriminant import representer_direction
from colocalization.maps import min_max, otsu_threshold, upsample
from experiments.peers.base import Finder, Found, Observation, cut_box

__all__ = ["Representer", "representer_map", "set_direction"]


class Representer:
    """Representer point selection on the last block's features."""

    def fit(self, observations: Sequence[Observation]) -> Finder:
        """Find the representer's direction over the set."""
        direction = set_direction(observations)

        def find(seen: Observation) -> Found:
            heatmap = min_max(representer_map(seen.features, direction))
            threshold = otsu_threshold(upsample(heatmap, seen.width, seen.height))
            return Found(cut_box(heatmap, threshold, seen.width, seen.height), heatmap, threshold)

        return find


class _Features(Sequence[NDArray[np.float32]]):
    """The features of a set, read when they are asked for."""

    def __init__(self, observations: Sequence[Observation]) -> None:
        self._observations = observations

    def __len__(self) -> int:
        return len(self._observations)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[np.float32]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        if isinstance(index, slice):
            return [seen.features for seen in self._observations[index]]
        return self._observations[index].features


def set_direction(observations: Sequence[Observation]) -> NDArray[np.float32]:
    """The representer's direction of a set, (C,) float32 of length 1."""
    return representer_direction(_Features(observations))


def representer_map(features: NDArray[np.float32], direction: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map relu(<f / |f|, w>).

    Args:
        features: (C, h, w) float32.
        direction: (C,) float32.

    Returns:
        (h, w) float32, at least 0.
    """
    positions = np.maximum(descriptors(features) @ direction, 0)
    return np.asarray(positions.reshape(features.shape[1:]), dtype=np.float32)
