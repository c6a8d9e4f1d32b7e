"""Section: what is lost when the common object comes from other images."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.kept_object import WAYS
from experiments.records import Record
from experiments.report.hints import DEVELOPMENT
from experiments.report.text import signed, table
from experiments.scores import difference

__all__ = ["kept_section"]

_THRESHOLDS = ("0.5", "0.7")


def kept_section(record: Record, figures: Path) -> Iterator[str]:  # noqa: ARG001  (no plot)
    """Scores with the object of the whole set, and with that of the half that an image is not in."""
    ways = record["results"]["ways"]
    yield "## A kept object"
    yield ""
    yield (
        "Each set is halved, every second image to each half; the object of one half is looked for in the images of "
        "the other, one image at a time. Beside it the object of the whole set, the image itself among those that "
        "taught it. "
        + ("Each set with the prior of the other half of the sets. " if "priors" in record["settings"] else "")
        + "CorLoc at 0.5 / 0.7; *lost*: by how much the other half is worse, with paired intervals over images."
    )
    yield ""
    members: dict[str, list[str]] = {}
    for name in record["settings"]["sets"]:
        members.setdefault(name.partition("/")[0], []).append(name)
    rows = [[group, *_cells(record, names, ways)] for group, names in members.items()]
    for title, chosen in (
        ("**mean of the six**", [group for group in members if group in DEVELOPMENT]),
        ("**mean of the others**", [group for group in members if group not in DEVELOPMENT]),
    ):
        if len(chosen) > 1:
            rows.append([title, *_cells(record, [name for group in chosen for name in members[group]], ways)])
    head = ["set", "images a half", "all", "the other half", "lost at 0.5", "lost at 0.7"]
    yield from table(head, rows)


def _cells(
    record: Record, names: Sequence[str], ways: Mapping[str, Mapping[str, Mapping[str, list[int]]]]
) -> list[str]:
    """Images in a half of the smallest set, CorLoc of both ways, and what is lost."""
    groups = {name: name.partition("/")[0] for name in names}
    ious = [{name: _ious(ways[way]["iou_thousandths"][name]) for name in names} for way in WAYS]
    lost = difference(ious[0], ious[1], groups)
    sizes = sorted({record["settings"]["sets"][name] // 2 for name in names})
    size = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    scores = [" / ".join(f"{_mean(one, groups, float(at)):.1f}" for at in _THRESHOLDS) for one in ious]
    return [size, *scores, *(signed(lost[at][0], lost[at][1:]) for at in _THRESHOLDS)]


def _mean(ious: Mapping[str, NDArray[np.float64]], groups: Mapping[str, str], threshold: float) -> float:
    """CorLoc in percent, the mean over groups, each the mean of its sets."""
    by_group: dict[str, list[float]] = {}
    for name, values in ious.items():
        by_group.setdefault(groups[name], []).append(100 * float((values >= threshold).mean()))
    return float(np.mean([np.mean(scores) for scores in by_group.values()]))


def _ious(thousandths: Sequence[int]) -> NDArray[np.float64]:
    return np.asarray(thousandths, dtype=np.float64) / 1000
