"""The step over the set: from the features of its images, and hints where there are any, to the common object."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from colocalization.common_object import (
    LEAST_OUTLINED,
    CommonObject,
    SecondLook,
    fit_first_look,
    fit_outlined,
    fit_second_look,
    sample_indices,
)
from colocalization.errors import ImageError
from colocalization.exemplar import HintedGrid, RegionLook, agrees, fit_regions, fit_scan, region_around
from colocalization.extent import common_extent, outline_shares, window_shares
from colocalization.hints import Corners
from colocalization.images import DecodedImage
from colocalization.looks import ImageFeatures, Looker, SecondLooks
from colocalization.maps import upsample
from colocalization.prior_fitting import fit_first, fit_second_to_prior, priors_of
from colocalization.prior_role import PRIOR_WEIGHTS, PriorRole, fused
from colocalization.prototype import SHOWN
from colocalization.results import Effort, Mode
from colocalization.scales import MOST_TAUGHT, PROBE_TILES, PROBED, view_parts
from colocalization.tiles import TileGrid
from colocalization.transform import Region
from colocalization.windows import WindowSize, box_cells, box_coverage

__all__ = ["MOST_TILES", "FittedSet", "SetFitter", "within_region"]

MOST_TILES = 6
"""Most tiles in a row and in a column: 36 looks an image."""

_GRID_BYTES = 400 * 2**20
"""Memory for the grids of the sample while hints are learnt from: of small things fewer images are taken."""

_LEAST_GRIDS = 12

_LEAST_AGREEING = 0.5
"""Share of the images without an example in which what the set taught itself must be found."""

_LEAST_PROBED = 6
"""Images from which on a set can tell that its things are small or many."""

_FOREGROUND = 0.4
"""Below, in the map of the first look, cells are surely not of what the images share."""

_INSIDE = 0.15
"""How much higher than elsewhere that map must be in a hint for the hint to be part of what the images share."""

_PART = 0.05
"""Share of its image below which a hint is a part of what the images share, or small among it: all else is then
background, and it never joins what the images share."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class FittedSet:
    """The common object of a set, and what was seen while it was estimated.

    Attributes:
        common: The common object; None where the images have none.
        looks: Second looks, by the index of the image; images that were not looked at again are left out.
    """

    common: CommonObject | None
    looks: Mapping[int, SecondLooks] = field(default_factory=dict)

    @property
    def mode(self) -> Mode:
        """What the set's images are localized by: a set without a common object falls back to `attention`."""
        return "attention" if self.common is None else "common"


