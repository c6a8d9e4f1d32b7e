"""Boxes that do not look at the image: what a score is worth."""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.peers.base import Finder, Found, Observation

__all__ = ["CentredBox", "WholeImage"]


@dataclass(frozen=True, slots=True)
class CentredBox:
    """A box in the middle.

    Attributes:
        share: Its sides as a share of the image's, in (0, 1].
    """

    share: float

    def fit(self, observations: Sequence[Observation]) -> Finder:  # noqa: ARG002  (nothing to learn)
        """Nothing to learn."""

        def find(seen: Observation) -> Found:
            across, down = seen.width * (1 - self.share) / 2, seen.height * (1 - self.share) / 2
            return Found((across, down, seen.width - across, seen.height - down), None)

        return find


class WholeImage(CentredBox):
    """The whole image."""

    def __init__(self) -> None:
        super().__init__(1.0)
