"""Experiment `kept-object`: what is lost when the object comes from other images of the same kind?

Every set is halved, every second image to each half. The object of each half is looked for in the images of the other
one, one image at a time; beside it, that of the whole set in the same images. So all images are scored both ways, and
the difference is paired.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from colocalization.common_object import CommonObject, sample_indices
from colocalization.localizer import Localizer
from experiments.observe import ObservedSet, observe, prepare
from experiments.records import Note
from experiments.scores import best_iou, difference, pack_ious, summarise
from experiments.sets import EvaluationSet

__all__ = ["WAYS", "measure_kept_object", "object_of"]

WAYS = ("all", "other half")
"""What the object is fitted on."""


def measure_kept_object(
    localizers: Mapping[str, Localizer], sets: Sequence[EvaluationSet], note: Note
) -> dict[str, Any]:
    """Localize every image with the object of its whole set, and with that of the half that it is not in.

    Args:
        localizers: By group, the model, with the effort to measure and a prior that has not seen the group.
        sets: The sets, each of at least four images.
        note: Is told how it goes.

    Returns:
        `ways`: by what the object is fitted on, the scores and the IoUs. `lost`: at each threshold by how many points
        the other half is worse than all, with the ends of its paired 95 % bootstrap interval.

    Raises:
        ImageError: An image cannot be read.
        ValueError: A set has fewer than four images.
    """
    groups = {members.name: members.group for members in sets}
    ious: dict[str, dict[str, list[float]]] = {way: {} for way in WAYS}
    for members in sets:
        if len(members.images) < 4:
            raise ValueError(
                f"set {members.name!r}: expected at least 4 images, to fit on 2, got {len(members.images)}"
            )
        localizer = localizers[members.group]
        with observe(localizer, {}, None, members.images) as observed:
            count = len(members.images)
            whole = object_of(localizer, observed, range(count))
            halves = [object_of(localizer, observed, range(first, count, 2)) for first in (0, 1)]
            for way in WAYS:
                ious[way][members.name] = [
                    _iou(localizer, observed, index, whole if way == "all" else halves[1 - index % 2])
                    for index in range(count)
                ]
        told = [f"{way} {_at(ious[way][members.name], 0.5)} / {_at(ious[way][members.name], 0.7)}" for way in WAYS]
        note(f"{members.name}, {count} images, CorLoc at 0.5 / 0.7: {', '.join(told)}")
    ways: dict[str, Any] = {}
    for way, values in ious.items():
        parts, overall = summarise(values, groups)
        ways[way] = {
            "mean": overall.to_json(),
            "groups": {group: part.to_json()["corloc"] for group, part in parts.items()},
            "iou_thousandths": {name: pack_ious(one) for name, one in values.items()},
        }
    lost = difference(ious["all"], ious["other half"], groups)
    return {"ways": ways, "lost": {at: [round(value, 2) for value in three] for at, three in lost.items()}}


def object_of(localizer: Localizer, observed: ObservedSet, members: Sequence[int]) -> CommonObject | None:
    """The common object of some images, or of a sample of them as in a run; None where they have none."""
    sample = [members[int(place)] for place in sample_indices(len(members), localizer.set_sample_size)]
    images = [prepare(localizer, observed.images[index]).image for index in sample]
    return localizer.fit_features(images, [observed.of(index) for index in sample]).common


def _iou(localizer: Localizer, observed: ObservedSet, index: int, common: CommonObject | None) -> float:
    image = observed.images[index]
    result = localizer.finish(prepare(localizer, image), observed.of(index), common)
    return best_iou(result.boxes[0].as_tuple() if result.boxes else None, image.boxes)


def _at(ious: Sequence[float], threshold: float) -> str:
    return f"{100 * sum(iou >= threshold for iou in ious) / len(ious):.1f}"
