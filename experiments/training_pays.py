"""Experiment `training`: does `colocalize train` pay, and does it know?

Each set is divided into two halves, one division a seed. The model is trained on images of one half, without a box, and
tried on images of the other, which it has not seen; beside it the model that it began with: its prior is that of the
other half of the sets (`experiments.foreground`), so that nothing here has seen what it is tried on. The verdict that
`train` gives without a label is held against the boxes of the images tried.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from colocalization.localizer import FittedSet, Localizer
from colocalization.results import ImageResult
from experiments.foreground import half_taught
from experiments.model_file import ModelFile
from experiments.records import Note
from experiments.scores import best_iou, pack_ious
from experiments.sets import EvaluationSet
from training.comparison import Comparison, judge
from training.datasets import DatasetImage
from training.foreground_stage import learn_foreground
from training.teaching import prepare_image

__all__ = ["METHODS", "divide", "measure_training"]

METHODS = ("no prior, attention", "before, attention", "before, common", "trained, attention", "trained, common")
"""What is tried: the model without any prior in one look, the model that training begins with, and what it makes."""


def divide(
    images: Sequence[DatasetImage], seed: int, most_to_train: int, most_to_try: int
) -> tuple[list[DatasetImage], list[DatasetImage]]:
    """Two halves of a set without an image in common, drawn anew for each seed.

    Args:
        images: The set.
        seed: Number of the division.
        most_to_train: Most images of the first half.
        most_to_try: Most images of the second half.
    """
    order = np.random.default_rng([seed, len(images)]).permutation(len(images))
    middle = len(images) // 2
    train, tried = order[:middle][:most_to_train], order[middle:][:most_to_try]
    return [images[index] for index in sorted(train)], [images[index] for index in sorted(tried)]


def measure_training(
    model: Path,
    root: Path,
    sets: Sequence[EvaluationSet],
    note: Note,
    *,
    seeds: Sequence[int],
    most_to_train: int,
    most_to_try: int,
    folder: Path,
) -> dict[str, Any]:
    """Train on one half of each set and try on the other.

    Args:
        model: The model in the box.
        root: Folder of the sets.
        sets: The sets; views of one group are trained and tried together.
        note: Is told how it goes.
        seeds: Divisions of the sets.
        most_to_train: Most images to train on.
        most_to_try: Most images to try.
        folder: Of the half-taught priors, and of what is measured, set by set: an experiment that was stopped goes on.

    Returns:
        `divisions`: by seed and group, see `_measure`.
    """
    groups: dict[str, list[DatasetImage]] = {}
    for members in sets:
        groups.setdefault(members.group, []).extend(members.images)
    found: dict[str, dict[str, Any]] = {}
    with half_taught(model, root, sets, note, folder=folder) as taught:
        network = ModelFile(folder / "plain.onnx")
        for seed in seeds:
            for group, images in sorted(groups.items()):
                about = (
                    f"{most_to_train}-{most_to_try}-{seed}-{zlib.crc32(chr(10).join(i.name for i in images).encode())}"
                )
                kept = folder / "training" / f"{group}-{about}.json"
                if not kept.is_file():
                    train, tried = divide(images, seed, most_to_train, most_to_try)
                    measured = _measure(taught.with_prior[group], taught.plain, network, train, tried, note)
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    kept.write_text(json.dumps(measured), "utf-8")
                    note(f"seed {seed}, {_told(group, measured)}")
                found.setdefault(str(seed), {})[group] = _judged(json.loads(kept.read_text("utf-8")))
    return {"lessons": taught.lessons, "divisions": found}


def _judged(measured: dict[str, Any]) -> dict[str, Any]:
    """What was kept, with the verdict by today's rule: it is a function of what was measured."""
    known = Comparison.from_json(measured["comparison"])
    if known.box is None or known.trained is None:
        return measured
    return {**measured, "comparison": judge(known.images, known.box, known.trained).to_json()}


def _measure(
    before: Localizer,
    plain: Localizer,
    network: ModelFile,
    train: Sequence[DatasetImage],
    tried: Sequence[DatasetImage],
    note: Note,
) -> dict[str, Any]:
    """One division of one set.

    Returns:
        `images`: how many were trained on and tried; `comparison`: what `train` says; `iou_thousandths`: by method, of
        the images tried.
    """
    learnt = learn_foreground(before, network, train, note)
    results = {
        "no prior, attention": _attention(plain, tried),
        "before, attention": _attention(before, tried),
        "before, common": _common(before, tried),
    }
    if learnt.prior is None:  # nothing was learnt: the model stays as it is
        results |= {f"trained, {mode}": results[f"before, {mode}"] for mode in ("attention", "common")}
    else:
        trained = Localizer(network.with_prior(learnt.prior))
        results |= {"trained, attention": _attention(trained, tried), "trained, common": _common(trained, tried)}
    return {
        "images": [len(train), len(tried)],
        "comparison": learnt.comparison.to_json(),
        "iou_thousandths": {name: pack_ious(_ious(found, tried)) for name, found in results.items()},
    }


def _attention(localizer: Localizer, images: Sequence[DatasetImage]) -> list[ImageResult]:
    found = []
    for image in images:
        prepared = prepare_image(localizer, image)
        found.append(localizer.finish(prepared, localizer.run([prepared])[0], None))
    return found


def _common(localizer: Localizer, images: Sequence[DatasetImage]) -> list[ImageResult]:
    prepared = [prepare_image(localizer, image) for image in images]
    features = [localizer.run([one])[0] for one in prepared]
    fitted: FittedSet = localizer.fit_features([one.image for one in prepared], features)
    return [
        localizer.finish(one, features[index], fitted.common, looks=fitted.looks.get(index))
        for index, one in enumerate(prepared)
    ]


def _ious(results: Sequence[ImageResult], images: Sequence[DatasetImage]) -> list[float]:
    return [
        best_iou(result.boxes[0].as_tuple() if result.boxes else None, image.boxes)
        for result, image in zip(results, images, strict=True)
    ]


def _told(group: str, measured: Mapping[str, Any]) -> str:
    scores = {name: np.array(ious) for name, ious in measured["iou_thousandths"].items()}
    parts = [f"{name} {100 * (v >= 500).mean():.0f}/{100 * (v >= 700).mean():.0f}" for name, v in scores.items()]
    comparison = Comparison.from_json(measured["comparison"])
    return f"{group}: {'; '.join(parts)}; says {comparison.judgements}: {comparison.reason}"
