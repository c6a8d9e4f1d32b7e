"""TokenCut (Wang et al., "Self-Supervised Transformers for Unsupervised Object Discovery using Normalized Cut", 2022).

In one image: a graph over the cells, with an edge of weight 1 where the cosine similarity is at least tau and next to
none elsewhere; the second smallest eigenvector of the normalised cut splits it at its mean; the object is the side with
the entry of the largest magnitude, of which the connected part with that entry is taken. The paper takes the keys of a
transformer's last layer; here it is the feature map.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from colocalization.descriptors import descriptors
from experiments.peers.base import Finder, Found, Observation, component_box

__all__ = ["TokenCutPeer", "second_eigenvector"]

_TAU = 0.2
_NO_EDGE = 1e-5


class TokenCutPeer:
    """TokenCut on each image alone."""

    def fit(self, observations: Sequence[Observation]) -> Finder:  # noqa: ARG002  (looks at no set)
        """Nothing is learnt from the set."""

        def find(seen: Observation) -> Found:
            vector = second_eigenvector(seen.features)
            seed = int(np.abs(vector).argmax())
            positive = np.sign(vector.flat[seed] - vector.mean()) * (vector - vector.mean())
            heatmap = np.asarray(positive, dtype=np.float32)
            return Found(component_box(heatmap > 0, seed, seen.width, seen.height), heatmap, 0.0)

        return find


def second_eigenvector(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """(h, w) float64, the eigenvector of (D - E) y = lambda D y with the second smallest eigenvalue.

    Args:
        features: (C, h, w) float32.
    """
    rows = descriptors(features)
    edges = np.where(rows @ rows.T >= _TAU, 1.0, _NO_EDGE)
    degrees = np.diag(edges.sum(axis=1))
    _, vectors = eigh(degrees - edges, degrees, subset_by_index=[1, 1])
    return np.asarray(vectors[:, 0].reshape(features.shape[1:]))
