"""Experiment `foreground`: what does a prior add that was learnt on other sets?

The sets in the order of their names are halved, every second one to each half. The prior of each half, learnt with the
unlabelled sets besides, is tried on the sets of the other one: no set is tried with a prior that has seen it.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from colocalization.engine import OnnxEngine
from colocalization.listing import list_images
from colocalization.localizer import Localizer
from colocalization.results import Effort
from experiments.observe import observe
from experiments.ours import OURS
from experiments.records import Note
from experiments.scores import best_iou, difference, pack_ious, summarise
from experiments.sets import EvaluationSet
from model_export.foreground.foreground_output import append_foreground, without_foreground
from model_export.foreground.taps import TappedEngine
from training.datasets import DatasetImage
from training.errors import TrainingError
from training.teaching import Lesson, SetOutlines, learn, outline_set

__all__ = ["METHODS", "HalfTaught", "half_taught", "halves", "measure_foreground"]

METHODS = ("ours, attention", "ours, common")


def halves(groups: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Every second group, in the order of their names, and the others.

    Example:
        >>> [sorted(half) for half in halves(["cars", "birds", "cats"])]
        [['birds', 'cats'], ['cars']]
    """
    order = sorted(set(groups))
    return frozenset(order[::2]), frozenset(order[1::2])


def measure_foreground(
    model: Path, root: Path, sets: Sequence[EvaluationSet], note: Note, *, folder: Path | None = None
) -> dict[str, Any]:
    """Localize every set without a prior, and with that of the other half.

    Args:
        model: The model; a prior that it has is left out.
        root: Folder of the sets; the sets in its folder `unlabelled`, where there is one, teach both halves.
        sets: The sets that are scored.
        note: Is told how it goes.
        folder: See `half_taught`.

    Returns:
        By method and `without` or `with`, the scores and the IoUs; the differences; and what taught each half.
    """
    groups = {members.name: members.group for members in sets}
    kinds = [f"{name}, {kind}" for name in METHODS for kind in ("without", "with")]
    ious: dict[str, dict[str, list[float]]] = {kind: {} for kind in kinds}
    with half_taught(model, root, sets, note, folder=folder) as taught:
        for members in sets:
            for kind, localizer in (("without", taught.plain), ("with", taught.with_prior[members.group])):
                for name, values in _scored(localizer, members).items():
                    ious[f"{name}, {kind}"][members.name] = values
            told = ", ".join(f"{kind} {_half(ious[kind][members.name])}" for kind in kinds)
            note(f"{members.name}: CorLoc at 0.5: {told}")
    gains = {name: difference(ious[f"{name}, with"], ious[f"{name}, without"], groups) for name in METHODS}
    return {
        "lessons": taught.lessons,
        "methods": {kind: _summed(values, groups) for kind, values in ious.items()},
        "gains": {
            name: {at: [round(value, 2) for value in three] for at, three in apart.items()}
            for name, apart in gains.items()
        },
    }


@dataclass(frozen=True, slots=True)
class HalfTaught:
    """A model without a prior, and with priors that were taught by one half of the sets each.

    Attributes:
        plain: The model without a prior.
        with_prior: By group, the model with the prior that was taught by the other half.
        lessons: What taught each half.
    """

    plain: Localizer
    with_prior: Mapping[str, Localizer]
    lessons: Mapping[str, Any]


@contextmanager
def half_taught(
    model: Path,
    root: Path,
    sets: Sequence[EvaluationSet],
    note: Note,
    *,
    folder: Path | None = None,
    effort: Effort = "full",
) -> Iterator[HalfTaught]:
    """Teach two priors, each by one half of the sets.

    Args:
        model: See `measure_foreground`.
        root: See `measure_foreground`.
        sets: See `measure_foreground`.
        note: See `measure_foreground`.
        folder: Where the models are kept for other experiments; what is there, of the same model and sets, is taken.
        effort: Effort of the localizers.

    Raises:
        TrainingError: The folder holds those of another model or of other sets.
    """
    groups = sorted({members.group for members in sets})
    about = {"model": hashlib.sha256(model.read_bytes()).hexdigest(), "groups": groups}
    with tempfile.TemporaryDirectory(prefix="colocalize-") as temporary:
        place = Path(temporary) if folder is None else folder
        told = place / "lessons.json"
        if told.is_file():
            known = json.loads(told.read_text("utf-8"))
            if known["about"] != about:
                raise TrainingError(f"{told} is of another model or of other sets; give another folder, or remove it")
            lessons = known["lessons"]
        else:
            place.mkdir(parents=True, exist_ok=True)
            lessons = _teach_halves(model, root, sets, place, note)
            told.write_text(json.dumps({"about": about, "lessons": lessons}, indent=1), "utf-8")
        plain = _localizer(place / "plain.onnx", effort)
        by_half = [_localizer(place / f"prior-{number}.onnx", effort) for number in (0, 1)]
        with_prior = {
            group: own for own, tried in zip(by_half, halves(groups)[::-1], strict=True) for group in sorted(tried)
        }
        yield HalfTaught(plain, with_prior, lessons)


