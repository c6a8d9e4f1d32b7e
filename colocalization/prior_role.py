"""How much a prior of the foreground is trusted, decided over a set.

The prior sees one image at a time; the set sees what its images share, which may be their surroundings. Where both see
about the same, each makes up for the other's faults, and the mean of both maps is taken. Where they see different
things, the one that reaches less to the images' borders is believed: surroundings do, and things seldom (background
connectivity, Zhu et al., CVPR 2014, over a set in place of one image).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from colocalization.maps import touched_sides

__all__ = ["CUT", "PRIOR_WEIGHTS", "PriorRole", "PriorWeights", "at_grid", "choose_role", "fused", "prior_shares"]

PriorRole = Literal["joins", "leads"]
"""`joins`: prior and set see about the same. `leads`: what the set shares is taken for its surroundings, and the set's
discriminants are learnt from what the prior sees."""

CUT = 0.5
"""Where a prior's map and a set's are cut."""


@dataclass(frozen=True, slots=True)
class PriorWeights:
    """Weight of the prior's map in the mean with the set's, each in [0, 1].

    Attributes:
        region: Where to look again.
        outline: In the outlines that the set is learnt from.
        extent: In the map that boxes are made of, where outlines have been learnt from.
        unlearnt: In that map, where they have not: of few images, and of one look.
    """

    region: float
    outline: float
    extent: float
    unlearnt: float


PRIOR_WEIGHTS: dict[PriorRole | None, PriorWeights] = {
    None: PriorWeights(0.0, 0.0, 0.0, 0.0),
    # What the set has learnt from its outlines is sharper than the prior, whose cells are coarse.
    "joins": PriorWeights(0.5, 0.3, 0.0, 0.5),
    "leads": PriorWeights(1.0, 0.5, 0.5, 0.5),
}

_LEAST_AGREEMENT = 0.3
"""Mean IoU of both maps over the set below which they see different things."""

_TOUCHED = 0.15
"""Share of a side of the image from which on a map touches it."""

_FEWER = 1.0
"""How many sides fewer the prior must touch, in the mean, to be believed."""


def choose_role(maps: Sequence[NDArray[np.float32]], priors: Sequence[NDArray[np.float32]]) -> PriorRole:
    """What part the prior takes in a set.

    Args:
        maps: The set's maps of whole images, each (h, w) in [0, 1], cut at `CUT`.
        priors: The prior's, likewise.
    """
    overlaps, more = [], []
    for scores, prior in zip(maps, priors, strict=True):
        by_set, by_prior = scores > CUT, prior > CUT
        overlaps.append(float((by_set & by_prior).sum() / max(int((by_set | by_prior).sum()), 1)))
        more.append(touched_sides(by_set, _TOUCHED) - touched_sides(by_prior, _TOUCHED))
    conflict = float(np.mean(overlaps)) < _LEAST_AGREEMENT and float(np.mean(more)) >= _FEWER
    return "leads" if conflict else "joins"


def fused(scores: NDArray[np.float32], prior: NDArray[np.float32] | None, weight: float) -> NDArray[np.float32]:
    """The weighted mean of a map and the prior's.

    Args:
        scores: (h, w) float32 [0, 1], cut at `CUT`.
        prior: (h', w') float32 [0, 1], over the same part of the image; None where there is none.
        weight: Of the prior, in [0, 1].

    Returns:
        (h, w) float32 [0, 1], cut at `CUT`.
    """
    if prior is None or not weight:
        return scores
    return np.asarray((1 - weight) * scores + weight * at_grid(prior, scores.shape), dtype=np.float32)


def at_grid(prior: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A prior's map averaged over the cells of a grid of (rows, columns)."""
    if prior.shape == shape:
        return prior
    return np.asarray(cv2.resize(prior, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), dtype=np.float32)


def prior_shares(prior: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A prior's map as shares of the object in each cell of a grid: 0 at a quarter, where background is, 1 at three."""
    return np.asarray(np.clip(2 * at_grid(prior, shape) - np.float32(0.5), 0, 1), dtype=np.float32)
