"""Length of the features and representer point selection together, the rough baseline of this project's start."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from colocalization.maps import min_max, otsu_threshold
from experiments.peers.base import Finder, Found, Observation, cut_box
from experiments.peers.representer import representer_map, set_direction

__all__ = ["NormRepresenter"]


class NormRepresenter:
    """Mean of the features' l2 norm and the representer map, each min-max normalised; one Otsu cut for the set."""

    def fit(self, observations: Sequence[Observation]) -> Finder:
        """Find the representer's direction and the cut over the set."""
        direction = set_direction(observations)
        threshold = otsu_threshold(np.concatenate([_map(seen, direction).ravel() for seen in observations]))

        def find(seen: Observation) -> Found:
            heatmap = _map(seen, direction)
            return Found(cut_box(heatmap, threshold, seen.width, seen.height), heatmap, threshold)

        return find


def _map(seen: Observation, direction: NDArray[np.float32]) -> NDArray[np.float32]:
    norm = np.linalg.norm(seen.features, axis=0)
    both = min_max(norm) + min_max(representer_map(seen.features, direction))
    return np.asarray(both / 2, dtype=np.float32)
