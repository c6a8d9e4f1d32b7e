"""Experiment `hints`: what does one box teach?

Each set is localized without a hint and with the one box of its `hint.csv`; a hinted image comes back with its hint, so
it is left out of the count. Scored are the best box (CorLoc) and all boxes (AP50, recall).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from colocalization.average_precision import AveragePrecision
from colocalization.corloc import CorLoc
from colocalization.fitting import FittedSet
from colocalization.hints import ImageHints, gather_hints, read_hints
from colocalization.localizer import Localizer
from experiments.observe import prepare
from experiments.records import Note
from experiments.sets import EvaluationSet
from training.datasets import DatasetImage

__all__ = ["MOST_BOXES", "measure_hints", "read_hint"]

MOST_BOXES = 20
"""Boxes an image, of which AP and recall are counted."""


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


def measure_hints(
    localizer: Localizer, root: Path, sets: Sequence[EvaluationSet], note: Note, threads: int = 2
) -> dict[str, Any]:
    """Localize every set without and with its hint.

    Args:
        localizer: The model.
        root: Folder of the sets, each with its `hint.csv`.
        sets: The sets; views of one group are taken together.
        note: Is told how it goes.
        threads: Images at a time.

    Returns:
        By set: its images, how the hint was used, and the scores `without` and `with` it.
    """
    groups: dict[str, dict[str, DatasetImage]] = {}
    for members in sets:
        groups.setdefault(members.group, {}).update({image.name: image for image in members.images})
    results: dict[str, Any] = {}
    with ThreadPoolExecutor(threads) as pool:
        for group, images in groups.items():
            name, hint = read_hint(root, group)
            told: dict[str, Any] = {"images": len(images)}
            for kind, hints in (("without", {}), ("with", {name: hint})):
                told[kind], used = _score(localizer, list(images.values()), hints, name, pool)
                told["used"] = used
            results[group] = told
            note(f"{group}: {told}")
    return {"most_boxes": MOST_BOXES, "sets": results}


def _score(
    localizer: Localizer,
    images: Sequence[DatasetImage],
    hints: dict[str, ImageHints],
    left_out: str,
    pool: ThreadPoolExecutor,
) -> tuple[dict[str, float], str]:
    prepared = list(pool.map(lambda image: prepare(localizer, image), images))
    features = list(pool.map(lambda image: localizer.run([image])[0], prepared))
    known = {index: hints[image.name] for index, image in enumerate(images) if image.name in hints}
    fitted = localizer.fit_features([image.image for image in prepared], features, hints=known, pool=pool)

    def finish(index: int) -> Any:
        looks = fitted.looks.get(index)
        return localizer.finish(prepared[index], features[index], fitted.common, looks=looks, max_boxes=MOST_BOXES)

    corloc, precision, accepted = CorLoc(), AveragePrecision(), 0
    for image, result in zip(images, pool.map(finish, range(len(images))), strict=True):
        if image.name != left_out:
            corloc.add(result.boxes_array, image.boxes)
            precision.add(result.boxes_array, list(result.scores * result.confidence), image.boxes)
            accepted += bool(result.contains_common_object)
    scores, detected = corloc.compute(), precision.compute()
    return {
        **{f"{threshold:g}": round(value, 2) for threshold, value in scores.at.items()},
        "ap50": round(detected.average_precision, 2),
        "recall": round(detected.recall, 2),
        "accepted": round(100 * accepted / scores.images, 2),
    }, _used(fitted)


def _used(fitted: FittedSet) -> str:
    exemplar = None if fitted.common is None else fitted.common.exemplar
    return "joined the set" if exemplar is None else f"taught, {exemplar.tiles} x {exemplar.tiles} looks"
