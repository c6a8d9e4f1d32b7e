"""CorLoc of several sets with bootstrap intervals.

Images are drawn anew, with replacement, within each set; a group is the mean of its sets (PASCAL07-6x2: left and
right), the overall score the mean of the groups, for every draw. All methods get the same draws, so that differences
between methods are paired. That says how well these sets are known. How much another choice of sets would change, says
a second interval, for which groups are drawn anew, too.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from colocalization.boxes import box_iou
from colocalization.corloc import IOU_THRESHOLDS
from training.datasets import BoxTuple

__all__ = ["NO_BOX", "Summary", "best_iou", "difference", "difference_over_seeds", "pack_ious", "summarise"]

NO_BOX = -1.0
"""Stands for the IoU of an image without a predicted box, which is a miss."""

_DRAWS = 2000
_NAMES = (*(f"{threshold:g}" for threshold in IOU_THRESHOLDS), "mean")


def best_iou(predicted: BoxTuple | None, truth: Sequence[BoxTuple]) -> float:
    """IoU of a predicted box with the best of an image's boxes, or `NO_BOX`.

    Example:
        >>> best_iou((0, 0, 2, 1), [(0, 0, 1, 1), (5, 5, 6, 6)])
        0.5
    """
    return NO_BOX if predicted is None else float(box_iou([predicted], truth).max())


def pack_ious(ious: Sequence[float]) -> list[int]:
    """IoUs in thousandths, rounded down so that none crosses a threshold; -1 for no box.

    Example:
        >>> pack_ious([0.69999, 0.7, NO_BOX])
        [699, 700, -1]
    """
    return [-1 if iou < 0 else int(np.floor(iou * 1000 + 1e-9)) for iou in ious]


@dataclass(frozen=True, slots=True)
class Summary:
    """Scores in percent: at each IoU threshold and "mean", their mean ("CorLoc Mean" of Ki et al. 2021).

    Attributes:
        images: Number of images.
        missing: How many have no box.
        values: Score by name.
        intervals: 95 % bootstrap interval over images by name.
        over_sets: The same over groups and images; of a single group as `intervals`.
        legacy: Score by name with images without a box left out, as PsyNet counts.
    """

    images: int
    missing: int
    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    over_sets: dict[str, tuple[float, float]]
    legacy: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """As part of a record, rounded to hundredths of a percent."""
        return {
            "images": self.images,
            "missing": self.missing,
            "corloc": {name: round(value, 2) for name, value in self.values.items()},
            "interval": {name: [round(low, 2), round(high, 2)] for name, (low, high) in self.intervals.items()},
            "interval_over_sets": {
                name: [round(low, 2), round(high, 2)] for name, (low, high) in self.over_sets.items()
            },
            "legacy": {name: round(value, 2) for name, value in self.legacy.items()},
        }


def summarise(ious: Mapping[str, ArrayLike], groups: Mapping[str, str]) -> tuple[dict[str, Summary], Summary]:
    """Scores of one method.

    Args:
        ious: (N,) IoUs of each set's images by the set's name, `NO_BOX` where there is no box, N >= 1.
        groups: Group of each set by the set's name.

    Returns:
        The summary of each group, and that of the mean over the groups.

    Raises:
        ValueError: There is no set, or one without images.
    """
    if not ious:
        raise ValueError("expected at least one set")
    members: dict[str, list[NDArray[np.float64]]] = {}
    drawn: dict[str, list[NDArray[np.float64]]] = {}
    for name, values in ious.items():
        array = _checked(name, values)
        members.setdefault(groups[name], []).append(array)
        drawn.setdefault(groups[name], []).append(_draws(name, array))
    draws = {group: _mean(arrays) for group, arrays in drawn.items()}
    legacy = {group: _mean([_legacy(array) for array in arrays]) for group, arrays in members.items()}
    scores = {group: _mean([_hits(array).mean(axis=0) for array in arrays]) for group, arrays in members.items()}
    pooled = {group: np.concatenate(arrays) for group, arrays in members.items()}
    parts = {group: _summary(pooled[group], scores[group], draws[group], legacy[group]) for group in members}
    everything = np.concatenate(list(pooled.values()))
    means, drawn_means, legacy_means = (_mean(list(parts.values())) for parts in (scores, draws, legacy))
    overall = _summary(everything, means, drawn_means, legacy_means, _over_groups(list(draws.values())))
    return parts, overall


def difference(
    ours: Mapping[str, ArrayLike],
    theirs: Mapping[str, ArrayLike],
    groups: Mapping[str, str],
    over: Literal["images", "sets"] = "images",
) -> dict[str, tuple[float, float, float]]:
    """How much better one method is than another on the same images, mean over the groups.

    Args:
        ours: IoUs as for `summarise`.
        theirs: IoUs of the same images.
        groups: Group of each set.
        over: What is drawn anew: images within each set, or groups and their images.

    Returns:
        Difference in points, with the ends of its paired 95 % bootstrap interval, by name.

    Raises:
        ValueError: The sets or their sizes differ.
    """
    if ours.keys() != theirs.keys():
        raise ValueError(f"expected the same sets, got {sorted(ours)} and {sorted(theirs)}")
    values: dict[str, list[NDArray[np.float64]]] = {}
    draws: dict[str, list[NDArray[np.float64]]] = {}
    for name in ours:
        first, second = _checked(name, ours[name]), _checked(name, theirs[name])
        if first.shape != second.shape:
            raise ValueError(f"set {name!r}: {first.size} images against {second.size}")
        values.setdefault(groups[name], []).append((_hits(first) - _hits(second)).mean(axis=0))
        draws.setdefault(groups[name], []).append(_draws(name, first) - _draws(name, second))
    value = _mean([_mean(arrays) for arrays in values.values()])
    by_group = [_mean(arrays) for arrays in draws.values()]
    drawn = _mean(by_group) if over == "images" else _over_groups(by_group)
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    return {name: (float(value[index]), float(low[index]), float(high[index])) for index, name in enumerate(_NAMES)}


def difference_over_seeds(ours: ArrayLike, theirs: ArrayLike) -> dict[str, tuple[float, float, float]]:
    """How much better one training is than another, on the same images and with the same seeds.

    Args:
        ours: (S, N) IoUs of N images by S runs, `NO_BOX` where there is no box.
        theirs: Those of the other training, seed by seed.

    Returns:
        Difference in points, with the ends of its paired 95 % bootstrap interval, by name. Images and seeds are drawn
        anew; with one seed it is over images alone.

    Raises:
        ValueError: The numbers of seeds or images differ, or there is none.

    Example:
        >>> difference_over_seeds([[0.6, 0.8]], [[0.2, 0.8]])["0.5"]
        (50.0, 0.0, 100.0)
    """
    first, second = (np.asarray(values, dtype=np.float64) for values in (ours, theirs))
    if first.shape != second.shape or first.ndim != 2 or not first.size:
        raise ValueError(f"expected IoUs of the same seeds and images, got shapes {first.shape} and {second.shape}")
    seeds, count = first.shape
    apart = np.stack([_hits(one) - _hits(other) for one, other in zip(first, second, strict=True)])
    random = np.random.default_rng([seeds, count])
    of_images = random.multinomial(count, np.full(count, 1 / count), size=_DRAWS) / count
    of_seeds = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=_DRAWS) / seeds
    drawn = np.einsum("ds,di,sin->dn", of_seeds, of_images, apart, optimize=True)
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    value = apart.mean(axis=(0, 1))
    return {name: (float(value[index]), float(low[index]), float(high[index])) for index, name in enumerate(_NAMES)}


def _checked(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"set {name!r}: expected at least one IoU, got shape {array.shape}")
    return array


def _hits(ious: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) percent: hit or not at each threshold, and the mean over the thresholds."""
    hits = 100.0 * (ious[:, None] >= np.asarray(IOU_THRESHOLDS))
    return np.concatenate([hits, hits.mean(axis=1, keepdims=True)], axis=1)


