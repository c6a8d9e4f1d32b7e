"""Section: what a box's score is worth."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from colocalization.advice import advise
from experiments.records import Record
from experiments.report.plots import reliability_plot
from experiments.report.text import table

__all__ = ["calibration_section"]

_LEFT_OUT, _HALVES = "sets left out", "halves"


def calibration_section(record: Record, figures: Path) -> Iterator[str]:
    """How far scores are from the share of boxes that are right, on sets that did not teach them."""
    results = {name: told for name, told in record["results"].items() if isinstance(told, dict) and _LEFT_OUT in told}
    yield "## The score of a box"
    yield ""
    yield (
        "A box's score is the estimated probability that its IoU with an instance is at least 0.5. Each set is scored "
        "with what the others teach (`left out`), and each half of the sets with what the other half teaches; priors "
        "are half-taught as above, sets of five images are scored beside whole ones. Error: expected calibration error "
        "over ten bins. AUROC: how well the score tells right boxes from others. The clues were chosen while looking "
        "at these sets."
    )
    yield ""
    rows = [
        [
            name,
            told[_LEFT_OUT]["all"]["boxes"],
            *(f"{told[parts][kind]['error']:.3f}" for kind in ("best", "all") for parts in (_LEFT_OUT, _HALVES)),
            f"{told[_LEFT_OUT]['best']['auroc']:.2f}",
            f"{told[_LEFT_OUT]['all']['auroc']:.2f}",
        ]
        for name, told in results.items()
    ]
    yield from table(
        [
            "found by", "boxes", "error, best box, left out", "halves", "error, all boxes, left out", "halves",
            "AUROC, best box", "all boxes",
        ],
        rows,
    )  # fmt: skip
    yield ""
    reliability_plot({name: told[_LEFT_OUT]["best"] for name, told in results.items()}, figures / "reliability.svg")
    yield "![Share of best boxes that are right over their scores, on sets left out](figures/reliability.svg)"
    yield ""
    main = results.get("set and prior")
    if main is not None:
        yield (
            "By set, best boxes of mode `common` with the prior, whole sets and sets of five: the mean score, by which "
            "the set's line says *sure* (from 75 %), *check* (from 50 %) or *hint*, and the share that is right, with "
            f"what the line should have said. It says that for {_agreeing(main[_LEFT_OUT]['sets'])} of the "
            f"{len(main[_LEFT_OUT]['sets'])} sets. Single sets are off by far more than the bins, in which the errors "
            "of several sets cancel."
        )
        yield ""
        yield from table(
            ["set", "mean score, %", "the line says", "right, %", "it should say"],
            [
                [name, f"{100 * said:.0f}", _verdict(said), f"{100 * right:.0f}", _verdict(right)]
                for name, (said, right) in main[_LEFT_OUT]["sets"].items()
            ],
        )


def _verdict(share: float) -> str:
    advice = advise(share, 1)
    return "" if advice is None else advice.verdict


def _agreeing(sets: Mapping[str, Sequence[float]]) -> int:
    return sum(_verdict(said) == _verdict(right) for said, right in sets.values())
