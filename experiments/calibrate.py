"""Experiment `calibrate`: is the score of a box the probability that the box is right?

Learns the calibrations of `colocalization.box_scores` and measures them on sets that they were not learnt on: each set
with what the others teach, and each half of the sets with what the other half teaches. Priors are half-taught, as in
the experiment `foreground`. Sets of five images are calibrated together with whole ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colocalization.box_scores import CALIBRATIONS, Calibration, Evidence, box_clues, evidence_of, probabilities
from colocalization.boxes import box_iou
from colocalization.fitting import FittedSet
from colocalization.hints import ImageHints
from colocalization.localizer import Localizer
from experiments.background import area_under_curve
from experiments.foreground import half_taught, halves
from experiments.hints import read_hint
from experiments.observe import prepare
from experiments.records import Note
from experiments.sets import EvaluationSet
from training.datasets import DatasetImage

__all__ = ["Boxes", "learn_calibration", "measure_calibration", "reliability"]

_RIDGE = 30.0
"""Strength of the quadratic penalty on the weights of standardised clues, in images: few sets say little of many clues.
"""

_WEIGHT = 50.0
"""What the boxes of a set weigh together: sets of many boxes are no better witnesses."""

_SMALL = 5
_MOST_BOXES = 10
_BINS = 10
_ROUNDS = 30


@dataclass(slots=True)
class Boxes:
    """What is known of boxes that were found by one kind of evidence.

    Attributes:
        clues: Their clues, each (K,).
        right: Whether the IoU of each with an instance is at least 0.5.
        groups: The set of each.
        best: Whether each is the best of its image.
    """

    clues: list[NDArray[np.float64]] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    best: list[bool] = field(default_factory=list)


def learn_calibration(
    names: tuple[str, ...], clues: NDArray[np.float64], right: NDArray[np.bool_], groups: Sequence[str]
) -> Calibration:
    """Learn a logistic regression, all sets weighing the same.

    Args:
        names: What the K clues are.
        clues: (N, K) clues of boxes.
        right: (N,) whether they are right.
        groups: Set of each.
    """
    names_of, counts = np.unique(np.asarray(groups), return_counts=True)
    share = dict(zip(names_of.tolist(), (_WEIGHT / counts).tolist(), strict=True))
    weight = np.array([share[group] for group in groups])
    middle = weight @ clues / weight.sum()
    scale = np.sqrt(weight @ (clues - middle) ** 2 / weight.sum()) + 1e-6
    rows = np.column_stack([(clues - middle) / scale, np.ones(len(clues))])
    penalty = np.diag([_RIDGE] * clues.shape[1] + [1e-6])
    found = np.zeros(rows.shape[1])
    for _ in range(_ROUNDS):  # Newton's method
        likely = 1 / (1 + np.exp(-rows @ found))
        slope = rows.T @ (weight * (likely - right)) + penalty @ found
        curve = (rows.T * (weight * likely * (1 - likely))) @ rows + penalty
        found = found - np.linalg.solve(curve, slope)
    raw = found[:-1] / scale
    return Calibration(names, tuple(round(float(value), 4) for value in raw), round(float(found[-1] - raw @ middle), 4))


def reliability(said: NDArray[np.float64], right: NDArray[np.bool_]) -> dict[str, Any]:
    """How far what is said is from what is true.

    Args:
        said: (N,) scores in [0, 1].
        right: (N,) whether the boxes are right.

    Returns:
        `error`, the expected calibration error over ten bins of equal width (Guo et al. 2017); `auroc`, how well the
        score tells right boxes from others; and each bin's mean score, share that is right, and number.
    """
    place = np.minimum((said * _BINS).astype(int), _BINS - 1)
    bins = [
        [round(float(said[inside].mean()), 3), round(float(right[inside].mean()), 3), int(inside.sum())]
        for inside in (place == number for number in range(_BINS))
        if inside.any()
    ]
    error = sum(count * abs(mean - share) for mean, share, count in bins) / max(len(said), 1)
    auroc = round(area_under_curve(said[right], said[~right]), 4) if right.any() and not right.all() else None
    return {"error": round(error, 4), "auroc": auroc, "boxes": len(said), "bins": bins}


def measure_calibration(
    model: Path, root: Path, sets: Sequence[EvaluationSet], note: Note, *, folder: Path | None = None
) -> dict[str, Any]:
    """Learn and measure.

    Args:
        model: The model; its prior is left out, and half-taught ones take its place.
        root: Folder of the sets.
        sets: The sets.
        note: Is told how it goes.
        folder: See `experiments.foreground.half_taught`.

    Returns:
        By evidence: the calibration learnt on all sets, and its reliability on sets left out.
    """
    known: dict[Evidence, Boxes] = {}
    with half_taught(model, root, sets, note, folder=folder) as taught:
        for members in sets:
            images = list(members.images)
            for localizer in (taught.plain, taught.with_prior[members.group]):
                _collect(known, localizer, members.group, images, fits=False)
                for part in (images, *_fives(images)):
                    _collect(known, localizer, members.group, part)
            name, hint = read_hint(root, members.group)
            others = [image for image in images if image.name != name]
            hinted = DatasetImage(name, root / members.group / "images" / name, boxes=hint.boxes)
            _collect(known, taught.with_prior[members.group], members.group, [hinted, *others], hint=hint)
            note(f"{members.name}: {', '.join(f'{kind} {len(boxes.right)}' for kind, boxes in known.items())} boxes")
    return {evidence: _judged(evidence, boxes) for evidence, boxes in known.items()}


def _fives(images: Sequence[DatasetImage]) -> Iterator[list[DatasetImage]]:
    for first in range(0, len(images) - _SMALL + 1, _SMALL):
        yield list(images[first : first + _SMALL])


def _collect(
    known: dict[Evidence, Boxes],
    localizer: Localizer,
    group: str,
    images: Sequence[DatasetImage],
    *,
    fits: bool = True,
    hint: ImageHints | None = None,
) -> None:
    """Add the boxes of a set, or of its images each alone; of what a hint of its first image taught, where it did."""
    prepared = [prepare(localizer, image) for image in images]
    features = [localizer.run([one])[0] for one in prepared]
    hints = {} if hint is None else {0: hint}
    fitted = FittedSet(None)
    if fits:
        fitted = localizer.fit_features([one.image for one in prepared], features, hints=hints)
        if fitted.common is None or (hints and fitted.common.exemplar is None):
            return
    for index, (one, seen) in enumerate(zip(prepared, features, strict=True)):
        if index in hints:
            continue
        extent, _ = localizer.locate(one, seen, fitted.common, looks=fitted.looks.get(index), max_boxes=_MOST_BOXES)
        if not extent.boxes:
            continue
        height, width = one.image.rgb.shape[:2]
        boxes = known.setdefault(evidence_of(fitted.common, seen.foreground), Boxes())
        boxes.clues += list(box_clues(extent.boxes, width, height, seen, fitted.common))
        corners = [one.image.frame.to_image(box).as_tuple() for box in extent.boxes]
        boxes.right += [bool(overlap >= 0.5) for overlap in box_iou(corners, images[index].boxes).max(axis=1)]
        boxes.groups += [group] * len(corners)
        boxes.best += [place == 0 for place in range(len(corners))]


def _judged(evidence: Evidence, boxes: Boxes) -> dict[str, Any]:
    names = CALIBRATIONS[evidence].clues
    clues, right, groups = np.array(boxes.clues), np.array(boxes.right), np.array(boxes.groups)
    best = np.array(boxes.best)
    members = sorted(set(boxes.groups))
    told: dict[str, Any] = {}
    divisions = {"sets left out": [frozenset({name}) for name in members], "halves": list(halves(members))}
    for title, parts in divisions.items():
        said = np.zeros(len(right))
        for part in parts:
            held = np.isin(groups, list(part))
            if held.all():
                continue
            learnt = learn_calibration(names, clues[~held], right[~held], groups[~held].tolist())
            said[held] = probabilities(clues[held], learnt)
        told[title] = {
            "all": reliability(said, right),
            "best": reliability(said[best], right[best]),
            "sets": {
                name: [
                    round(float(said[best & (groups == name)].mean()), 3),
                    round(float(right[best & (groups == name)].mean()), 3),
                ]
                for name in members
            },
        }
    learnt = learn_calibration(names, clues, right, groups.tolist())
    return {"clues": list(names), "weights": list(learnt.weights), "bias": learnt.bias, **told}
