"""Our own method in the comparison: `Localizer`, exactly as users call it, on features that were computed once."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from colocalization.common_object import sample_indices
from colocalization.localizer import FittedSet, ImageFeatures, Localizer
from colocalization.results import Effort, ImageResult
from experiments.observe import ObservedSet, prepare
from experiments.peers.base import Found
from training.datasets import BoxTuple

__all__ = ["OURS", "OwnMethod", "found"]


@dataclass(frozen=True, slots=True)
class OwnMethod:
    """A mode of `Localizer`.

    Attributes:
        effort: Effort of mode `common`; None for mode `attention`.
        prior: Whether the model's prior takes part.
    """

    effort: Effort | None
    prior: bool = True

    def fit(self, localizer: Localizer, observed: ObservedSet) -> Callable[[int], ImageResult]:
        """Look at the set as `Localizer.localize` does.

        Args:
            localizer: Where engine and limits come from; its effort does not matter.
            observed: The set.

        Returns:
            The localizer's result for the image of an index.
        """
        own = Localizer(localizer.engine, localizer.limits, effort=self.effort or "full")
        fitted, places = FittedSet(None), dict[int, int]()
        if self.effort is not None:
            sample = [int(index) for index in sample_indices(len(observed.images), own.set_sample_size)]
            images = [prepare(own, observed.images[index]).image for index in sample]
            fitted = own.fit_features(images, [self._seen(observed, index) for index in sample])
            places = {index: place for place, index in enumerate(sample)}

        def finish(index: int) -> ImageResult:
            looks = fitted.looks.get(places.get(index, -1))
            seen = self._seen(observed, index)
            return own.finish(prepare(own, observed.images[index]), seen, fitted.common, looks=looks)

        return finish

    def _seen(self, observed: ObservedSet, index: int) -> ImageFeatures:
        seen = observed.of(index)
        return seen if self.prior else replace(seen, foreground=None)


OURS: dict[str, OwnMethod] = {
    "ours, attention": OwnMethod(None),
    "ours, common, fast": OwnMethod("fast"),
    "ours, common, no prior": OwnMethod("full", prior=False),
    "ours, common": OwnMethod("full"),
}
"""Our modes, by name; the last is the default of `colocalize score`."""


def found(result: ImageResult) -> Found:
    """A localizer's result as that of a peer."""
    box: BoxTuple | None = result.boxes[0].as_tuple() if result.boxes else None
    heatmap: NDArray[np.float32] | None = result.heatmap
    return Found(box, heatmap)
