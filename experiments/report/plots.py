"""Plots of the records, as SVG of a few kilobytes; the same record gives the same file."""

from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.ours import OURS

__all__ = ["figure1_plot", "peers_plot", "reliability_plot", "set_size_plot"]

_OURS_COLOUR, _PEER_COLOUR = "#c1440e", "#56708a"


def peers_plot(summary: dict[str, Any], path: Path) -> None:
    """CorLoc at 0.5 and 0.7 of every method with intervals.

    Args:
        summary: Summary of a record of `peers`.
        path: SVG to write.
    """
    figure = Figure(figsize=(9, 0.3 * len(summary) + 1), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    names = list(summary)[::-1]
    colours = [_OURS_COLOUR if name in OURS else _PEER_COLOUR for name in names]
    for axis, threshold in zip(axes, ("0.5", "0.7"), strict=True):
        values = np.asarray([summary[name]["mean"]["corloc"][threshold] for name in names])
        ends = np.asarray([summary[name]["mean"]["interval"][threshold] for name in names])
        axis.barh(names, values, color=colours, height=0.7)
        axis.errorbar(values, names, xerr=_errors(values, ends), fmt="none", ecolor="0.2", elinewidth=1)
        axis.set(xlabel=f"CorLoc at {threshold}, mean over sets", xlim=(0, 100))
        axis.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def set_size_plot(sizes: dict[str, Any], path: Path) -> None:
    """CorLoc over the size of the set.

    Args:
        sizes: Results of a record of `set-size` by size.
        path: SVG to write.
    """
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(sizes))
    for threshold, colour in (("0.5", _OURS_COLOUR), ("0.7", _PEER_COLOUR)):
        values = np.asarray([size["mean"]["corloc"][threshold] for size in sizes.values()])
        ends = np.asarray([size["mean"]["interval"][threshold] for size in sizes.values()])
        errors = _errors(values, ends)
        axis.errorbar(places, values, yerr=errors, fmt="o-", color=colour, label=f"IoU {threshold}", capsize=2)
    axis.set_xticks(places, list(sizes))
    axis.set(xlabel="images in the set", ylabel="CorLoc", ylim=(0, 100))
    axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def figure1_plot(cells: dict[str, Any], path: Path) -> None:
    """CorLoc Mean over k, for baseline + PTAP and for the full method.

    Args:
        cells: Cells of a record of `figure1`, named `<method>-<k>`; those without runs are left out.
        path: SVG to write.
    """
    figure = Figure(figsize=(5.5, 3.2), layout="constrained")
    axis = figure.subplots()
    shares = list(dict.fromkeys(name.partition("-")[2] for name in cells))
    for method, label, colour in (
        ("ptap", "baseline + PTAP", _PEER_COLOUR),
        ("full", "full method", _OURS_COLOUR),
    ):
        means = {
            place: fmean(run["trained"]["otsu"]["corloc"]["mean"] for run in cells[f"{method}-{share}"]["runs"])
            for place, share in enumerate(shares)
            if cells[f"{method}-{share}"]["runs"]
        }
        axis.plot(list(means), list(means.values()), "o-", color=colour, label=label)
    axis.set_xticks(range(len(shares)), shares)
    axis.set(xlabel="k, share of the channels averaged", ylabel="CorLoc Mean")
    axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def reliability_plot(judged: dict[str, dict[str, Any]], path: Path) -> None:
    """Share of boxes that are right over what their scores say.

    Args:
        judged: By a title, what `experiments.calibrate.reliability` says.
        path: SVG to write.
    """
    figure = Figure(figsize=(2.6 * len(judged), 2.9), layout="constrained")
    panels = figure.subplots(1, len(judged), sharey=True, squeeze=False)[0]
    for axis, (title, told) in zip(panels, judged.items(), strict=True):
        said, right, counts = np.asarray(told["bins"]).T
        axis.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        axis.scatter(said, right, s=4 + 200 * counts / counts.sum(), color=_OURS_COLOUR)
        axis.set(title=title, xlabel="score", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axis.title.set_fontsize(9)
        axis.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("share of boxes that are right")
    _save(figure, path)


def _errors(values: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(np.stack([values - ends[:, 0], ends[:, 1] - values])))


def _save(figure: Figure, path: Path) -> None:
    # Text stays text, and identifiers do not depend on the run.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": path.stem}):
        figure.savefig(path, metadata={"Date": None})
