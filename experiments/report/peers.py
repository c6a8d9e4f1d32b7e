"""Section: every method on the same images."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from experiments.ours import OURS
from experiments.records import Record
from experiments.report.hints import DEVELOPMENT
from experiments.report.plots import peers_plot
from experiments.report.text import interval, signed, table
from experiments.saliency import Saliency
from experiments.scores import difference, summarise

__all__ = ["best_peer", "peers_section"]

_DEFAULT = list(OURS)[-1]
_THRESHOLDS = ("0.5", "0.7")


def peers_section(record: Record, figures: Path) -> Iterator[str]:
    """All methods over all sets, ours against the best peer, and each set by itself."""
    summary, sets = record["results"]["summary"], record["results"]["sets"]
    groups = list(next(iter(summary.values()))["groups"])
    size = record["settings"].get("input_size", "the model's own")
    yield f"## Every method, mean over {len(groups)} sets{_limited(record)}"
    yield ""
    yield (
        f"One network, untrained here: {record['settings'].get('model', 'the shipped model')}; `@` is the input size "
        f"in pixels, ours runs at {size}. Channel mean and SCDA look at the head's channels after their ReLU, the "
        "other peers, like ours, at the last block's linear output. CPU time is one thread's for an image, without "
        "the forward pass over the whole image, which all but the first two and u2netp need. Where the model has a "
        "foreground prior, ours has it as it ships: these sets have taught it, too, though without boxes."
    )
    yield ""
    yield from table(
        ["method", "0.3", "0.5", "0.7", "mean", "MaxBoxAccV2", "no box", "legacy 0.5", "CPU, s"],
        [_row(name, scores["mean"], _seconds(sets, name)) for name, scores in summary.items()],
    )
    yield ""
    for name, reason in record["settings"].get("left_out", {}).items():
        yield f"{name} left out: {reason}"
        yield ""
    if {group in DEVELOPMENT for group in groups} == {True, False}:
        yield from _by_development(sets)
        yield ""
    plot = f"{record.get('experiment', 'peers')}.svg"
    peers_plot(summary, figures / plot)
    yield f"![CorLoc of every method with intervals](figures/{plot})"
    yield ""
    if _DEFAULT in summary and len(summary) > len(OURS):
        yield from _against_best(record, groups)
        yield ""
    for threshold in _THRESHOLDS:
        yield f"### Each set, CorLoc at {threshold}"
        yield ""
        for inside in (True, False):
            chosen = [group for group in groups if (group in DEVELOPMENT) == inside or len(groups) <= len(DEVELOPMENT)]
            if chosen and (inside or len(groups) > len(DEVELOPMENT)):
                rows = [
                    [name, *(_cell(scores["groups"][group], threshold) for group in chosen)]
                    for name, scores in summary.items()
                ]
                yield from table(["method", *chosen], rows)
                yield ""


def _limited(record: Record) -> str:
    limit = record["settings"].get("limit")
    return "" if limit is None else f", at most {limit} images each"


def _by_development(sets: dict[str, Any]) -> Iterator[str]:
    """Means over the sets on which the method was developed and over the others, each with two intervals."""
    yield "### Sets of development and others"
    yield ""
    yield (
        "The six are the sets on which our method was developed, by comparing some forty variants; the eight came "
        "later, and of ours without a hint only the prior's weights and trust were settled while looking at them. "
        "In brackets the interval over images, in parentheses that over sets and images: how much another choice of "
        "such sets would change. "
        "*Second look* is the peer with our second look and our outline, *no prior* ours without the foreground prior: "
        "what lies between them is what the discriminant and learning from outlines add."
    )
    yield ""
    chosen = {
        title: {name: result for name, result in sets.items() if (result["group"] in DEVELOPMENT) == inside}
        for title, inside in (("six", True), ("eight", False))
    }
    rows = []
    for method in next(iter(sets.values()))["methods"]:
        row = [f"**{method}**" if method in OURS else method]
        for part in chosen.values():
            ious = {
                name: np.asarray(result["methods"][method]["iou_thousandths"]) / 1000 for name, result in part.items()
            }
            _, mean = summarise(ious, {name: result["group"] for name, result in part.items()})
            for at in _THRESHOLDS:
                low, high = mean.over_sets[at]
                row.append(f"{interval(mean.values[at], mean.intervals[at])} ({low:.0f}, {high:.0f})")
        rows.append(row)
    yield from table(["method", *(f"{title}, {at}" for title in chosen for at in _THRESHOLDS)], rows)


def best_peer(summary: dict[str, Any], threshold: str, group: str | None = None) -> str:
    """The peer of the highest score, over all sets or in one of them."""

    def score(name: str) -> float:
        told = summary[name]["mean"] if group is None else summary[name]["groups"][group]
        return float(told["corloc"][threshold])

    return max((name for name in summary if name not in OURS), key=score)


def _against_best(record: Record, groups: list[str]) -> Iterator[str]:
    summary = record["results"]["summary"]
    yield f"### `{_DEFAULT}` against the best peer"
    yield ""
    yield (
        "Differences in points; the overall ones with a paired interval, on the same resampled images. Peers that, "
        "like ours, saw no mask and no box in their lives:"
    )
    yield ""
    peers = {name: told for name, told in summary.items() if name != Saliency.name}
    yield from _comparison(record, groups, lambda threshold, group: best_peer(peers, threshold, group))
    if Saliency.name in summary:
        yield ""
        yield "And the network that was trained with thousands of masks of salient objects:"
        yield ""
        yield from _comparison(record, groups, lambda _threshold, _group: Saliency.name)


def _comparison(record: Record, groups: list[str], choose: Callable[[str, str | None], str]) -> Iterator[str]:
    summary, sets = record["results"]["summary"], record["results"]["sets"]
    rows: list[list[object]] = []
    by_set = {name: result["group"] for name, result in sets.items()}
    for threshold in _THRESHOLDS:
        peer = choose(threshold, None)
        ours, theirs = (
            {name: np.asarray(result["methods"][method]["iou_thousandths"]) / 1000 for name, result in sets.items()}
            for method in (_DEFAULT, peer)
        )
        value, low, high = difference(ours, theirs, by_set)[threshold]
        rows.append(
            [f"mean over sets, {threshold}", peer, *_pair(summary, peer, threshold), signed(value, (low, high))]
        )
    for group in groups:
        for threshold in _THRESHOLDS:
            peer = choose(threshold, group)
            pair = _pair(summary, peer, threshold, group)
            rows.append([f"{group}, {threshold}", peer, *pair, f"{float(pair[1]) - float(pair[0]):+.1f}"])
    yield from table(["where", "peer", "its score", "ours", "difference"], rows)


def _pair(summary: dict[str, Any], peer: str, threshold: str, group: str | None = None) -> tuple[str, str]:
    told = [summary[name]["mean"] if group is None else summary[name]["groups"][group] for name in (peer, _DEFAULT)]
    return f"{told[0]['corloc'][threshold]:.1f}", f"{told[1]['corloc'][threshold]:.1f}"


def _row(name: str, mean: dict[str, Any], seconds: float) -> list[object]:
    values, ends = mean["corloc"], mean["interval"]
    scores = [interval(values[at], ends[at]) for at in ("0.3", "0.5", "0.7", "mean")]
    maps = mean["max_box_acc_v2"]
    return [
        f"**{name}**" if name in OURS else name, *scores, "" if maps is None else f"{maps:.1f}", mean["missing"],
        f"{mean['legacy']['0.5']:.1f}", f"{seconds:.3f}",
    ]  # fmt: skip


def _seconds(sets: dict[str, Any], name: str) -> float:
    """CPU seconds an image, over all images."""
    told = [(result["images"], result["methods"][name]["cpu_seconds_per_image"]) for result in sets.values()]
    return float(sum(count * seconds for count, seconds in told) / sum(count for count, _ in told))


def _cell(told: dict[str, Any], threshold: str) -> str:
    return interval(told["corloc"][threshold], told["interval"][threshold])
