"""Experiment `hints`: what do one box and three boxes teach?

Each set is localized without a hint, with the one box of its `hint.csv`, and with two more, drawn by the rule by which
that one was. A hinted image comes back with its hint, so all three are left out of every count. Scored are the best box
(CorLoc) and all boxes (AP50, recall).
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from PIL import Image

from colocalization.average_precision import AveragePrecision
from colocalization.common_object import sample_indices
from colocalization.corloc import CorLoc
from colocalization.fitting import FittedSet
from colocalization.hints import ImageHints, gather_hints, read_hints
from colocalization.localizer import ImageFeatures, Localizer, PreparedImage
from experiments.observe import prepare
from experiments.records import Note
from experiments.scores import best_iou, pack_ious
from experiments.sets import EvaluationSet
from training.datasets import DatasetImage

__all__ = ["KINDS", "MOST_BOXES", "HintKind", "further_hints", "measure_hints", "read_hint"]

MOST_BOXES = 20
"""Boxes an image, of which AP and recall are counted."""

HintKind = Literal["none", "one", "three"]

KINDS: tuple[HintKind, ...] = ("none", "one", "three")
"""How many boxes are given."""


def read_hint(root: Path, group: str) -> tuple[str, ImageHints]:
    """The image and the box of a set's `hint.csv`.

    Raises:
        HintError: The file is not one of hints.
        OSError: There is none.
    """
    with (root / group / "hint.csv").open(encoding="utf-8", newline="") as stream:
        hints = read_hints(stream, f"{group}/hint.csv")
    ((name, hint),) = gather_hints(hints, [hint.image for hint in hints]).items()
    return name, hint


def further_hints(images: Sequence[DatasetImage], known: str, count: int) -> dict[str, ImageHints]:
    """Further boxes, chosen as that of `hint.csv` was: by the boxes alone, never by what a method does with them.

    Among the images with the fewest boxes those whose box has a share of its image nearest the median over the set;
    of equals the first by name. Where there are too few such images, those with the next fewest boxes follow.

    Args:
        images: The set.
        known: The image that has a hint, which is not taken a second time.
        count: How many to choose, each in another image; fewer where there are not so many.
    """
    shares = {image.name: _shares(image) for image in images}
    middle = median(share for told in shares.values() for share in told)
    nearest = []
    for image in images:
        if image.name != known:
            apart, number = min((abs(share - middle), number) for number, share in enumerate(shares[image.name]))
            nearest.append((len(image.boxes), apart, image.name, image.boxes[number]))
    return {name: ImageHints((box,)) for _, _, name, box in sorted(nearest)[:count]}


def _shares(image: DatasetImage) -> list[float]:
    with Image.open(image.path) as opened:  # reads the header; how the image is turned does not change its area
        area = opened.width * opened.height
    return [(x1 - x0) * (y1 - y0) / area for x0, y0, x1, y1 in image.boxes]


@dataclass(frozen=True)
class _SeenSet:
    """A set through the network once, for all kinds of hints."""

    images: Sequence[DatasetImage]
    prepared: Sequence[PreparedImage]
    features: Sequence[ImageFeatures]
    left_out: Mapping[str, ImageHints]


def measure_hints(
    localizer: Localizer,
    root: Path,
    sets: Sequence[EvaluationSet],
    note: Note,
    *,
    limit: int | None = None,
    threads: int = 1,
) -> dict[str, Any]:
    """Localize every set without hints, with one and with three.

    Args:
        localizer: The model.
        root: Folder of the sets, each with its `hint.csv`.
        sets: The sets, whole; views of one group are taken together.
        note: Is told how it goes.
        limit: Most images of a set that are scored, spread evenly over it, besides those with hints.
        threads: Images at a time.

    Returns:
        By set: how many images are scored, and for each kind how the hints were `used`, the scores, the IoUs of the
        best boxes and the time.
    """
    groups: dict[str, dict[str, DatasetImage]] = {}
    for members in sets:
        groups.setdefault(members.group, {}).update({image.name: image for image in members.images})
    results: dict[str, Any] = {}
    with ThreadPoolExecutor(threads) as pool:
        for group, named in groups.items():
            name, hint = read_hint(root, group)
            hints = {name: hint, **further_hints(list(named.values()), name, 2)}
            others = [image for image in named.values() if image.name not in hints]
            chosen = {others[index].name for index in sample_indices(len(others), limit or len(others))}
            images = [image for image in named.values() if image.name in hints or image.name in chosen]
            prepared = list(pool.map(lambda image: prepare(localizer, image), images))
            features = list(pool.map(lambda image: localizer.run([image])[0], prepared))
            seen = _SeenSet(images, prepared, features, hints)
            given = {"none": {}, "one": {name: hint}, "three": hints}
            results[group] = {
                "images": len(chosen),
                "kinds": {kind: _score(localizer, seen, given[kind], pool) for kind in KINDS},
            }
            note(f"{group}, {len(chosen)} images: {_told(results[group]['kinds'])}")
    return {"most_boxes": MOST_BOXES, "sets": results}


def _score(
    localizer: Localizer, seen: _SeenSet, hints: Mapping[str, ImageHints], pool: ThreadPoolExecutor
) -> dict[str, Any]:
    cpu = time.process_time()
    known = {index: hints[image.name] for index, image in enumerate(seen.images) if image.name in hints}
    fitted = localizer.fit_features([image.image for image in seen.prepared], seen.features, hints=known, pool=pool)

    def finish(index: int) -> Any:
        looks = fitted.looks.get(index)
        prepared, features = seen.prepared[index], seen.features[index]
        return localizer.finish(prepared, features, fitted.common, looks=looks, max_boxes=MOST_BOXES)

    results = list(pool.map(finish, range(len(seen.images))))
    cpu = time.process_time() - cpu
    corloc, precision, accepted, ious = CorLoc(), AveragePrecision(), 0, []
    for image, result in zip(seen.images, results, strict=True):
        if image.name not in seen.left_out:
            corloc.add(result.boxes_array, image.boxes)
            precision.add(result.boxes_array, list(result.scores * result.confidence), image.boxes)
            accepted += bool(result.contains_common_object)
            ious.append(best_iou(result.boxes[0].as_tuple() if result.boxes else None, image.boxes))
    scores, detected = corloc.compute(), precision.compute()
    return {
        "used": _used(fitted) if hints else "",
        **{f"{threshold:g}": round(value, 2) for threshold, value in scores.at.items()},
        "ap50": round(detected.average_precision, 2),
        "recall": round(detected.recall, 2),
        "accepted": round(100 * accepted / scores.images, 2),
        "cpu_seconds_per_image": round(cpu / len(seen.images), 3),
        "iou_thousandths": pack_ious(ious),
    }


def _told(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{kind} {told['0.3']:.0f} / {told['0.5']:.0f} / {told['0.7']:.0f}, AP50 {told['ap50']:.0f}, recall "
        f"{told['recall']:.0f}, accepted {told['accepted']:.0f}, {told['cpu_seconds_per_image']:.2f} s"
        f"{' (' + told['used'] + ')' if told['used'] else ''}"
        for kind, told in kinds.items()
    )


def _used(fitted: FittedSet) -> str:
    exemplar = None if fitted.common is None else fitted.common.exemplar
    return "joined the set" if exemplar is None else f"taught, {exemplar.tiles} x {exemplar.tiles} looks"