def _draws(name: str, ious: NDArray[np.float64]) -> NDArray[np.float64]:
    """(draws, 4) scores of resampled sets; the draws depend on the set's name and size alone."""
    count = ious.size
    random = np.random.default_rng([count, zlib.crc32(name.encode())])
    weights = random.multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    return np.asarray(weights @ _hits(ious) / count)


def _over_groups(draws: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(draws, 4) means over groups that are drawn anew, each with its images of that draw.

    Args:
        draws: (draws, 4) of each group.
    """
    count = len(draws)
    weights = np.random.default_rng(count).multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    return np.asarray(np.einsum("dg,gdn->dn", weights / count, np.stack(draws)))


def _legacy(ious: NDArray[np.float64]) -> NDArray[np.float64]:
    found = ious[ious >= 0]
    return _hits(found).mean(axis=0) if found.size else np.zeros(len(_NAMES))


def _mean(arrays: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.asarray(np.mean(arrays, axis=0))


def _summary(
    ious: NDArray[np.float64],
    values: NDArray[np.float64],
    draws: NDArray[np.float64],
    legacy: NDArray[np.float64],
    over_sets: NDArray[np.float64] | None = None,
) -> Summary:
    low, high = np.percentile(draws, (2.5, 97.5), axis=0)
    lowest, highest = np.percentile(draws if over_sets is None else over_sets, (2.5, 97.5), axis=0)
    return Summary(
        images=ious.size,
        missing=int((ious < 0).sum()),
        values={name: float(values[index]) for index, name in enumerate(_NAMES)},
        intervals={name: (float(low[index]), float(high[index])) for index, name in enumerate(_NAMES)},
        over_sets={name: (float(lowest[index]), float(highest[index])) for index, name in enumerate(_NAMES)},
        legacy={name: float(legacy[index]) for index, name in enumerate(_NAMES)},
    )
