"""Experiment `set-size`: how does quality grow with the set?

The same images are localized in sets of 1, 2, 5, 20, 100 and all: a pool of each set is divided into sets of the
size; sets of more images than the pool holds are filled up with others, of which only the common object is learnt. So
every size is scored on the same images, and differences are paired.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from colocalization.common_object import sample_indices
from colocalization.localizer import Localizer
from experiments.observe import ObservedSet, observe, prepare
from experiments.records import Note
from experiments.scores import best_iou, difference, pack_ious, summarise
from experiments.sets import EvaluationSet

__all__ = ["SIZES", "divide", "measure_set_size"]

SIZES: tuple[int | None, ...] = (1, 2, 5, 20, 100, None)
"""Sizes of the sets; None: all images."""

_POOL = 24


def measure_set_size(localizers: Mapping[str, Localizer], sets: Sequence[EvaluationSet], note: Note) -> dict[str, Any]:
    """Localize the same images in sets of several sizes.

    Args:
        localizers: By group, the model, with the effort to measure and a prior that has not seen the group.
        sets: The sets.
        note: Is told how it goes.

    Returns:
        For each size the IoUs by set, the scores, and the difference to all images with its interval.

    Raises:
        ImageError: An image cannot be read.
    """
    groups = {members.name: members.group for members in sets}
    ious: dict[str, dict[str, list[float]]] = {_name(size): {} for size in SIZES}
    for members in sets:
        localizer = localizers[members.group]
        with observe(localizer, {}, None, members.images) as observed:
            for size in SIZES:
                ious[_name(size)][members.name] = _localize(localizer, observed, size)
        told = ", ".join(
            f"{name}: {100 * np.mean(np.asarray(values[members.name]) >= 0.5):.1f}" for name, values in ious.items()
        )
        note(f"{members.name}: CorLoc at 0.5 by size of the set: {told}")
    results: dict[str, Any] = {}
    for name, values in ious.items():
        parts, overall = summarise(values, groups)
        apart = difference(values, ious[_name(None)], groups)
        results[name] = {
            "mean": overall.to_json(),
            "groups": {group: part.to_json()["corloc"] for group, part in parts.items()},
            "over_all": {at: [round(value, 2) for value in three] for at, three in apart.items()},
            "iou_thousandths": {member: pack_ious(values_of_member) for member, values_of_member in values.items()},
        }
    return {"pool": _POOL, "sizes": results}


def divide(count: int, pool: int, size: int | None, random: np.random.Generator) -> Iterator[tuple[list[int], int]]:
    """Divide a pool into sets.

    Args:
        count: Number of images.
        pool: How many of them, the first of a random order, are scored.
        size: Images a set; None, or more than there are: all.
        random: Makes the order.

    Yields:
        The images of a set, those to score first, and how many those are. Every image of the pool is scored once.

    Example:
        >>> [(len(one), scored) for one, scored in divide(30, 5, 2, np.random.default_rng(0))]
        [(2, 2), (2, 2), (2, 1)]
    """
    order = [int(index) for index in random.permutation(count)]
    size = count if size is None else min(size, count)
    pool = min(pool, count)
    for start in range(0, pool, size):
        scored = order[start : min(start + size, pool)]
        # The last set of the pool, or the only one, is filled up from behind.
        others = [index for index in reversed(order) if index not in scored]
        yield scored + others[: size - len(scored)], len(scored)


def _localize(localizer: Localizer, observed: ObservedSet, size: int | None) -> list[float]:
    found: dict[int, float] = {}
    # The same order for every size, so that the pool is the same.
    for members, scored in divide(len(observed.images), _POOL, size, np.random.default_rng(0)):
        # Not in the order of the pool: the sample that the common object is learnt from must be one of the whole set.
        found.update(_one_set(localizer, observed, sorted(members), set(members[:scored])))
    return [found[index] for index in sorted(found)]


def _one_set(
    localizer: Localizer, observed: ObservedSet, members: Sequence[int], scored: set[int]
) -> Iterator[tuple[int, float]]:
    sample = [members[int(index)] for index in sample_indices(len(members), localizer.set_sample_size)]
    images = [prepare(localizer, observed.images[index]).image for index in sample]
    common = localizer.fit_features(images, [observed.of(index) for index in sample]).common
    for index in members:
        if index in scored:
            image = observed.images[index]
            result = localizer.finish(prepare(localizer, image), observed.of(index), common)
            yield index, best_iou(result.boxes[0].as_tuple() if result.boxes else None, image.boxes)


def _name(size: int | None) -> str:
    return "all" if size is None else str(size)