class SetFitter:
    """Estimates the common object of one set."""

    def __init__(
        self,
        looker: Looker,
        images: Sequence[DecodedImage],
        features: Sequence[ImageFeatures],
        *,
        effort: Effort,
        hints: Mapping[int, tuple[Corners, ...]],
        pool: Executor | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Take a set, or a sample of one.

        Args:
            looker: Looks at regions.
            images: The images.
            features: The look at each whole image.
            effort: With `fast` nothing is looked at again of a set in which too few images show the object to learn
                from outlines.
            hints: By the index of the image, its hinted boxes as shares of its sides; none where it is said not to show
                the object.
            pool: Threads to look at several images at once; the result is the same.
            check: Called before each step of an image; what it raises ends the estimate.
        """
        self._looker, self._images, self._features = looker, images, features
        self._effort: Effort = effort
        self._hints = hints
        self._pool = pool
        self._check = check

    def fit(self) -> FittedSet:
        """The common object, None where the images have none; and what was seen."""
        finite = [index for index, looked in enumerate(self._features) if looked.is_finite]
        if len(finite) < 2:
            return FittedSet(None)
        fitted, regions = self._fit_common(finite)
        if fitted.common is None:
            return fitted
        if not any(self._hints.get(index) for index in finite):
            return self._fit_finer(finite, fitted) if self._effort == "thorough" else fitted
        # Of small things a hint teaches, even where it means what the images share: tiles show them in more detail.
        if self._hinted_grid(finite)[1] ** 2 >= _PART and self._hints_agree(fitted, regions):
            return fitted
        return self._fit_exemplar(finite, fitted.common)

    # ---- by what the images share

    def _fit_common(self, finite: Sequence[int]) -> tuple[FittedSet, Mapping[int, Region]]:
        present = [index for index in finite if self._hints.get(index) != ()]
        learnt = present if len(present) > 1 else finite
        whole = fit_first([self._features[index] for index in learnt])
        if whole is None:
            return FittedSet(None), {}
        first, role = whole
        # Images without the common object would teach the second look other things.
        shown = [index for index in learnt if index in self._hints or first.shows(self._features[index].features)]
        shown = shown if len(shown) > 1 else list(learnt)
        if self._effort == "fast" and len(shown) < LEAST_OUTLINED:
            # No outlines are learnt from, which are all that second looks serve.
            return FittedSet(CommonObject(first, None, None, prior=role)), {}

        def look_again(index: int) -> tuple[Region, ImageFeatures]:
            self._check()
            whole = self._features[index]
            region = first.regions(whole.features, prior=whole.foreground, role=role)[0]
            return region, self._looker.region(self._images[index].rgb, region, whole)

        again = dict(zip(shown, self._each(look_again, shown), strict=True))
        looks = {index: {region: found} for index, (region, found) in again.items()}
        shown = [index for index in shown if again[index][1].is_finite]
        if not shown:
            return FittedSet(None, looks), {}
        features = [again[index][1].features for index in shown]
        second = fit_second_look([again[index][1].attention for index in shown], features)
        if role == "leads":
            second = fit_second_to_prior(features, priors_of([again[index][1] for index in shown])) or second
        if second is None:
            return FittedSet(None, looks), {}
        regions = {index: again[index][0] for index in shown}
        if len(shown) < LEAST_OUTLINED:
            return FittedSet(CommonObject(first, second, None, prior=role), looks), regions
        outlined = fit_outlined(
            [self._features[index].features for index in shown],
            features,
            self._each(lambda index: self._outline(index, *again[index], second, role), shown),
            otherwise=(first.object, second.wide),
        )
        return FittedSet(CommonObject(first, second, outlined, prior=role), looks), regions

    def _outline(
        self, index: int, region: Region, found: ImageFeatures, second: SecondLook, role: PriorRole | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self._check()
        if boxes := self._hints.get(index):  # what is known need not be guessed from colours
            whole = [box_coverage(box, *self._features[index].attention.shape) for box in boxes]
            within = [box_coverage(within_region(box, region), *found.attention.shape) for box in boxes]
            return np.max(whole, axis=0), np.max(within, axis=0)
        look = region, fused(second.map(found.features), found.foreground, PRIOR_WEIGHTS[role].outline)
        return outline_shares(self._images[index].rgb, look, self._features[index].attention.shape)

    def _hints_agree(self, fitted: FittedSet, regions: Mapping[int, Region]) -> bool:
        """Whether most hints mean what the images share anyway."""
        common = fitted.common
        second = None if common is None else common.second
        votes = []
        for index, boxes in self._hints.items():
            if boxes and common is not None and second is not None and index in regions:
                region = regions[index]
                rgb = self._images[index].rgb
                look = fitted.looks[index][region]
                scores = fused(second.map(look.features), look.foreground, PRIOR_WEIGHTS[common.prior].outline)
                found = next(iter(common_extent(rgb, [(region, scores)], 1).boxes), None)
                height, width = rgb.shape[:2]
                votes.append(
                    found is not None
                    and agrees((found.x0 / width, found.y0 / height, found.x1 / width, found.y1 / height), boxes)
                )
        return bool(votes) and sum(votes) * 2 >= len(votes)

    # ---- at a finer scale

    def _fit_finer(self, finite: Sequence[int], fitted: FittedSet) -> FittedSet:
        """What the set teaches itself by tiles, where its things are small or many; else what one look has found."""
        common = fitted.common
        shown = [index for index in finite if self._hints.get(index) != ()]
        if common is None or len(shown) < _LEAST_PROBED:
            return fitted
        probed = [shown[place] for place in sample_indices(len(shown), PROBED)]
        grid = self._looker.grid(PROBE_TILES)

        def look(index: int) -> ImageFeatures | None:
            self._check()
            try:
                return self._looker.whole_by_tiles(self._images[index].rgb, self._features[index], grid)
            except ImageError:
                return None

        seen = {
            index: found for index, found in zip(probed, self._each(look, probed), strict=True) if found is not None
        }
        first = fit_first_look([one.attention for one in seen.values()], [one.features for one in seen.values()])
        if first is None:
            return fitted
        view = view_parts([first.object.bounded_map(one.features) for one in seen.values()])
        if not view.asks_for_tiles:
            return fitted
        indices = list(seen)
        examples = {indices[place]: (box,) for place, box in view.examples.items()}
        absent = {index: boxes for index, boxes in self._hints.items() if boxes == ()}
        taught = SetFitter(
            self._looker,
            self._images,
            self._features,
            effort=self._effort,
            hints={**absent, **examples},
            pool=self._pool,
            check=self._check,
        )._fit_exemplar(finite, common, max(PROBED, min(MOST_TAUGHT, len(finite) // 2)), PROBE_TILES, _LEAST_AGREEING)
        return fitted if taught.common is None or taught.common.exemplar is None else taught

    # ---- by what hints teach

    def _fit_exemplar(
        self,
        finite: Sequence[int],
        common: CommonObject,
        most_images: int | None = None,
        most_tiles: int = MOST_TILES,
        least_agreeing: float = 0.0,
    ) -> FittedSet:
        grid, side = self._hinted_grid(finite, most_tiles)
        channels = self._features[finite[0]].features.shape[0]
        most = max(_LEAST_GRIDS, _GRID_BYTES // (2 * channels * grid.side**2))
        most = min(most, most_images or most)
        others = [index for index in finite if index not in self._hints]
        hinted = [index for index in finite if index in self._hints]
        sample = sorted(hinted + [others[place] for place in sample_indices(len(others), max(1, most - len(hinted)))])
        sharing = self._is_shared(common, side**2)

        def hinted_grid(index: int) -> HintedGrid | None:
            self._check()
            image = self._images[index]
            try:
                features = self._looker.tiles(image.rgb, self._features[index], grid)
            except ImageError:
                return None
            background = None
            if sharing:
                shared = common.first.object.bounded_map(self._features[index].features)
                background = upsample(shared, grid.side, grid.side) < _FOREGROUND
            return HintedGrid(
                features.astype(np.float16), image.width, image.height, self._hints.get(index), background
            )

        made = dict(zip(sample, self._each(hinted_grid, sample), strict=True))
        grids = {index: made_grid for index, made_grid in made.items() if made_grid is not None}
        if not any(made_grid.boxes for made_grid in grids.values()):
            return FittedSet(common)
        exemplar = fit_scan(list(grids.values()), grid.count)
        if exemplar is None:
            return FittedSet(common)
        finds: list[tuple[int, Corners, bool, float]] = []
        for index, made_grid in grids.items():
            if made_grid.boxes is not None:
                finds += [(index, box, True, np.inf) for box in made_grid.boxes]
            else:
                boxes, values = exemplar.windows(made_grid.features, made_grid.width, made_grid.height, 1)
                x0, y0, x1, y1 = (float(value) for value in boxes[0])
                finds.append((index, (x0, y0, x1, y1), False, float(values[0])))

        def look_again(place: int) -> tuple[Region, ImageFeatures]:
            self._check()
            index, window, _, _ = finds[place]
            region = region_around(window)
            return region, self._looker.region(self._images[index].rgb, region, self._features[index])

        looked = self._each(look_again, range(len(finds)))
        kept = [place for place, (_, found) in enumerate(looked) if found.is_finite]
        if not kept:
            return FittedSet(common)
        region_looks = [
            RegionLook(
                looked[place][1].features,
                within_region(finds[place][1], looked[place][0]),
                finds[place][2],
                finds[place][3] >= 1.0,
            )
            for place in kept
        ]

        def outline(place: int, scores: NDArray[np.float32]) -> NDArray[np.float32]:
            index = finds[kept[place]][0]
            look = looked[kept[place]][0], scores
            return window_shares(self._images[index].rgb, look, region_looks[place].window)

        learnt = fit_regions(exemplar, region_looks, outline)
        others = [place for place in kept if not finds[place][2]]
        agreeing = sum(learnt.confidence(looked[place][1].features, finds[place][3]) >= SHOWN for place in others)
        if agreeing < least_agreeing * len(others):
            return FittedSet(common)
        looks = {finds[place][0]: {looked[place][0]: looked[place][1]} for place in kept}
        return FittedSet(replace(common, exemplar=learnt), looks)

    def _hinted_grid(self, finite: Sequence[int], most_tiles: int = MOST_TILES) -> tuple[TileGrid, float]:
        """The tiles on which hinted things are looked for, and the median side of these, as a share of the image's."""
        sides = [
            WindowSize.of(box, self._images[index].width, self._images[index].height).side
            for index in finite
            for box in self._hints.get(index, ())
        ]
        side = float(np.median(sides))
        return TileGrid.for_size(side, self._features[finite[0]].attention.shape[0], most_tiles), side

    def _is_shared(self, common: CommonObject, area: float) -> bool:
        """Whether the hints lie in what the images share, as one of several side by side does."""
        if area < _PART:
            return False
        inside, outside = [], []
        for index, boxes in self._hints.items():
            if not self._features[index].is_finite:
                continue
            shared = common.first.object.bounded_map(self._features[index].features)
            for box in boxes:
                cells = box_cells(box, *shared.shape)
                inside.append(float(shared[cells].mean()))
                outside.append(float(shared[~cells].mean()) if not cells.all() else 0.0)
        return float(np.mean(inside)) > float(np.mean(outside)) + _INSIDE

    def _each(self, function: Callable[[int], Result], indices: Sequence[int]) -> list[Result]:
        return list(map(function, indices) if self._pool is None else self._pool.map(function, indices))


def within_region(window: Corners, region: Region) -> Corners:
    """A window of the image as shares of the sides of a region."""
    across, down = region.x1 - region.x0, region.y1 - region.y0
    return (
        (window[0] - region.x0) / across,
        (window[1] - region.y0) / down,
        (window[2] - region.x0) / across,
        (window[3] - region.y0) / down,
    )
