"""Whether the things of a set are too small, or too many, for one look at each image; found without labels or hints.

Of large things a finer map of the whole image, put together from looks at tiles, shows one part that outweighs all
others. Of things that are small or many it shows several parts of about one size, none of which does. Then those of the
typical size stand in for the boxes that a user would have drawn (`colocalization.exemplar`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import connected_components
from colocalization.common_object import CommonObject
from colocalization.hints import Corners
from colocalization.maps import upsample
from colocalization.results import Scale

__all__ = ["MOST_TAUGHT", "PROBED", "PROBE_TILES", "FinerView", "scale_of", "view_parts"]

PROBE_TILES = 3
"""Tiles in a row and in a column by which is looked: 9 looks at an image."""

PROBED = 12
"""Images that are looked at so, to decide over the set."""

MOST_TAUGHT = 32
"""Most images that are learnt from at the finer scale, and no more than half of the set above `PROBED`."""

_CUT = 0.5
_FINE = 4
"""The map is upsampled by this factor before it is cut."""

_LEAST_CELLS = 2
"""Parts of fewer cells are taken for noise."""

_SIZES = (0.0008, 0.2)
"""Shares of the image that the box of an example may have: below, tiles show no detail; above, one look sees it."""

_ALIKE = 2.0
"""Within this factor of the typical size, by area, parts are of about one size."""

_DOMINANT = 0.75
"""Share of all that is found in an image which its largest part has, in the mean, from which on the images show one
large thing. Of fourteen sets those of cells have 0.42 and 0.46, aircraft on an apron 0.70, all others 0.80 or more."""

_LEAST_ALIKE = 1.0
"""How many parts of about the typical size an image must show in the mean."""

_LEAST_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class FinerView:
    """What the finer map of the images of a set shows.

    Attributes:
        dominance: Share of what is found that the largest part of an image has, the mean over the images, in (0, 1].
        alike: Parts of about the typical size an image, the mean.
        examples: By the index of the image, its clearest part of about the typical size, as shares of its sides; of the
            better half of the images.
    """

    dominance: float
    alike: float
    examples: dict[int, Corners]

    @property
    def asks_for_tiles(self) -> bool:
        """Whether things are small or many, so that tiles show more of them."""
        return self.dominance < _DOMINANT and self.alike >= _LEAST_ALIKE and len(self.examples) >= _LEAST_EXAMPLES


@dataclass(frozen=True, slots=True)
class _Part:
    box: Corners
    cells: float
    score: float

    @property
    def size(self) -> float:
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])

    @property
    def touches(self) -> bool:
        return min(self.box[:2]) <= 0 or max(self.box[2:]) >= 1


def view_parts(maps: Sequence[NDArray[np.float32]]) -> FinerView:
    """Look at the parts of finer maps of a set.

    Args:
        maps: (h, w) float32 [0, 1] of each image, cut at 0.5.
    """
    found = [_parts(scores) for scores in maps]
    shares = [max(part.cells for part in parts) / sum(part.cells for part in parts) for parts in found if parts]
    every = [part for parts in found for part in parts]
    inner = [part.size for part in every if not part.touches and _SIZES[0] < part.size < _SIZES[1]]
    if not inner:
        return FinerView(1.0, 0.0, {})
    typical = float(np.exp(np.median(np.log(inner))))
    alike = [[part for part in parts if typical / _ALIKE < part.size < typical * _ALIKE] for parts in found]
    best = [
        (max(whole, key=lambda part: part.score), index)
        for index, parts in enumerate(alike)
        if (whole := [part for part in parts if not part.touches])
    ]
    best.sort(key=lambda one: -one[0].score)
    chosen = best[: max(_LEAST_EXAMPLES, len(maps) // 2)]
    return FinerView(
        dominance=float(np.mean(shares)),
        alike=float(np.mean([len(parts) for parts in alike])),
        examples={index: part.box for part, index in sorted(chosen, key=lambda one: one[1])},
    )


def scale_of(common: CommonObject | None) -> Scale | None:
    """At which scale images are looked at for a common object, and why.

    Args:
        common: The common object; None for mode `attention`.

    Returns:
        None where that was not chosen for the set: with another effort than `thorough`, and no hint that taught.
    """
    origin = None if common is None else common.origin
    if common is None or (common.exemplar is None and (origin is None or origin.effort != "thorough" or origin.hinted)):
        return None
    if common.exemplar is None:
        return Scale(1, None, "one look at the whole image: tiles show no many parts of one size")
    tiles, side = common.exemplar.tiles, float(median(size.side for size in common.exemplar.sizes))
    looks = "one look at the whole image" if tiles == 1 else f"{tiles} x {tiles} tiles an image"
    size = f"{100 * side:.0f} % of their image's side"
    drawn = origin is None or origin.hinted
    why = f"what was drawn by hand has {size}" if drawn else f"the images show many parts of one size, {size}"
    return Scale(tiles, side, f"{looks}: {why}")


def _parts(scores: NDArray[np.float32]) -> list[_Part]:
    rows, columns = (side * _FINE for side in scores.shape)
    fine = upsample(scores, columns, rows)
    parts = connected_components(fine > _CUT)
    found = []
    for index, (box, area) in enumerate(zip(parts.boxes, parts.areas, strict=True)):
        if area >= _LEAST_CELLS * _FINE**2:
            x0, y0, x1, y1 = (float(value) for value in box / (columns, rows, columns, rows))
            found.append(_Part((x0, y0, x1, y1), area / _FINE**2, float(parts.inside(index, fine).mean())))
    return found
