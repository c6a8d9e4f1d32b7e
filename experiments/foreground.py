"""Experiment `foreground`: what does a prior add that was learnt on other sets?

The sets in the order of their names are halved, every second one to each half. The prior of each half, learnt with the
unlabelled sets besides, is tried on the sets of the other one: no set is tried with a prior that has seen it.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from colocalization.engine import OnnxEngine
from colocalization.listing import list_images
from colocalization.localizer import Localizer
from experiments.observe import observe
from experiments.ours import OURS
from experiments.records import Note
from experiments.scores import best_iou, difference, pack_ious, summarise
from experiments.sets import EvaluationSet
from model_export.foreground.foreground_output import append_foreground, without_foreground
from model_export.foreground.taps import TappedEngine
from model_export.foreground.teaching import Lesson, SetOutlines, learn, outline_set

__all__ = ["METHODS", "halves", "measure_foreground"]

METHODS = ("ours, attention", "ours, common")


def halves(groups: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Every second group, in the order of their names, and the others.

    Example:
        >>> [sorted(half) for half in halves(["cars", "birds", "cats"])]
        [['birds', 'cats'], ['cars']]
    """
    order = sorted(set(groups))
    return frozenset(order[::2]), frozenset(order[1::2])


def measure_foreground(model: Path, root: Path, sets: Sequence[EvaluationSet], note: Note) -> dict[str, Any]:
    """Localize every set without a prior, and with that of the other half.

    Args:
        model: The model; a prior that it has is left out.
        root: Folder of the sets; the sets in its folder `unlabelled`, where there is one, teach both halves.
        sets: The sets that are scored.
        note: Is told how it goes.

    Returns:
        By method and `without` or `with`, the scores and the IoUs; the differences; and what taught each half.
    """
    groups = {members.name: members.group for members in sets}
    engine = OnnxEngine(model, device="cpu", threads=1)
    graph = onnx.load(model)
    tapped = TappedEngine(graph, engine, threads=1)
    outlines = _outlines(tapped, root, sets, note)
    kinds = [f"{name}, {kind}" for name in METHODS for kind in ("without", "with")]
    ious: dict[str, dict[str, list[float]]] = {kind: {} for kind in kinds}
    both = halves(list(groups.values()))
    lessons: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="colocalize-") as folder:
        plain = _localizer(Path(folder, "plain.onnx"), without_foreground(graph))
        for taught, tried in (both, both[::-1]):
            lesson = learn([one for name, one in outlines.items() if name not in groups.values() or name in taught])
            lessons[f"for {', '.join(sorted(tried))}"] = _told(lesson)
            taps = list(zip(tapped.taps, tapped.channels, strict=True))
            prior = _localizer(Path(folder, "prior.onnx"), append_foreground(graph, lesson.prior, taps, "a half"))
            for members in sets:
                if members.group in tried:
                    for kind, localizer in (("without", plain), ("with", prior)):
                        for name, values in _scored(localizer, members).items():
                            ious[f"{name}, {kind}"][members.name] = values
                    told = ", ".join(f"{kind} {_half(ious[kind][members.name])}" for kind in kinds)
                    note(f"{members.name}: CorLoc at 0.5: {told}")
    gains = {name: difference(ious[f"{name}, with"], ious[f"{name}, without"], groups) for name in METHODS}
    return {
        "lessons": lessons,
        "methods": {kind: _summed(values, groups) for kind, values in ious.items()},
        "gains": {
            name: {at: [round(value, 2) for value in three] for at, three in apart.items()}
            for name, apart in gains.items()
        },
    }


def _outlines(tapped: TappedEngine, root: Path, sets: Sequence[EvaluationSet], note: Note) -> dict[str, SetOutlines]:
    paths: dict[str, list[Path]] = {}
    for members in sets:
        paths.setdefault(members.group, []).extend(image.path for image in members.images)
    for folder in sorted(path for path in (root / "unlabelled").glob("*") if path.is_dir()):
        paths[f"unlabelled/{folder.name}"] = [Path(file.path) for file in list_images(folder).files]
    found: dict[str, SetOutlines] = {}
    for name, images in paths.items():
        one = outline_set(tapped, name, list(dict.fromkeys(images)), note)
        if one is not None:
            found[name] = one
            note(f"{name}: {one.trusted} of {one.images} outlines are trusted")
    return found


def _localizer(path: Path, model: onnx.ModelProto) -> Localizer:
    onnx.save(model, path)
    return Localizer(OnnxEngine(path, device="cpu", threads=1))


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
