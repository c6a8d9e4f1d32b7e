"""Section: what one box teaches."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from experiments.records import Record
from experiments.report.text import table

__all__ = ["DEVELOPMENT", "hints_section"]

DEVELOPMENT = frozenset(
    ("cub_birds_10", "pets_cats", "raccoon", "voc07_6x2_aeroplane", "voc07_6x2_bus", "voc07_6x2_horse")
)
"""The sets on which the method without hints was developed; some forty variants were compared on them."""

_SCORES = ("0.3", "0.5", "0.7", "ap50", "recall", "accepted")


def hints_section(record: Record, figures: Path) -> Iterator[str]:  # noqa: ARG001  (no plot)
    """Scores without and with the one box of each set."""
    results = record["results"]
    yield "## One box teaches"
    yield ""
    yield (
        "Every set without a hint, and with the one box of its `hint.csv` in one image, which is then left out of the "
        f"count. CorLoc of the best box; AP at IoU 0.5 and recall over at most {results['most_boxes']} boxes; the "
        "share of images taken to show the object. The method without hints was developed on the six sets of the first "
        "table; the second holds the eight sets of small, many and touching things that came later. The way a hint is "
        "used was worked out on up to 50 images of each of the eight, at first with an int8 model, so that their "
        "figures with a hint flatter: no set was held back from that."
    )
    for title, inside in (("The six", True), ("The eight", False)):
        sets = {name: told for name, told in results["sets"].items() if (name in DEVELOPMENT) == inside}
        if sets:
            yield ""
            yield f"### {title}"
            yield ""
            rows = [_row(f"{name}, {kind} ({told['used']})" if kind == "with" else name, told[kind])
                    for name, told in sets.items() for kind in ("without", "with")]  # fmt: skip
            for kind in ("without", "with"):
                mean = {score: float(np.mean([told[kind][score] for told in sets.values()])) for score in _SCORES}
                rows.append(_row(f"**mean, {kind}**", mean))
            yield from table(["set", "0.3", "0.5", "0.7", "AP50", "recall", "accepted"], rows)


def _row(name: str, scores: dict[str, float]) -> Sequence[str]:
    return [name, *(f"{scores[score]:.1f}" for score in _SCORES)]
