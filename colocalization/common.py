"""The step over the set: what the pictures have in common, and where it is in each.

A first look at the whole picture finds where the object is; a second look at that part alone, at the network's full
input size, finds its extent. Both by discriminants fitted over the set. The second look makes small objects large, so
that one way to cut the map serves all sizes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import Box
from colocalization.consistency import Prototype
from colocalization.discriminant import Discriminant, fit_discriminant, starting_maps
from colocalization.transform import Region

__all__ = ["CommonObject", "ObjectMap", "fit_object_map", "sample_indices", "second_look"]

_TIGHT_ROUNDS, _WIDE_ROUNDS = 1, 4

_REGION_FACTOR = 1.25
"""How much larger than the first look's box the second look is: background on all sides, to tell the object from."""

_SMALLEST_REGION = 0.25
"""Least side of the second look, as a share of the picture's: below, pictures have no detail left to show."""


@dataclass(frozen=True, slots=True)
class ObjectMap:
    """What tells the common object in pictures of one kind, whole ones or regions, estimated over the set.

    The mean of two discriminants: `tight` may leave out parts of the object that are unlike the rest, `wide` may
    take in what surrounds it. Where they agree the map is sure; between them the colours of the picture decide.

    Attributes:
        tight: Fitted with all of the rest as background.
        wide: Fitted with the sure background alone.
    """

    tight: Discriminant
    wide: Discriminant

    def map(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Map of a picture or region; 0 where both discriminants see background, 1 where both see the object.

        Args:
            features: (C, h, w) feature map.

        Returns:
            (h, w) float32 [0, 1]; cut at 0.5. The mean of the background is at 0.25, that of the object at 0.75.
        """
        both = [np.clip((one.map(features) + 0.5) / 2, 0, 1) for one in (self.tight, self.wide)]
        return np.asarray((both[0] + both[1]) / 2, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class CommonObject:
    """The common object of a set, as `Localizer.fit` estimates it.

    Attributes:
        whole: What tells it in whole pictures.
        prototype: What its descriptors have in common, for the confidence.
        close: What tells it in a second look, at its part of the picture alone; None for `effort="fast"`.
    """

    whole: ObjectMap
    prototype: Prototype
    close: ObjectMap | None

    def confidence(self, features: NDArray[np.floating]) -> float:
        """Confidence in [0, 1] that a picture shows the common object.

        Args:
            features: (C, h, w) feature map of the whole picture.
        """
        return self.prototype.confidence(self.prototype.similarity(features, self.whole.tight))


def fit_object_map(
    attention: Sequence[NDArray[np.floating]], features: Sequence[NDArray[np.floating]]
) -> ObjectMap | None:
    """Estimate what tells the common object in the pictures, or the regions, of a set.

    Args:
        attention: Attention maps, each (h, w).
        features: Feature maps, each (C, h, w).

    Returns:
        None where there is no foreground at all, for example because all pictures are blank.
    """
    start = starting_maps(attention, features)
    tight = fit_discriminant(features, start, background="rest", rounds=_TIGHT_ROUNDS)
    wide = fit_discriminant(features, start, background="sure", rounds=_WIDE_ROUNDS)
    return None if tight is None or wide is None else ObjectMap(tight, wide)


def second_look(box: Box, width: int, height: int) -> Region:
    """The part of a picture that a second look at a box takes in.

    Args:
        box: What the first look found.
        width: Width of the picture that the box is in, in pixels.
        height: Height of that picture, in pixels.

    Example:
        >>> second_look(Box(50.0, 0.0, 150.0, 50.0, 0.9), 200, 100)
        Region(x0=0.1875, y0=0.0, x1=0.8125, y1=0.5625)
    """
    x0, x1 = (min(max(value / width, 0.0), 1.0) for value in (box.x0, box.x1))
    y0, y1 = (min(max(value / height, 0.0), 1.0) for value in (box.y0, box.y1))
    return Region(x0, y0, x1, y1).expanded(_REGION_FACTOR, _SMALLEST_REGION)


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
