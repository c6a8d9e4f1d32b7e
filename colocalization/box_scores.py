"""How good a box is: the score, an estimate of the probability that its IoU with an instance is at least 0.5.

What tells of a box's quality without a label is mostly what lies outside of it: surroundings that were taken for the
object, and objects that were taken for surroundings. A logistic regression over a few such clues (Platt scaling, 1999,
of more than one variable) was learnt on sets of photographs with boxes; no set's own boxes are needed.
`python -m experiments calibrate` learns it anew and measures it on sets that it was not learnt on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import Box
from colocalization.common_object import CommonObject
from colocalization.looks import ImageFeatures
from colocalization.maps import min_max
from colocalization.windows import box_coverage

__all__ = ["CALIBRATIONS", "Calibration", "Evidence", "box_clues", "evidence_of", "probabilities", "scored"]

Evidence = Literal["attention", "prior", "set", "set and prior", "hints"]
"""What an image's boxes were found by: its attention map, a prior's map alone, what the set shares, that beside a
prior, or what hints taught."""

_BORDER = 0.01
"""Share of an image's side within which a box touches its border."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression from clues to a probability.

    Attributes:
        clues: What the clues are, for whoever reads or learns it.
        weights: (K,) weights of the clues.
        bias: What is added.
    """

    clues: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float


_INSIDE = ("map inside", "map inside, relative", "sides touched")
_SET = (*_INSIDE, "share of the image", "map outside")

CALIBRATIONS: dict[Evidence, Calibration] = {
    "attention": Calibration((*_INSIDE, "map outside"), (2.7773, 0.6976, -0.2584, -6.5707), -1.1515),
    "prior": Calibration((*_INSIDE, "map outside"), (3.6793, 0.8571, -0.6559, -5.682), -1.2747),
    "set": Calibration((*_SET, "highest of the map"), (2.7914, 1.5567, -0.325, -1.3408, -3.2988, -14.7874), 10.9891),
    "set and prior": Calibration(
        (*_SET, "prior outside"), (3.9036, 1.2048, -0.3065, -2.2944, 2.9063, -9.0887), -1.0688
    ),
    "hints": Calibration(("map inside", "map inside, relative"), (4.4177, 2.3813), -4.5834),
}


def evidence_of(common: CommonObject | None, foreground: NDArray[np.float32] | None) -> Evidence:
    """What boxes are found by, with a common object or without, and with a prior's map or without."""
    if common is None:
        return "attention" if foreground is None else "prior"
    if common.exemplar is not None:
        return "hints"
    return "set" if foreground is None or common.prior is None else "set and prior"


def box_clues(
    boxes: Sequence[Box], width: float, height: float, features: ImageFeatures, common: CommonObject | None
) -> NDArray[np.float64]:
    """What tells of the quality of an image's boxes.

    Args:
        boxes: The boxes, best first, their scores the mean of the map inside.
        width: Width of the image in the boxes' pixels.
        height: Its height.
        features: The look at the whole image.
        common: The common object; None for mode `attention`.

    Returns:
        (N, K) float64, the clues that `CALIBRATIONS` names for the `evidence_of` them.
    """
    evidence = evidence_of(common, features.foreground)
    shares = [(box.x0 / width, box.y0 / height, box.x1 / width, box.y1 / height) for box in boxes]
    relative = [box.score / max(boxes[0].score, 1e-6) for box in boxes]
    touched = [
        float(sum(low < _BORDER for low in one[:2]) + sum(high > 1 - _BORDER for high in one[2:])) for one in shares
    ]
    inside = [[box.score for box in boxes], relative]  # of hints weighed with how much the window stands out
    if evidence == "hints":
        columns = inside
    elif common is None:
        seen = min_max(features.attention) if features.foreground is None else features.foreground
        columns = [*inside, touched, _outside(seen, shares)]
    else:
        first = common.first.object.bounded_map(features.features)
        learnt = first if common.outlined is None else common.outlined.whole.bounded_map(features.features)
        share = [float((first > 0.5).mean())] * len(boxes)
        columns = [*inside, touched, share, _outside(learnt, shares)]
        if evidence == "set" or features.foreground is None:
            columns.append([float(first.max())] * len(boxes))
        else:
            columns.append(_outside(features.foreground, shares))
    return np.array(columns, dtype=np.float64).T.reshape(len(boxes), -1)


def probabilities(clues: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """(N,) float64 in (0, 1), by the calibration of (N, K) clues."""
    return np.asarray(1 / (1 + np.exp(-(clues @ np.array(calibration.weights) + calibration.bias))))


def scored(
    boxes: Sequence[Box], width: float, height: float, features: ImageFeatures, common: CommonObject | None
) -> tuple[Box, ...]:
    """The boxes with how good each is likely to be as score; falling, as their order stays.

    Args:
        boxes: See `box_clues`.
        width: See `box_clues`.
        height: See `box_clues`.
        features: See `box_clues`.
        common: See `box_clues`.
    """
    if not boxes:
        return ()
    calibration = CALIBRATIONS[evidence_of(common, features.foreground)]
    found = probabilities(box_clues(boxes, width, height, features, common), calibration)
    falling = np.minimum.accumulate(found)
    return tuple(replace(box, score=float(score)) for box, score in zip(boxes, falling, strict=True))


def _outside(scores: NDArray[np.float32], shares: Sequence[tuple[float, float, float, float]]) -> list[float]:
    """The mean of a map over all that lies outside of each box; 0 where nothing does."""
    means = []
    for box in shares:
        free = 1 - box_coverage(box, *scores.shape)
        means.append(float((scores * free).sum() / max(float(free.sum()), 1e-6)))
    return means
