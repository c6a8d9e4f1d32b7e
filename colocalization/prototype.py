"""Which images of a set show the common object: their foreground descriptors agree, those of the others do not.

Each image is summed up by the mean descriptor of its foreground, centred on the mean descriptor of the whole set.
Images of the common object point one way, the others anywhere; the dominant way is the prototype.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colocalization.descriptors import descriptors
from colocalization.discriminant import Discriminant

__all__ = ["SHOWN", "Prototype", "fit_prototype", "foreground_mean", "prototype_of"]

SHOWN = 0.5
"""Confidence from which on an image is taken to show the common object."""

_POWER_ITERATIONS = 50

_CUT = 0.22
"""Cosine to the prototype from which on an image counts as showing the common object, in a large set."""

_LEAST_AGREEMENT = 0.22
"""Agreement of the images of a large set below which the set has no common object."""

_LEANING = 1.44
"""How much the agreement is lowered by what an image has more in the prototype than its equal share. Among few images
some two are alike by chance, and are then nearly all of the prototype, which says nothing of the others."""

_SOFTNESS = 0.08
"""Width of the logistic curve that turns the cosine into a confidence."""


@dataclass(frozen=True, slots=True)
class Prototype:
    """The common object's mean foreground descriptor.

    Attributes:
        centre: (C,) float32, mean descriptor of the set.
        total: (C,) float32, weighted sum of the images' unit-length summaries; 0 where they agree in nothing.
        own_weight: Weight that an image of the set has in `total` on average.
        agreement: How much the images of the set agree, in [0, 1]: the weighted mean cosine between different ones,
            less for a prototype that leans on few of them.
    """

    centre: NDArray[np.float32]
    total: NDArray[np.float32]
    own_weight: float
    agreement: float

    def similarity(self, features: NDArray[np.floating], foreground: Discriminant) -> float:
        """Cosine in [-1, 1] between an image's foreground and the prototype of the other images.

        The image's own share in the prototype is taken out by its average size; without that, two images that
        have nothing in common would each be like their mean.

        Args:
            features: (C, h, w) feature map of the image.
            foreground: What tells its foreground.
        """
        summary = _summary(features, foreground, self.centre).astype(np.float64)
        if not summary.any() or not self.total.any():
            return 0.0
        others = self.total - self.own_weight * summary
        length = float(np.linalg.norm(others))
        return float(summary @ others) / length if length > 0 else 0.0

    def confidence(self, similarity: float) -> float:
        """Confidence in [0, 1] that an image of this similarity shows the common object; 0.5 at the cut.

        Below 0.5 for every image of a set that agrees in nothing. Both cuts are lower for sets of few images, whose
        cosines scatter and are pulled down by centring on a mean that they make up themselves.

        Example:
            >>> nothing = np.zeros(2, np.float32)
            >>> Prototype(nothing, nothing, own_weight=0.0, agreement=0.5).confidence(0.22)
            0.5
            >>> Prototype(nothing, nothing, own_weight=0.5, agreement=0.5).confidence(0.11)
            0.5
            >>> Prototype(nothing, nothing, own_weight=0.5, agreement=0.0).confidence(0.9)
            0.0
            >>> Prototype(nothing, nothing, own_weight=0.01, agreement=0.1).confidence(0.9) < 0.5
            True
        """
        if not self.agreement:
            return 0.0
        exponent = (similarity - _CUT * (1 - self.own_weight)) / _SOFTNESS
        missing = self.agreement - _LEAST_AGREEMENT * (1 - 2 * self.own_weight)
        if missing < 0:
            exponent = min(exponent, missing / _SOFTNESS)
        return float(1 / (1 + np.exp(-exponent)))


def fit_prototype(features: Sequence[NDArray[np.floating]], foreground: Discriminant) -> Prototype:
    """Find the way in which most foregrounds of the set agree.

    The prototype is the sum of the images' descriptors, each weighted by its agreement with the others: the leading
    eigenvector of their non-negative cosine matrix (power iteration), so that a minority of other images, which
    agree with nothing, gets almost no weight.

    Args:
        features: Feature maps of the set, each (C, h, w).
        foreground: What tells their foreground.
    """
    centre = np.mean([descriptors(one).mean(axis=0) for one in features], axis=0).astype(np.float32)
    return prototype_of(centre, np.stack([foreground_mean(one, foreground) for one in features]))


def prototype_of(centre: NDArray[np.float32], foregrounds: NDArray[np.float32]) -> Prototype:
    """Find the way in which most foregrounds agree, from the mean descriptor of each.

    Args:
        centre: (C,) float32, mean descriptor of the set.
        foregrounds: (N, C) float32, mean descriptor of the foreground of each image; 0 where it has none.
    """
    summaries = np.stack([_centred(one, centre) for one in foregrounds]).astype(np.float64)
    cosines = summaries @ summaries.T
    affinity = np.maximum(cosines, 0)
    np.fill_diagonal(affinity, 0)
    weights = np.full(len(foregrounds), 1 / len(foregrounds))
    if not affinity.any():
        return Prototype(centre, np.zeros_like(centre), 0.0, 0.0)
    for _ in range(_POWER_ITERATIONS):
        step = affinity @ weights
        # Half a step: whole ones swing for ever where one image agrees with two that do not agree with each other.
        weights = (weights + step / step.sum()) / 2
    own = float(weights @ weights)
    between = float(weights @ cosines @ weights) - own
    agreement = between / (1 - own) if own < 1 else 0.0
    agreement -= _LEANING * (own - 1 / len(foregrounds))
    return Prototype(centre, (weights @ summaries).astype(np.float32), own, max(0.0, agreement))


def _summary(
    features: NDArray[np.floating], foreground: Discriminant, centre: NDArray[np.float32]
) -> NDArray[np.float32]:
    return _centred(foreground_mean(features, foreground), centre)


def foreground_mean(features: NDArray[np.floating], foreground: Discriminant) -> NDArray[np.float32]:
    """Mean descriptor of an image's foreground.

    Args:
        features: (C, h, w) feature map of the image.
        foreground: What tells its foreground.

    Returns:
        (C,) float32; 0 where it has none.
    """
    # Squared, so that the surest cells count most; from a tenth of the way from background to foreground on.
    weights = np.maximum(foreground.map(features).ravel() - 0.1, 0) ** 2
    total = float(weights.sum())
    if not total > 0:
        return np.zeros(len(features), np.float32)
    return np.asarray(weights @ descriptors(features) / total, dtype=np.float32)


def _centred(mean: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.float32]:
    """The direction from the centre to a mean; 0 where there is no mean."""
    if not mean.any():
        return np.zeros_like(centre)
    summary = mean - centre
    length = float(np.linalg.norm(summary))
    return np.asarray(summary / length if length > 0 else summary, dtype=np.float32)
