"""Sections: how quality, time and memory grow with the set."""

from collections.abc import Iterator
from pathlib import Path

from experiments.records import Record
from experiments.report.plots import set_size_plot
from experiments.report.text import interval, signed, table

__all__ = ["scale_section", "set_size_section"]


def set_size_section(record: Record, figures: Path) -> Iterator[str]:
    """CorLoc of the same images in sets of several sizes."""
    results = record["results"]
    yield "## Size of the set"
    yield ""
    yield (
        f"The same images, at most {results['pool']} of each set, localized in sets of several sizes; a single "
        f"image falls back to mode `attention`. Effort `{record['settings']['effort']}`. Differences are to all "
        "images, with paired intervals."
    )
    yield ""
    rows = []
    for size, told in results["sizes"].items():
        mean, apart = told["mean"], told["over_all"]
        scores = [interval(mean["corloc"][at], mean["interval"][at]) for at in ("0.3", "0.5", "0.7")]
        rows.append([size, *scores, *(signed(apart[at][0], apart[at][1:]) for at in ("0.5", "0.7"))])
    yield from table(["images a set", "0.3", "0.5", "0.7", "difference, 0.5", "difference, 0.7"], rows)
    yield ""
    set_size_plot(results["sizes"], figures / "set-size.svg")
    yield "![CorLoc by size of the set](figures/set-size.svg)"


def scale_section(record: Record, figures: Path) -> Iterator[str]:  # noqa: ARG001  (no plot)
    """Time and memory of `colocalize score`."""
    yield "## Time and memory of `colocalize score`"
    yield ""
    yield "Images of the sets repeated from the disk, default settings, a process of its own."
    yield ""
    yield from table(
        ["images", "wall time, s", "CPU time an image, s", "peak memory, MB"],
        [
            [count, f"{told['wall_seconds']:.0f}", f"{told['cpu_seconds_per_image']:.3f}", told["peak_memory_mb"]]
            for count, told in record["results"]["counts"].items()
        ],
    )
