"""What to make of the boxes of a set: are they sure, to be checked, or is a hint due?

The mean of the scores of a set's best boxes is about the share of them that are right (`colocalization.box_scores`).
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["DRAWN_SCORE", "Advice", "Verdict", "advise", "counts_for_advice"]

Verdict = Literal["sure", "check", "hint"]
"""`sure`: at least three of four boxes are likely right. `check`: at least half. `hint`: fewer; a box drawn by hand in
one of the images will help more than looking through all."""

_SURE, _CHECK = 0.75, 0.5

DRAWN_SCORE = 1.0
"""The score of a box that a user has drawn; estimates stay below."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to make of the boxes of a set.

    Attributes:
        verdict: In one word.
        right: Share of the images' best boxes that are likely to have an IoU of at least 0.5, in [0, 1].
        text: In one sentence.
    """

    verdict: Verdict
    right: float
    text: str


def counts_for_advice(score: float, *, shown: bool | None) -> bool:
    """Whether an image's best box says something of the set: it was found, not drawn by a user, and not in vain.

    Args:
        score: Score of the box.
        shown: Whether the image is taken to show the object; None where nobody can tell.
    """
    return shown is not False and score < DRAWN_SCORE


def advise(total: float, count: int, *, hinted: bool = False, finer: bool = False) -> Advice | None:
    """What to make of a set.

    Args:
        total: Sum of the scores of the best boxes that count (`counts_for_advice`).
        count: How many those are.
        hinted: Whether boxes were drawn by hand.
        finer: Whether it was decided over the set if tiles are looked at, so that more effort cannot help.

    Returns:
        None where there is no box to judge.

    Example:
        >>> advise(1.7, 2).text
        'sure: about 85 % of the boxes are likely right'
        >>> advise(1.0, 5).verdict
        'hint'
    """
    if not count:
        return None
    right = min(max(total / count, 0.0), 1.0)
    share = f"about {100 * right:.0f} % of the boxes are likely right"
    if right >= _SURE:
        return Advice("sure", right, f"sure: {share}")
    if right >= _CHECK:
        return Advice("check", right, f"check them: {share}")
    more = "more boxes by hand will help" if hinted else "one box drawn by hand in one image will help (a hint)"
    if not (hinted or finer):
        more += ", or effort thorough where the things are small or many"
    return Advice("hint", right, f"better with a hint: {share}; {more}")
