"""Experiment `peers`: every method on the same images, with the same network's features."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from colocalization.localizer import Localizer
from experiments.maxboxacc import MaxBoxAcc
from experiments.network import Head, ResizedNetwork
from experiments.observe import ObservedSet, observe, prepare
from experiments.ours import OURS, OwnMethod, found
from experiments.peers import FEATURE_PEERS, LOOK_TWICE, TOKEN_PEERS, TRIVIAL_PEERS, Found, Peer
from experiments.peers.twice import LookedTwice
from experiments.records import Note
from experiments.saliency import Saliency
from experiments.scores import best_iou, pack_ious, summarise
from experiments.sets import EvaluationSet
from training.datasets import DatasetImage
from training.errors import TrainingError
from training.provenance import Provenance

__all__ = ["CONTROLS", "FURTHER_SIZES", "KINDS", "OF_ANY_MODEL", "Kind", "compare", "merge", "summaries"]

Kind = Literal["trivial", "features", "twice", "tokens", "saliency", "ours"]
"""Kinds of methods: those that look at no pixel, those on the network's features, these with our second look and our
outline, those made for the tokens of transformers, the saliency network, and ours."""

KINDS: tuple[Kind, ...] = get_args(Kind)

OF_ANY_MODEL: tuple[Kind, ...] = ("tokens", "ours")
"""Kinds that need nothing but a model file; the others read the head that the model in the box leaves out."""

CONTROLS = {f"{name}, second look": LookedTwice(FEATURE_PEERS[name]) for name in LOOK_TWICE}
"""Peers with our second look and our outline."""

FURTHER_SIZES = (320,)
"""Input sizes besides the model's own that peers are tried at, so that each is compared at its better one."""

_Method = tuple[str, Callable[[], Callable[[int], Found]]]
"""Name, and what looks at the set and gives what looks at the image of an index."""


@dataclass
class _Tally:
    """One method on one set."""

    ious: list[float] = field(default_factory=list)
    maps: MaxBoxAcc = field(default_factory=MaxBoxAcc)
    has_maps: bool = False
    seconds: float = 0.0

    def add(self, image: DatasetImage, size: tuple[int, int], result: Found) -> None:
        self.ious.append(best_iou(result.box, image.boxes))
        if result.heatmap is not None:
            self.has_maps = True
            self.maps.add(result.heatmap, np.asarray(image.boxes) / (size * 2))

    def at(self, threshold: float) -> float:
        return 100 * float(np.mean(np.asarray(self.ious) >= threshold))

    def to_json(self) -> dict[str, Any]:
        return {
            "iou_thousandths": pack_ious(self.ious),
            "max_box_acc_v2": round(self.maps.compute(), 2) if self.has_maps else None,
            "cpu_seconds_per_image": round(self.seconds / len(self.ious), 4),
        }


def compare(
    localizer: Localizer,
    model: Path,
    sets: Sequence[EvaluationSet],
    note: Note,
    *,
    kinds: Collection[Kind] = KINDS,
    saliency: Saliency | None = None,
) -> dict[str, Any]:
    """Run methods on every set.

    Args:
        localizer: The model at its own size.
        model: Its file.
        sets: The sets.
        note: Is told how it goes.
        kinds: Which methods.
        saliency: The saliency network; None leaves it out.

    Returns:
        Results of a record: for each set and method the IoUs, the summary of each method, and at which commit each
        kind of methods was measured.

    Raises:
        ImageError: An image cannot be read.
    """
    commit, metadata = Provenance.here().commit, localizer.engine.metadata
    head = Head(metadata) if {"trivial", "features", "twice"} & set(kinds) else None
    further = [size for size in FURTHER_SIZES if "features" in kinds and size != metadata.input_size]
    resized = {size: ResizedNetwork(model, metadata, size) for size in further}
    results: dict[str, Any] = {}
    for members in sets:
        started, cpu = time.perf_counter(), time.process_time()
        with observe(localizer, resized, head, members.images) as observed:
            network = (time.process_time() - cpu) / len(members.images)
            methods = _methods(localizer, observed, [metadata.input_size, *further], kinds, saliency)
            tallies = {name: _tally(observed, fit) for name, fit in methods}
        results[members.name] = {
            "group": members.group,
            "images": len(members.images),
            "network_cpu_seconds_per_image": round(network, 4),
            "methods": {name: tally.to_json() for name, tally in tallies.items()},
        }
        scores = "; ".join(f"{name} {tally.at(0.5):.1f}, {tally.at(0.7):.1f}" for name, tally in tallies.items())
        seconds = time.perf_counter() - started
        note(f"{members.name}: {len(members.images)} images in {seconds:.0f} s; CorLoc at 0.5, 0.7: {scores}")
    return {"measured": {kind: {"commit": commit} for kind in kinds}, "sets": results, "summary": summaries(results)}


