"""Section: does `colocalize train` pay, and does it know?"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.records import Record
from experiments.report.hints import DEVELOPMENT
from experiments.report.text import signed, table
from experiments.scores import difference

__all__ = ["Advised", "advised", "training_section"]

_MODES = ("attention", "common")
_THRESHOLDS = (300, 500, 700)

_REGRET = 1.0
"""Points of CorLoc Mean by which the model that was advised against must be better for the advice to be wrong."""

Division = Mapping[str, Any]


class Advised:
    """What came of following the verdicts of one set in one mode, over its divisions.

    Attributes:
        gain: CorLoc Mean of the trained model less that of the model before, the mean over the divisions.
        followed: The same where the model before is kept in the divisions whose verdict is `no better`.
        better: In how many of the divisions the verdict was `better`.
        divisions: How many there are.
        right: Whether the model that most verdicts advise against is not better by more than a point.
        each_right: In how many divisions the one that the verdict advises against is not.
    """

    def __init__(self, divisions: Sequence[Division], mode: str) -> None:
        gains = [_mean_corloc(one, f"trained, {mode}") - _mean_corloc(one, f"before, {mode}") for one in divisions]
        verdicts = [one["comparison"]["judgements"][mode] == "better" for one in divisions]
        self.gain = float(np.mean(gains))
        self.better, self.divisions = sum(verdicts), len(verdicts)
        pairs = list(zip(gains, verdicts, strict=True))
        self.right = _is_right(self.gain, better=2 * self.better > self.divisions)
        self.followed = float(np.mean([gain if said else 0.0 for gain, said in pairs]))
        self.each_right = sum(_is_right(gain, better=said) for gain, said in pairs)


def _is_right(gain: float, *, better: bool) -> bool:
    return gain >= -_REGRET if better else gain <= _REGRET


def advised(record: Record, mode: str) -> dict[str, Advised]:
    """By set, what came of the verdicts."""
    return {group: Advised(divisions, mode) for group, divisions in _by_group(record).items()}


def training_section(record: Record, figures: Path) -> Iterator[str]:  # noqa: ARG001  (no plot)
    """Before and after training, and the verdicts beside the boxes."""
    settings, groups = record["settings"], _by_group(record)
    count = len(record["results"]["divisions"])
    yield "## Does training pay?"
    yield ""
    yield (
        f"`colocalize train` on one half of each set (at most {settings['most_to_train']} images), tried on images of "
        f"the other (at most {settings['most_to_try']}), {count} division{'s' * (count > 1)} of each set, "
        f"{settings['input_size']} px, "
        "32-bit floats. *Before* is the model in the box but for its prior, which is that of the other half of the "
        "sets ([above](#a-foreground-prior-of-other-sets)): nothing here has seen what it is tried on. The network "
        "stays as it is (preset `foreground`), so that a division, not a seed of the training, is what varies. "
        "PASCAL07-6x2: both views together. CorLoc at 0.5 / 0.7."
    )
    yield ""
    if remark := settings.get("remark"):
        yield f"**{remark}**"
        yield ""
    verdicts = {mode: advised(record, mode) for mode in _MODES}
    rows = []
    for group, divisions in groups.items():
        cells = [_cell([divisions], name) for name in _METHODS]
        said = [f"{verdicts[mode][group].better} of {verdicts[mode][group].divisions}" for mode in _MODES]
        marks = ["" if verdicts[mode][group].right else ", wrong" for mode in _MODES]
        rows.append([group, *cells, *(f"{a}{b}" for a, b in zip(said, marks, strict=True))])
    for title, inside in (
        ("**mean of the six**", [group for group in groups if group in DEVELOPMENT]),
        ("**mean of the others**", [group for group in groups if group not in DEVELOPMENT]),
        ("**mean of all**", list(groups)),
    ):
        if inside:
            rows.append([title, *(_cell([groups[group] for group in inside], name) for name in _METHODS), "", ""])
    head = [
        "set",
        "attention, no prior",
        "attention, before",
        "attention, trained",
        "common, before",
        "common, trained",
    ]
    yield from table([*head, "says better, attention", "says better, common"], rows)
    yield ""
    for mode in _MODES:
        yield _gains(groups, mode)
        yield ""
    yield (
        "**The verdict**, given without a label, is wrong where the model that it advises against is better by more "
        f"than {_REGRET:g} point of CorLoc Mean (mean over 0.3, 0.5, 0.7), all divisions together, most of their "
        "verdicts counting. Its thresholds were settled while looking at the first division of eleven of the sets "
        "(not those of PASCAL07-6x2) and at one more like it; the other divisions were not looked at."
    )
    yield ""
    for mode in _MODES:
        found = list(verdicts[mode].values())
        yield (
            f"- `{mode}`: right for {sum(one.right for one in found)} of {len(found)} sets, and in "
            f"{sum(one.each_right for one in found)} of {sum(one.divisions for one in found)} single divisions. CorLoc "
            f"Mean: trained everywhere {np.mean([one.gain for one in found]):+.1f}, where advised "
            f"{np.mean([one.followed for one in found]):+.1f}."
        )


_METHODS = ("no prior, attention", "before, attention", "trained, attention", "before, common", "trained, common")


def _by_group(record: Record) -> dict[str, list[Division]]:
    """The divisions of each set."""
    found: dict[str, list[Division]] = {}
    for divisions in record["results"]["divisions"].values():
        for group, one in divisions.items():
            found.setdefault(group, []).append(one)
    return found


def _hits(division: Division, name: str) -> NDArray[np.float64]:
    """(3,) percent at the thresholds."""
    ious = np.asarray(division["iou_thousandths"][name])
    return np.array([100 * (ious >= at).mean() for at in _THRESHOLDS])


def _mean_corloc(division: Division, name: str) -> float:
    return float(_hits(division, name).mean())


def _cell(groups: Sequence[Sequence[Division]], name: str) -> str:
    of_groups = [np.mean([_hits(one, name) for one in divisions], axis=0) for divisions in groups]
    _, half, high = np.mean(of_groups, axis=0)
    return f"{half:.1f} / {high:.1f}"


def _gains(groups: Mapping[str, Sequence[Division]], mode: str) -> str:
    """How much a mode gains, over all sets, with paired intervals."""
    ious: dict[str, dict[str, NDArray[np.float64]]] = {"before": {}, "trained": {}}
    group_of = {}
    for group, divisions in groups.items():
        for number, one in enumerate(divisions):
            group_of[f"{group} {number}"] = group
            for when, into in ious.items():
                into[f"{group} {number}"] = np.asarray(one["iou_thousandths"][f"{when}, {mode}"]) / 1000
    parts = []
    kinds: tuple[Literal["images", "sets"], ...] = ("images", "sets")
    for over in kinds:
        apart = difference(ious["trained"], ious["before"], group_of, over)
        told = " and ".join(f"{signed(apart[at][0], apart[at][1:])} at {at}" for at in ("0.5", "0.7"))
        parts.append(f"{told} (interval over {over})")
    return f"`{mode}`, trained against before, mean of all: {'; '.join(parts)}."
