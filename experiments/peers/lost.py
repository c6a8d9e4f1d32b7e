"""LOST (Siméoni et al., "Localizing Objects with Self-Supervised Transformers and no Labels", BMVC 2021).

In one image: the cell that is like the fewest others, by the sign of the inner product, is the seed; the least
connected cells that are like it join it; the object is what is like them all together, of which the seed's connected
part is taken. The paper takes the keys of a transformer's last layer; here it is the feature map.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.peers.base import Finder, Found, Observation, component_box

__all__ = ["LostPeer", "seed_and_scores"]

_MOST_SEEDS = 100
"""The paper's k: how many of the least connected cells may join the seed."""


class LostPeer:
    """LOST on each image alone."""

    def fit(self, observations: Sequence[Observation]) -> Finder:  # noqa: ARG002  (looks at no set)
        """Nothing is learnt from the set."""

        def find(seen: Observation) -> Found:
            seed, scores = seed_and_scores(seen.features)
            return Found(component_box(scores >= 0, seed, seen.width, seen.height), scores, 0.0)

        return find


def seed_and_scores(features: NDArray[np.float32]) -> tuple[int, NDArray[np.float32]]:
    """The seed, and how like the seeds every cell is.

    Args:
        features: (C, h, w) float32, of either sign: where none is negative, all cells are alike.

    Returns:
        Index of the seed in the flat grid, and (h, w) float32, at least 0 on the object.
    """
    rows = features.reshape(features.shape[0], -1).T
    alike = rows @ rows.T
    order = np.argsort((alike >= 0).sum(axis=1), kind="stable")
    seed = int(order[0])
    seeds = [cell for cell in order[:_MOST_SEEDS] if alike[cell, seed] >= 0]
    return seed, np.asarray(alike[:, seeds].sum(axis=1).reshape(features.shape[1:]), dtype=np.float32)
