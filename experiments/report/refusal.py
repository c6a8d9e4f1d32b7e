"""Section: images without the common object."""

from collections.abc import Iterator
from pathlib import Path

from experiments.records import Record
from experiments.report.text import table

__all__ = ["refusal_section"]


def refusal_section(record: Record, figures: Path) -> Iterator[str]:  # noqa: ARG001  (no plot)
    """AUROC of the confidence, and the errors of the default cut."""
    results = record["results"]
    shares = list(results["mean"]["shares"])
    yield "## Saying no: background mixed into each set"
    yield ""
    yield (
        "AUROC of `confidence` between images of the set and background; *refused*: images of the set that the "
        "default cut takes for background, *accepted*: the reverse, in percent. Means over draws; each set with the "
        "prior that the other half of the sets has taught."
    )
    yield ""
    head = ["set", "refused, no background"]
    for share in shares:
        percent = f"{100 * float(share):.0f} %"
        head += [f"AUROC, {percent}", f"refused, {percent}", f"accepted, {percent}"]
    rows: list[list[object]] = []
    for name, told_of_set in {**results["sets"], "**mean over sets**": results["mean"]}.items():
        row: list[object] = [name, f"{told_of_set['pure']['false_refusals']:.1f}"]
        for share in shares:
            told = told_of_set["shares"][share]
            row += [f"{told['auroc']:.3f}", f"{told['false_refusals']:.1f}", f"{told['false_acceptances']:.1f}"]
        rows.append(row)
    yield from table(head, rows)
    yield ""
    yield (
        "Sets of a few images, all of which show the object: how many are refused, in percent, the mean over "
        "draws and sets: "
        + ", ".join(f"{told:.1f} of {size}" for size, told in results["mean"]["few"].items())
        + ". Sets of background alone, in which nothing should be accepted:"
    )
    yield ""
    yield from table(
        ["images", "accepted, %", "agreement of the set"],
        [
            [size, f"{told['accepted']:.1f}", f"{told['agreement']:.2f}"]
            for size, told in results["background_alone"].items()
        ],
    )
