"""The common object's direction in feature space, estimated over the images of a set without labels.

A linear discriminant between foreground and background descriptors. It starts from a map that needs no training, the
mean of the attention map and of representer point selection (Song et al., ICCV 2023), splits the set's descriptors
with it, fits Fisher's discriminant to the split, and splits again with the new map. Statistics are accumulated image
by image, so that beside the features themselves memory does not grow with the set.

Descriptors are the features at each cell of the map, scaled to unit length.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from colocalization.descriptors import descriptors
from colocalization.maps import min_max, otsu_threshold

__all__ = [
    "Background",
    "ClassStatistics",
    "Discriminant",
    "FittedClasses",
    "fisher_discriminant",
    "fit_discriminant",
    "fit_to_shares",
    "fit_with_statistics",
    "foreground_cuts",
    "representer_direction",
    "split_by_shares",
    "starting_maps",
]

Background = Literal["rest", "sure"]
"""What counts as background when the discriminant is fitted. `rest`: all that is not foreground, which gives tight maps
that may leave out parts unlike the rest of the object. `sure`: only what lies clearly below the threshold, so that
doubtful parts of the object, as a cat's body beside its head, are not learnt as background; it gives wide maps."""

_SHRINKAGE = 0.1
"""Share of the within-class variances added to the diagonal of the within-class scatter (ridge), so that it can be
inverted for sets of two images."""

_RIDGE = 1e-3
"""Share of the mean variance added on top, for channels that are constant over the set."""


_OBJECT_SHARE, _BACKGROUND_SHARE = 0.6, 0.2
"""Cells of which an outline covers more than the one are foreground, less than the other background. What lies between
is an edge, which belongs to neither."""

_FLOOR = 1e-6
"""Variance added at least: products of unit-length float32 rows are exact to about 1e-7, and without it the scatter of
descriptors that are all alike could come out indefinite."""

_ROUNDING = 1e-6
"""Directions shorter than this share of the mean feature are what float32 leaves of none at all."""


