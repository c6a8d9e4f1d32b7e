"""What a hint teaches: one box in one image, and the same thing is found in the others.

The cells of the hinted box against all that is around them give a first discriminant (few-shot localization from one
exemplar). The grid on which it is looked for is as fine as the hint is small (`TileGrid.for_size`), and windows of the
hint's size say where it is (`find_windows`). What is found is learnt from twice; a third round would learn its own
errors. Then each find is looked at again, alone, at the network's full input size: there the hint's box says which
cells are the object and which are not, the colours of the images draw outlines, and from the outlines of the set the
discriminant of the regions is learnt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import box_iou
from colocalization.descriptors import descriptors
from colocalization.discriminant import ClassStatistics, Discriminant, fisher_discriminant, fit_to_shares
from colocalization.hints import Corners
from colocalization.prototype import Prototype, fit_prototype
from colocalization.transform import Region
from colocalization.windows import WindowSize, box_cells, box_coverage, find_windows

__all__ = ["JOINS_FROM", "Exemplar", "HintedGrid", "RegionLook", "agrees", "fit_regions", "fit_scan", "region_around"]

JOINS_FROM = 0.4
"""IoU of a hint with what was found without it from which on it means the same. Where it meant something else, as cells
among cells, it was at most 0.20 in 14 images; of cats, raccoons and horses at least 0.55 in all but two of 21."""

_ROUNDS = 2
"""How often what was found is learnt from: more learns its own errors."""

_NARROW, _WIDE = (0.8, 1.0, 1.25), (0.5, 0.63, 0.8, 1.0, 1.25, 1.6, 2.0)
"""Factors of the hint's size that are tried: small things are of one size in a set, large ones are near or far."""

_LARGE = 0.05
"""Share of its image from which on a hinted object is large."""

_REGION_FACTOR, _SMALLEST_REGION = 2.0, 0.04
"""Side of the second look in sides of the window, and its least share of the image's side."""

_FREE = 0.2
"""How much of a window's size around it is not learnt as background: the window is not the outline."""

_LIKELY = 0.5
"""Value, in typical best values, from which on a window is not learnt as background."""

_LEAST_VALUE, _LEAST_PEAK = 0.6, 0.85
"""Value of the best window, and mean of the surest cells of its region, from which an image counts as showing the
object. Over four sets they were at least 0.62 and 0.94 on 95 of 100 images that do."""

_PEAK_SHARE, _SOFTNESS = 0.025, 0.08
"""Share of a region's cells that its surest ones are; width of the logistic curve around the cuts."""

_STEP = 2
"""Of the background's cells every second row and column is enough."""

_WINDOWS = 128
"""Most windows of an image that are kept while learning."""


@dataclass(frozen=True, slots=True)
class HintedGrid:
    """One image of the set on the grid on which the object is looked for.

    Attributes:
        features: (C, h, w) float16 or float32 feature map.
        width: Width of the original, in pixels.
        height: Height of the original, in pixels.
        boxes: Hinted boxes as shares of the sides; empty where the image is said not to show the object; None without a
            hint.
        background: (h, w) bool, cells that may be learnt as background; None: all.
    """

    features: NDArray[np.floating]
    width: int
    height: int
    boxes: tuple[Corners, ...] | None
    background: NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True)
