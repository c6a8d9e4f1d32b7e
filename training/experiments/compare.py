"""Experiment `peers`: every method on the same pictures, with the same network's features."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from colocalization.localizer import Localizer
from training.datasets import Picture
from training.experiments.maxboxacc import MaxBoxAcc
from training.experiments.network import Head, ResizedNetwork
from training.experiments.observe import ObservedSet, observe, prepare
from training.experiments.ours import OURS, found
from training.experiments.peers import FEATURE_PEERS, TRIVIAL_PEERS, Found
from training.experiments.saliency import Saliency
from training.experiments.scores import best_iou, pack_ious, summarise
from training.experiments.sets import EvaluationSet

__all__ = ["FURTHER_SIZES", "compare", "compare_saliency", "summaries"]

FURTHER_SIZES = (320,)
"""Input sizes besides the model's own that peers are tried at, so that each is compared at its better one."""

Note = Callable[[str], None]


@dataclass
class _Tally:
    """One method on one set."""

    ious: list[float] = field(default_factory=list)
    maps: MaxBoxAcc = field(default_factory=MaxBoxAcc)
    has_maps: bool = False
    seconds: float = 0.0

    def add(self, picture: Picture, size: tuple[int, int], one: Found) -> None:
        self.ious.append(best_iou(one.box, picture.boxes))
        if one.heatmap is not None:
            self.has_maps = True
            self.maps.add(one.heatmap, np.asarray(picture.boxes) / (size * 2))

    def to_json(self) -> dict[str, Any]:
        return {
            "iou_thousandths": pack_ious(self.ious),
            "max_box_acc_v2": round(self.maps.compute(), 2) if self.has_maps else None,
            "cpu_seconds_per_picture": round(self.seconds / len(self.ious), 4),
        }


def compare(localizer: Localizer, model: Path, sets: Sequence[EvaluationSet], note: Note) -> dict[str, Any]:
    """Run every method on every set.

    Args:
        localizer: The model at its own size.
        model: Its file.
        sets: The sets.
        note: Is told how it goes.

    Returns:
        Results of a record: for each set and method the IoUs, and summaries.

    Raises:
        ImageError: A picture cannot be read.
    """
    metadata = localizer.engine.metadata
    head = Head(metadata)
    sizes = [size for size in FURTHER_SIZES if size != metadata.input_size]
    resized = {size: ResizedNetwork(model, metadata, size) for size in sizes}
    results: dict[str, Any] = {}
    for one in sets:
        started, cpu = time.perf_counter(), time.process_time()
        with observe(localizer, resized, head, one.pictures) as observed:
            network = (time.process_time() - cpu) / len(one.pictures)
            tallies = dict(_run(localizer, observed, [metadata.input_size, *sizes]))
        results[one.name] = {
            "group": one.group,
            "pictures": len(one.pictures),
            "network_cpu_seconds_per_picture": round(network, 4),
            "methods": {name: tally.to_json() for name, tally in tallies.items()},
        }
        _report(note, one, tallies, started)
    return {"sets": results, **summaries(results)}


def _report(note: Note, one: EvaluationSet, tallies: dict[str, _Tally], started: float) -> None:
    seconds = time.perf_counter() - started
    scores = "  ".join(
        f"{name} {100 * np.mean(np.asarray(tally.ious) >= 0.5):.1f}/{100 * np.mean(np.asarray(tally.ious) >= 0.7):.1f}"
        for name, tally in tallies.items()
    )
    note(f"{one.name}: {len(one.pictures)} pictures in {seconds:.0f} s; CorLoc at 0.5/0.7: {scores}")


def compare_saliency(
    saliency: Saliency, localizer: Localizer, sets: Sequence[EvaluationSet], note: Note
) -> dict[str, Any]:
    """Run a saliency network on every set.

    Args:
        saliency: The network.
        localizer: Decodes the pictures.
        sets: The sets.
        note: Is told how it goes.

    Returns:
        Results of a record, as of `compare`.
    """
    results: dict[str, Any] = {}
    for one in sets:
        started, tally = time.perf_counter(), _Tally()
        for picture in one.pictures:
            image = prepare(localizer, picture).image
            cpu = time.process_time()
            seen = saliency.find(image)
            tally.seconds += time.process_time() - cpu
            tally.add(picture, (image.width, image.height), seen)
        results[one.name] = {
            "group": one.group,
            "pictures": len(one.pictures),
            "methods": {saliency.name: tally.to_json()},
        }
        _report(note, one, {saliency.name: tally}, started)
    return {"sets": results, **summaries(results)}


def _run(localizer: Localizer, observed: ObservedSet, sizes: Sequence[int]) -> Iterator[tuple[str, _Tally]]:
    runs = [(name, peer, sizes[0]) for name, peer in TRIVIAL_PEERS.items()]
    runs += [(f"{name} @ {size}", peer, size) for name, peer in FEATURE_PEERS.items() for size in sizes]
    for name, peer, size in runs:
        tally, cpu = _Tally(), time.process_time()
        observations = observed.at(size)
        find = peer.fit(observations)
        tally.seconds += time.process_time() - cpu
        for index, picture in enumerate(observed.pictures):
            _tally(tally, picture, observed.sizes[index], lambda: find(observations[index]))  # noqa: B023
        yield name, tally
    for name, method in OURS.items():
        tally, cpu = _Tally(), time.process_time()
        finish = method.fit(localizer, observed)
        tally.seconds += time.process_time() - cpu
        for index, picture in enumerate(observed.pictures):
            _tally(tally, picture, observed.sizes[index], lambda: found(finish(index)))  # noqa: B023
        yield name, tally


def _tally(tally: _Tally, picture: Picture, size: tuple[int, int], find: Callable[[], Found]) -> None:
    """Time the method alone, not the scoring of its map."""
    cpu = time.process_time()
    one = find()
    tally.seconds += time.process_time() - cpu
    tally.add(picture, size, one)


def summaries(sets: dict[str, Any]) -> dict[str, Any]:
    """Scores of each method over the sets of a record, from their IoUs.

    Args:
        sets: For each set its `group` and, by method, `iou_thousandths` and `max_box_acc_v2`.

    Returns:
        `summary`: for each method the scores of each group and the mean over the groups.
    """
    groups = {name: one["group"] for name, one in sets.items()}
    methods = list(next(iter(sets.values()))["methods"])
    summary: dict[str, Any] = {}
    for method in methods:
        told = {name: one["methods"][method] for name, one in sets.items()}
        ious = {name: np.asarray(one["iou_thousandths"]) / 1000 for name, one in told.items()}
        parts, overall = summarise(ious, groups)
        maps: dict[str, list[float]] = {}
        for name, one in told.items():
            if one["max_box_acc_v2"] is not None:
                maps.setdefault(groups[name], []).append(one["max_box_acc_v2"])
        by_group = {group: float(np.mean(values)) for group, values in maps.items()}
        summary[method] = {
            "mean": {**overall.to_json(), "max_box_acc_v2": _rounded(list(by_group.values()))},
            "groups": {
                group: {**part.to_json(), "max_box_acc_v2": _rounded(maps.get(group, []))}
                for group, part in parts.items()
            },
        }
    return {"summary": summary}


def _rounded(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 2) if values else None