@dataclass(frozen=True, slots=True)
class Discriminant:
    """A direction in feature space with the place of both classes on it.

    Attributes:
        direction: (C,) float32.
        background: Mean of the background descriptors along the direction.
        foreground: Mean of the foreground descriptors along the direction, above `background`.
    """

    direction: NDArray[np.float32]
    background: float
    foreground: float

    def map(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Score of each cell: 0 at the mean of the background, 1 at the mean of the foreground.

        Args:
            features: (C, h, w) feature map.

        Returns:
            (h, w) float32, not bounded.
        """
        scores = (descriptors(features) @ self.direction - self.background) / (self.foreground - self.background)
        return np.asarray(scores.reshape(features.shape[1:]), dtype=np.float32)

    def bounded_map(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """The map from half-way below the background to half-way above the foreground, which holds nearly all scores.

        Args:
            features: (C, h, w) feature map.

        Returns:
            (h, w) float32 [0, 1]: 0.25 at the mean of the background, 0.75 at that of the foreground.
        """
        return np.clip((self.map(features) + np.float32(0.5)) / 2, 0, 1)


def representer_direction(features: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """Direction of representer point selection (Song et al., ICCV 2023) over a set.

    With v the mean feature and u the mean unit-length feature over all cells of the set: w = v - u |v| / |u|, of unit
    length. Features of great length, which the object has, outweigh in v but not in u.

    Args:
        features: Feature maps, each (C, h, w).

    Returns:
        (C,) float32 of length 1; 0 where all features are alike.
    """
    count = sum(one[0].size for one in features)
    mean = sum(one.astype(np.float64).sum(axis=(1, 2)) for one in features) / count
    unit = sum(descriptors(one).sum(axis=0, dtype=np.float64) for one in features) / count
    direction = mean - unit * np.linalg.norm(mean) / max(float(np.linalg.norm(unit)), np.finfo(np.float64).tiny)
    length = float(np.linalg.norm(direction))
    if length <= _ROUNDING * np.linalg.norm(mean):
        return np.zeros(len(direction), dtype=np.float32)
    return np.asarray(direction / length, dtype=np.float32)


def starting_maps(
    attention: Sequence[NDArray[np.floating]], features: Sequence[NDArray[np.floating]]
) -> list[NDArray[np.float32]]:
    """Maps to start from: the mean of the attention map and the representer map, each min-max normalised.

    Args:
        attention: Attention maps, each (h, w).
        features: Feature maps, each (C, h, w).

    Returns:
        One (h, w) float32 map in [0, 1] for each image.
    """
    direction = representer_direction(features)
    maps = []
    for attended, one in zip(attention, features, strict=True):
        represented = np.maximum(descriptors(one) @ direction, 0).reshape(attended.shape)
        maps.append(np.float32(0.5) * (min_max(attended) + min_max(represented)))
    return maps


class ClassStatistics:
    """Count, mean and scatter of one class of descriptors, accumulated."""

    def __init__(self, channels: int) -> None:
        self.count = 0
        self._sum = np.zeros(channels)
        self._products = np.zeros((channels, channels))

    @classmethod
    def of(cls, count: int, total: NDArray[np.floating], products: NDArray[np.floating]) -> "ClassStatistics":
        """Statistics that were accumulated before.

        Args:
            count: Number of descriptors.
            total: (C,) sum of them.
            products: (C, C) sum of their outer products.
        """
        made = cls(len(total))
        made.count, made._sum, made._products = count, total.astype(np.float64), products.astype(np.float64)
        return made

    @property
    def total(self) -> NDArray[np.float64]:
        """(C,) float64, the sum of the descriptors."""
        return self._sum

    @property
    def products(self) -> NDArray[np.float64]:
        """(C, C) float64, the sum of their outer products."""
        return self._products

    def add(self, rows: NDArray[np.float32]) -> None:
        """Add (N, C) float32 descriptors."""
        self.count += len(rows)
        self._sum += rows.sum(axis=0, dtype=np.float64)
        self._products += rows.T @ rows

    @classmethod
    def mixed(cls, parts: Sequence["ClassStatistics"]) -> "ClassStatistics":
        """The statistics of a mixture in which parts weigh alike, whatever their number of descriptors.

        Args:
            parts: At least one, each of at least one descriptor.
        """
        mixture = cls(len(parts[0]._sum))
        for part in parts:
            mixture._sum += part._sum / part.count
            mixture._products += part._products / part.count
        mixture.count = len(parts)
        return mixture

    @property
    def mean(self) -> NDArray[np.float64]:
        """(C,) float64; of at least one descriptor."""
        return self._sum / self.count

    @property
    def covariance(self) -> NDArray[np.float64]:
        """(C, C) float64; of at least one descriptor."""
        mean = self.mean
        return self._products / self.count - np.outer(mean, mean)


@dataclass(frozen=True, slots=True)
class FittedClasses:
    """A discriminant, and what it was fitted to.

    Attributes:
        discriminant: The discriminant.
        low: The background of the last round.
        high: The foreground of the last round.
    """

    discriminant: Discriminant
    low: ClassStatistics
    high: ClassStatistics


def fit_discriminant(
    features: Sequence[NDArray[np.floating]],
    start: Sequence[NDArray[np.float32]],
    *,
    background: Background = "rest",
    rounds: int = 3,
) -> Discriminant | None:
    """Fit Fisher's linear discriminant between foreground and background of a set.

    Each round thresholds the maps with one Otsu cut over the whole set, fits the discriminant to the two classes and
    makes new maps with it.

    Args:
        features: Feature maps, each (C, h, w).
        start: Maps in [0, 1] to start from, each (h, w).
        background: What counts as background.
        rounds: How often to split and fit, at least 1.

    Returns:
        The discriminant; None where the set has no two classes, for example because all images are blank.

    Raises:
        ValueError: There are no features, as many maps as features are not given, or rounds is below 1.
    """
    fitted = fit_with_statistics(features, start, background=background, rounds=rounds)
    return None if fitted is None else fitted.discriminant


def fit_with_statistics(
    features: Sequence[NDArray[np.floating]],
    start: Sequence[NDArray[np.float32]],
    *,
    background: Background,
    rounds: int,
) -> FittedClasses | None:
    """Fit a discriminant as `fit_discriminant` does; gives with it the classes that it was fitted to."""
    if not features or len(features) != len(start):
        raise ValueError(f"expected as many maps as features, at least 1, got {len(start)} and {len(features)}")
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    result: FittedClasses | None = None

    def started(index: int) -> NDArray[np.float32]:
        return start[index]

    def mapped(index: int) -> NDArray[np.float32]:
        assert result is not None  # noqa: S101  (only used once there is one, for the type checker)
        return result.discriminant.bounded_map(features[index])

    current: Callable[[int], NDArray[np.float32]] = started
    for _ in range(rounds):
        maps = [current(index) for index in range(len(features))]
        fitted = _fit_once(features, maps, background)
        if fitted is None:
            return result
        result, current = fitted, mapped
    return result


def _fit_once(
    features: Sequence[NDArray[np.floating]], maps: Sequence[NDArray[np.float32]], background: Background
) -> FittedClasses | None:
    cuts = foreground_cuts(np.concatenate([one.ravel() for one in maps]), background)
    if cuts is None:
        return None
    threshold, sure = cuts
    channels = features[0].shape[0]
    classes = ClassStatistics(channels), ClassStatistics(channels)
    for one, scores in zip(features, maps, strict=True):
        rows, flat = descriptors(one), scores.ravel()
        classes[0].add(rows[flat <= sure])
        classes[1].add(rows[flat > threshold])
    # `rest` weighs the classes as they come; the sure background is a choice of cells, whose share says nothing.
    found = fisher_discriminant(*classes, weight=None if background == "rest" else 0.5)
    return None if found is None else FittedClasses(found, *classes)


def foreground_cuts(values: NDArray[np.floating], background: Background) -> tuple[float, float] | None:
    """Where to cut the values of the maps of a set.

    Args:
        values: All of them.
        background: What counts as background.

    Returns:
        The value above which a cell is foreground, and the one up to which it is background; None where the values are
        all alike.
    """
    threshold = otsu_threshold(values)
    below = values[values <= threshold]
    if below.size in (0, values.size):
        return None
    # Not above the first cut, as where all that lies below it has one value.
    return threshold, min(threshold, otsu_threshold(below)) if background == "sure" else threshold


def fit_to_shares(
    features: Sequence[NDArray[np.floating]], shares: Sequence[NDArray[np.floating]]
) -> Discriminant | None:
    """Fit Fisher's linear discriminant between what outlines cover and what they leave free.

    Args:
        features: Feature maps, each (C, h, w).
        shares: How much of each cell the outline covers, each (h, w) in [0, 1].

    Returns:
        The discriminant, both classes weighed alike; None where the outlines leave no two classes.
    """
    channels = features[0].shape[0]
    low, high = ClassStatistics(channels), ClassStatistics(channels)
    for one, share in zip(features, shares, strict=True):
        split_by_shares(descriptors(one), share, low, high)
    return fisher_discriminant(low, high, weight=0.5)


def split_by_shares(
    rows: NDArray[np.float32], shares: NDArray[np.floating], low: ClassStatistics, high: ClassStatistics
) -> None:
    """Add the descriptors of an image to two classes, by how much of their cells an outline covers.

    Args:
        rows: (h * w, C) float32.
        shares: (h, w) in [0, 1].
        low: What the outline leaves free.
        high: What it covers.
    """
    flat = shares.ravel()
    low.add(rows[flat < _BACKGROUND_SHARE])
    high.add(rows[flat > _OBJECT_SHARE])


def fisher_discriminant(
    low: ClassStatistics,
    high: ClassStatistics,
    *,
    weight: float | None,
    mean: NDArray[np.float64] | None = None,
    shrinkage: float | None = None,
) -> Discriminant | None:
    """Fisher's linear discriminant between two classes.

    Args:
        low: The background.
        high: The foreground.
        weight: Share of the foreground in the scatter within the classes; None: by the number of its cells.
        mean: (C,) mean of the foreground, where it is not that of the cells that its scatter is of.
        shrinkage: Share of the variances added to the diagonal of the scatter; None: as for a set.

    Returns:
        The discriminant; None where a class is empty or both are alike.
    """
    if not low.count or not high.count:
        return None
    if weight is None:
        weight = high.count / (low.count + high.count)
    within = weight * high.covariance + (1 - weight) * low.covariance
    variances = np.diag(within)
    ridge = _SHRINKAGE if shrinkage is None else shrinkage
    within += np.diag(ridge * variances + _RIDGE * variances.mean() + _FLOOR)
    middle = high.mean if mean is None else mean
    direction = np.linalg.solve(within, middle - low.mean)
    at_background, at_foreground = float(low.mean @ direction), float(middle @ direction)
    if not at_foreground > at_background:
        return None
    return Discriminant(direction.astype(np.float32), at_background, at_foreground)