def _teach_halves(
    model: Path, root: Path, sets: Sequence[EvaluationSet], place: Path, note: Note
) -> dict[str, dict[str, list[str]]]:
    """Write the model without a prior, and with the priors that the first and the second half have taught."""
    engine, graph = OnnxEngine(model, device="cpu", threads=1), onnx.load(model)
    tapped = TappedEngine(graph, engine, threads=1)
    outlines = _outlines(tapped, root, sets, note)
    taps = list(zip(tapped.taps, tapped.channels, strict=True))
    groups = {members.group for members in sets}
    both = halves(sorted(groups))
    lessons = {}
    onnx.save(without_foreground(graph), place / "plain.onnx")
    for number, (taught, tried) in enumerate((both, both[::-1])):
        lesson = learn([one for name, one in outlines.items() if name not in groups or name in taught])
        lessons[f"for {', '.join(sorted(tried))}"] = _told(lesson)
        onnx.save(append_foreground(graph, lesson.prior, taps, "a half"), place / f"prior-{number}.onnx")
    return lessons


def _outlines(tapped: TappedEngine, root: Path, sets: Sequence[EvaluationSet], note: Note) -> dict[str, SetOutlines]:
    images: dict[str, list[DatasetImage]] = {}
    for members in sets:
        images.setdefault(members.group, []).extend(members.images)
    for folder in sorted(path for path in (root / "unlabelled").glob("*") if path.is_dir()):
        images[f"unlabelled/{folder.name}"] = [
            DatasetImage(str(file.path), Path(file.path)) for file in list_images(folder).files
        ]
    found: dict[str, SetOutlines] = {}
    for name, of_set in images.items():
        one = outline_set(Localizer(tapped), tapped, name, list({image.path: image for image in of_set}.values()), note)
        if one is not None:
            found[name] = one
            note(f"{name}: {one.trusted} of {one.images} outlines are trusted")
    return found


def _localizer(path: Path, effort: Effort) -> Localizer:
    return Localizer(OnnxEngine(path, device="cpu", threads=1), effort=effort)


def _scored(localizer: Localizer, members: EvaluationSet) -> Mapping[str, list[float]]:
    found = {}
    with observe(localizer, {}, None, members.images) as observed:
        for name in METHODS:
            finish = OURS[name].fit(localizer, observed)
            results = [finish(index) for index in range(len(members.images))]
            found[name] = [
                best_iou(result.boxes[0].as_tuple() if result.boxes else None, image.boxes)
                for result, image in zip(results, members.images, strict=True)
            ]
    return found


def _summed(ious: Mapping[str, list[float]], groups: Mapping[str, str]) -> dict[str, Any]:
    parts, overall = summarise(ious, groups)
    return {
        "mean": overall.to_json(),
        "groups": {group: part.to_json()["corloc"] for group, part in parts.items()},
        "iou_thousandths": {name: pack_ious(values) for name, values in ious.items()},
    }


def _told(lesson: Lesson) -> dict[str, list[str]]:
    return {
        "taught_by": [f"{one.name} ({one.trusted} of {one.images})" for one in lesson.taught_by],
        "left_out": [f"{one.name} ({one.trusted} of {one.images})" for one in lesson.left_out],
    }


def _half(ious: Sequence[float]) -> str:
    return f"{100 * sum(iou >= 0.5 for iou in ious) / len(ious):.0f}"