def _methods(
    localizer: Localizer,
    observed: ObservedSet,
    sizes: Sequence[int],
    kinds: Collection[Kind],
    saliency: Saliency | None,
) -> Iterator[_Method]:
    peers = [(name, peer, sizes[0]) for name, peer in TRIVIAL_PEERS.items() if "trivial" in kinds]
    if "features" in kinds:
        peers += [(f"{name} @ {size}", peer, size) for name, peer in FEATURE_PEERS.items() for size in sizes]
    if "tokens" in kinds:
        peers += [(name, peer, sizes[0]) for name, peer in TOKEN_PEERS.items()]
    for name, peer, size in peers:

        def fit_peer(peer: Peer = peer, size: int = size) -> Callable[[int], Found]:
            observations = observed.at(size)
            find = peer.fit(observations)
            return lambda index: find(observations[index])

        yield name, fit_peer
    if "twice" in kinds:
        for name, control in CONTROLS.items():

            def fit_control(control: LookedTwice = control) -> Callable[[int], Found]:
                return control.fit(localizer, observed)

            yield name, fit_control
    if saliency is not None and "saliency" in kinds:
        yield saliency.name, lambda: lambda index: saliency.find(prepare(localizer, observed.images[index]).image)
    if "ours" in kinds:
        for name, own in OURS.items():

            def fit_own(own: OwnMethod = own) -> Callable[[int], Found]:
                finish = own.fit(localizer, observed)
                return lambda index: found(finish(index))

            yield name, fit_own


def _tally(observed: ObservedSet, fit: Callable[[], Callable[[int], Found]]) -> _Tally:
    """Run a method on a set; the time is the method's alone, without the scoring of its maps."""
    tally, cpu = _Tally(), time.process_time()
    find = fit()
    tally.seconds += time.process_time() - cpu
    for index, image in enumerate(observed.images):
        cpu = time.process_time()
        result = find(index)
        tally.seconds += time.process_time() - cpu
        tally.add(image, observed.sizes[index], result)
    return tally


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Results in which the methods of a new measurement take the place of the old ones.

    Args:
        old: Results of an earlier measurement.
        new: Results of one on the same images.

    Raises:
        TrainingError: The sets or their sizes differ.
    """
    sizes = [{name: result["images"] for name, result in told["sets"].items()} for told in (old, new)]
    if sizes[0] != sizes[1]:
        raise TrainingError(f"the record is of other images ({sizes[0]}) than these ({sizes[1]}); measure all kinds")
    sets = {
        name: {**result, "methods": {**result["methods"], **new["sets"][name]["methods"]}}
        for name, result in old["sets"].items()
    }
    return {"measured": {**old["measured"], **new["measured"]}, "sets": sets, "summary": summaries(sets)}


def summaries(sets: dict[str, Any]) -> dict[str, Any]:
    """Scores of each method, from the IoUs of a record.

    Args:
        sets: For each set its `group` and, by method, `iou_thousandths` and `max_box_acc_v2`.

    Returns:
        For each method the scores of each group and of the mean over the groups.
    """
    groups = {name: result["group"] for name, result in sets.items()}
    summary: dict[str, Any] = {}
    for method in next(iter(sets.values()))["methods"]:
        told = {name: result["methods"][method] for name, result in sets.items()}
        ious = {name: np.asarray(result["iou_thousandths"]) / 1000 for name, result in told.items()}
        parts, overall = summarise(ious, groups)
        maps: dict[str, list[float]] = {}
        for name, result in told.items():
            if result["max_box_acc_v2"] is not None:
                maps.setdefault(groups[name], []).append(result["max_box_acc_v2"])
        means = {group: float(np.mean(values)) for group, values in maps.items()}
        summary[method] = {
            "mean": {**overall.to_json(), "max_box_acc_v2": _rounded(list(means.values()))},
            "groups": {
                group: {**part.to_json(), "max_box_acc_v2": _rounded(maps.get(group, []))}
                for group, part in parts.items()
            },
        }
    return summary


def _rounded(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 2) if values else None
