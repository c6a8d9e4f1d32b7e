"""Section: what a foreground prior adds."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from experiments.records import Record
from experiments.report.hints import DEVELOPMENT
from experiments.report.text import signed, table

__all__ = ["foreground_section"]

_METHODS = ("ours, attention", "ours, common")


def foreground_section(record: Record, figures: Path) -> Iterator[str]:  # noqa: ARG001  (no plot)
    """Scores without a prior, and with one of other sets."""
    methods = record["results"]["methods"]
    yield "## A foreground prior of other sets"
    yield ""
    yield (
        "Each set without a prior, and with one that was learnt, without a label, on the other half of the sets: every "
        "second one in the order of their names. CorLoc at 0.5 / 0.7. What the prior reads and how it is weighed were "
        "chosen while looking at these sets, halved in another way: the figures may flatter."
    )
    yield ""
    groups = list(methods[f"{_METHODS[0]}, with"]["groups"])
    rows = [
        [title, *(_cell([methods[f"{name}, {kind}"]["groups"][group] for group in inside])
                  for name in _METHODS for kind in ("without", "with"))]
        for title, inside in (
            *((group, [group]) for group in groups),
            ("**mean of the six**", [group for group in groups if group in DEVELOPMENT]),
            ("**mean of the others**", [group for group in groups if group not in DEVELOPMENT]),
            ("**mean of all**", groups),
        )
        if inside
    ]  # fmt: skip
    yield from table(["set", "attention", "with the prior", "common", "with the prior"], rows)
    yield ""
    for name in _METHODS:
        gains = record["results"]["gains"][name]
        told = " and ".join(f"{signed(gains[at][0], gains[at][1:])} at {at}" for at in ("0.5", "0.7"))
        yield f"`{name.removeprefix('ours, ')}` gains {told}, with paired intervals over images."
        yield ""
    left_out = sorted({name for lesson in record["results"]["lessons"].values() for name in lesson["left_out"]})
    yield f"Sets whose outlines were not trusted, and so taught nothing: {', '.join(left_out) or 'none'}."


def _cell(scores: list[Mapping[str, float]]) -> str:
    return " / ".join(f"{np.mean([one[at] for one in scores]):.1f}" for at in ("0.5", "0.7"))