class Exemplar:
    """What hints taught of the object.

    Attributes:
        tiles: Looks in a row and in a column by which it is looked for; 1: one look at the whole image.
        sizes: Sizes of the hinted boxes.
        factors: Factors of these sizes that windows have.
        scan: Tells the object on the grid.
        region: Tells it in a second look at a window; None until `fit_regions`.
        prototype: What its second looks have in common, for the confidence; None until `fit_regions`.
        typical: Value that the best window of an image has typically.
    """

    tiles: int
    sizes: tuple[WindowSize, ...]
    factors: tuple[float, ...]
    scan: Discriminant
    region: Discriminant | None
    prototype: Prototype | None
    typical: float

    def windows(
        self, features: NDArray[np.floating], width: int, height: int, most: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where the object may be, best first.

        Args:
            features: (C, h, w) feature map of the image on the grid.
            width: Width of the original, in pixels.
            height: Height of the original, in pixels.
            most: Most windows to give.

        Returns:
            (K, 4) float64 windows as shares of the sides and (K,) float64 values, 1 being typical of a best one.
        """
        boxes, values = find_windows(self.scan.map(features), _tried(self.sizes, self.factors, width, height), most)
        return boxes, values / self.typical

    def confidence(self, features: NDArray[np.floating], value: float) -> float:
        """How sure it is that an image shows the object, in [0, 1].

        Three signs must all be there: the second look at the best window is like those of the set, the window stands
        out as they do, and the region has cells that are the object through and through.

        Args:
            features: (C, h, w) feature map of the region of the image's best window.
            value: The window's value, as `windows` gives it.

        Raises:
            ValueError: There are no second looks yet.
        """
        if self.region is None or self.prototype is None:
            raise ValueError("the exemplar has no second looks; learn them by `fit_regions`")
        alike = self.prototype.confidence(self.prototype.similarity(features, self.region))
        scores = np.sort(self.region.map(features), axis=None)
        peak = float(scores[-max(1, round(_PEAK_SHARE * scores.size)) :].mean())
        others = min(value - _LEAST_VALUE, peak - _LEAST_PEAK) / _SOFTNESS
        return min(alike, float(1 / (1 + np.exp(-others))))


@dataclass(frozen=True, slots=True)
class RegionLook:
    """A second look at a window.

    Attributes:
        features: (C, h, w) float32 feature map of the region.
        window: The window in the region, as shares of its sides.
        exact: Whether the window is a hint, so that it is the object's box.
        sure: Whether it is among the better half of the finds, from which is learnt.
    """

    features: NDArray[np.floating]
    window: Corners
    exact: bool
    sure: bool


def _tried(sizes: Sequence[WindowSize], factors: Sequence[float], width: int, height: int) -> list[tuple[float, float]]:
    shares = (size.shares(width, height) for size in sizes)
    return [(factor * across, factor * down) for across, down in shares for factor in factors]


def region_around(corners: Sequence[float]) -> Region:
    """The region of the second look at a window."""
    x0, y0, x1, y1 = (min(max(float(value), 0.0), 1.0) for value in corners)
    return Region(x0, y0, x1, y1).expanded(_REGION_FACTOR, _SMALLEST_REGION)


def fit_scan(grids: Sequence[HintedGrid], tiles: int) -> Exemplar | None:
    """Learn to find the object on the grid.

    Args:
        grids: The images of the set, at least one of them with a hinted box.
        tiles: Looks in a row by which the grids were made.

    Returns:
        The exemplar, yet without its second looks; None where the hints leave no two classes.
    """
    hinted = [grid for grid in grids if grid.boxes]
    sizes = tuple(WindowSize.of(box, grid.width, grid.height) for grid in hinted for box in grid.boxes or ())
    large = float(np.median([size.side**2 for size in sizes])) >= _LARGE
    positives = ClassStatistics(grids[0].features.shape[0])
    for grid in hinted:
        for box in grid.boxes or ():
            _add(positives, grid, box_cells(box, *grid.features.shape[1:]))
    scan = fisher_discriminant(_rest(grids, [None] * len(grids), _STEP + 1), positives, weight=0.0)
    for index in range(_ROUNDS + 1):
        if scan is None:
            return None
        factors = _WIDE if large and index == _ROUNDS else _NARROW
        found = [
            find_windows(scan.map(grid.features), _tried(sizes, factors, grid.width, grid.height), _WINDOWS)
            for grid in grids
        ]
        best = np.array([values[0] for _, values in found])
        unhinted = [value for value, grid in zip(best, grids, strict=True) if grid.boxes is None]
        typical = max(float(np.median(unhinted if unhinted else best)), 1e-3)
        exemplar = Exemplar(tiles, sizes, factors, scan, None, None, typical)
        if index < _ROUNDS:
            scan = _learn(grids, found, exemplar)
    return exemplar


def _learn(
    grids: Sequence[HintedGrid],
    found: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    exemplar: Exemplar,
) -> Discriminant | None:
    """The discriminant anew, from the better half of the best windows and from the hints."""
    positives = ClassStatistics(grids[0].features.shape[0])
    taken: list[NDArray[np.bool_] | None] = []
    for grid, (boxes, values) in zip(grids, found, strict=True):
        rows, columns = grid.features.shape[1:]
        if grid.boxes is not None:
            for box in grid.boxes:
                _add(positives, grid, box_cells(box, rows, columns))
        elif values[0] >= exemplar.typical:
            _add(positives, grid, box_cells(boxes[0], rows, columns))
        free = np.zeros((rows, columns), dtype=bool)
        if grid.boxes is None or grid.boxes:  # an image that does not show the object is background throughout
            likely = [box for box, value in zip(boxes, values, strict=True) if value > _LIKELY * exemplar.typical]
            for box in [*likely, *(grid.boxes or ())]:
                across, down = _FREE * (box[2] - box[0]), _FREE * (box[3] - box[1])
                free |= box_cells((box[0] - across, box[1] - down, box[2] + across, box[3] + down), rows, columns)
        taken.append(free)
    return fisher_discriminant(_rest(grids, taken, _STEP), positives, weight=0.5)


def _add(statistics: ClassStatistics, grid: HintedGrid, cells: NDArray[np.bool_]) -> None:
    statistics.add(descriptors(grid.features[:, cells][:, :, None]))


def _rest(grids: Sequence[HintedGrid], taken: Sequence[NDArray[np.bool_] | None], step: int) -> ClassStatistics:
    """All cells but those that are taken, or that may not be learnt as background."""
    rest = ClassStatistics(grids[0].features.shape[0])
    for grid, free in zip(grids, taken, strict=True):
        cells = np.ones(grid.features.shape[1:], dtype=bool) if grid.background is None else grid.background.copy()
        if free is not None:
            cells &= ~free
        chosen = np.zeros_like(cells)
        chosen[::step, ::step] = cells[::step, ::step]
        if chosen.any():
            _add(rest, grid, chosen)
    return rest


def fit_regions(
    exemplar: Exemplar,
    looks: Sequence[RegionLook],
    outline: Callable[[int, NDArray[np.float32]], NDArray[np.float32]],
    rounds: int = 1,
) -> Exemplar:
    """Learn from second looks what tells the object in detail.

    Args:
        exemplar: What finds the object.
        looks: The second looks, those at the hints among them.
        outline: From the index of a look and its (h, w) map to the share of each cell that the outline covers.
        rounds: How often outlines are learnt from.

    Returns:
        The exemplar with its second looks.
    """
    sure = [look for look in looks if look.exact or look.sure]
    background, hints, finds = (ClassStatistics(looks[0].features.shape[0]) for _ in range(3))
    for look in sure:
        rows = descriptors(look.features)
        covered = _covered(look).ravel()
        background.add(rows[covered < 0.05])
        if look.exact:
            hints.add(rows[covered > 0.6])
        inner = _covered(look, inset=0.05).ravel()
        finds.add(rows[inner > 0.6])
    # The hint says what the object is, the finds how far it varies.
    mean = (hints.mean + finds.mean) / 2 if hints.count and finds.count else None
    region = fisher_discriminant(background, finds, weight=0.5, mean=mean) or exemplar.scan
    for _ in range(rounds if sure else 0):
        shares = [
            _covered(look) if look.exact else outline(index, region.bounded_map(look.features))
            for index, look in enumerate(looks)
            if look.exact or look.sure
        ]
        region = fit_to_shares([look.features for look in sure], shares) or region
    prototype = fit_prototype([look.features for look in looks], region)
    return replace(exemplar, region=region, prototype=prototype)


def _covered(look: RegionLook, inset: float = 0.0) -> NDArray[np.float32]:
    """Share of each cell of the region that the window covers, (h, w) float32 [0, 1]."""
    x0, y0, x1, y1 = look.window
    return box_coverage((x0 + inset, y0 + inset, x1 - inset, y1 - inset), *look.features.shape[1:])


def agrees(found: Corners, hinted: Sequence[Corners], least: float = JOINS_FROM) -> bool:
    """Whether a box found without hints is one of those hinted, by IoU.

    Example:
        >>> agrees((0.0, 0.0, 1.0, 1.0), [(0.0, 0.0, 1.0, 0.6)])
        True
    """
    return bool(box_iou([found], list(hinted)).max() >= least)
