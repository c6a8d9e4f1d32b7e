"""Sections: the paper's tables and Figure 1."""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from experiments.records import Record
from experiments.report.paper import PAPER, PAPER_TABLE3
from experiments.report.plots import figure1_plot
from experiments.report.text import interval, signed, table
from experiments.scores import difference_over_seeds

__all__ = ["grid_section"]

_TITLES = {
    "figure1": "Figure 1: how many channels PTAP averages",
    "table1": "Table 1: PTAP at train and at test",
    "table2": "Table 2: channel-wise and pixel-wise",
    "table3": "Table 3: combined pretext tasks",
    "ablation": "The parts of the method",
    "baselines": "The baseline on the head's features",
    "forms": "The forms of the contrastive loss",
    "psynet": "PsyNet's training",
}
_WITHOUT_LOSS = "this is without the contrastive loss, which the paper's table has."
_OTHER_SCALE = (
    "scale was x1.3, x1, x0.7 and translation 10 % of the side; PsyNet's, used since, are x0.77, x1, x1.43 and 5 %."
)
_CORRECTED = {
    "table1": _WITHOUT_LOSS,
    "table2": _WITHOUT_LOSS,
    "table3": _OTHER_SCALE,
    "ablation": _OTHER_SCALE,
    "baselines": _OTHER_SCALE,
    "forms": _OTHER_SCALE,
    "psynet": "this is the mean of the last block's signed channels; PsyNet's is of the features after the last ReLU.",
}
"""What was wrong of the records that do not tell the settings of their cells."""

_SHARES = ("load", "forward", "backward")
_AT = ("0.3", "0.5", "0.7", "mean")


def grid_section(record: Record, figures: Path) -> Iterator[str]:
    """Every cell of a grid, with the paper's numbers where there are any."""
    settings, cells = record["settings"], record["results"]["cells"]
    grid, images = settings["grid"], settings["images"]
    yield f"## {_TITLES[grid]}, on {settings['data']}"
    yield ""
    yield (
        f"Preset `{settings['preset']}`{''.join(f', `{override}`' for override in settings['overrides'])}; "
        f"{images['train']} images trained on, {images['test']} scored, attention maps alone. The epoch is "
        "chosen without boxes. First each map cut at its Otsu threshold; then, at 0.5, PsyNet's cut and legacy count. "
        "The training images' boxes are seen by no run; settings may be compared on them."
    )
    yield ""
    if any("overrides" not in cell for cell in cells.values()) and grid in _CORRECTED:
        yield f"**To be measured again:** {_CORRECTED[grid]}"
        yield ""
    rows = [_row(grid, name, cell) for name, cell in cells.items() if cell["runs"]]
    head = [
        "",
        *_AT,
        "PsyNet's cut",
        "legacy",
        "MaxBoxAccV2",
        "before training, 0.5",
        "training images, 0.5",
        "seeds",
    ]
    if grid in PAPER:
        head.append("the paper's, 0.3 / 0.5 / 0.7 / mean")
    if grid == "table3":
        head.append("the paper's at 0.5, CUB / Cars / Aircraft / Dogs")
    yield from table(head, rows)
    yield ""
    told = list(_pairs(grid, cells))
    if told:
        yield "Paired differences, with intervals over images and seeds: " + "; ".join(told) + "."
        yield ""
    yield _cost([run["cost"] for cell in cells.values() for run in cell["runs"] if run["cost"]])
    missing = [cell["label"] for cell in cells.values() if not cell["runs"]]
    if missing:
        yield ""
        yield f"Not trained yet: {', '.join(missing)}."
    if grid == "figure1" and rows:
        name = f"figure1-{settings['data']}.svg"
        figure1_plot(cells, figures / name)
        yield ""
        yield f"![CorLoc over k](figures/{name})"
        yield ""
        yield "The paper's Figure 1 is best at k = 0.7."


_PAIRS: dict[str, tuple[tuple[str, str], ...]] = {
    "table1": (("train-test", "train"), ("train-test", "off")),
    "table2": (("pixel", "channel"),),
    "table3": (("R+S-ours", "R+S-baseline"), ("S+T-ours", "S+T-baseline")),
    "ablation": tuple((f"{tasks}-ours", f"{tasks}-ptap") for tasks in ("R", "R+S", "S+T")),
    "forms": (("feature", "none"), ("map-background", "none")),
}
"""Cells whose difference is what the table is about."""


def _pairs(grid: str, cells: dict[str, Any]) -> Iterator[str]:
    """The differences of a table's cells, over the seeds that both have."""
    for one, other in _PAIRS.get(grid, ()):
        runs = [{run["seed"]: run for run in cells.get(name, {"runs": []})["runs"]} for name in (one, other)]
        seeds = sorted(runs[0].keys() & runs[1].keys())
        if not seeds:
            continue
        ious = [
            [[value / 1000 for value in of_cell[seed]["trained"]["otsu"]["iou_thousandths"]] for seed in seeds]
            for of_cell in runs
        ]
        apart = difference_over_seeds(ious[0], ious[1])
        scores = " and ".join(f"{signed(apart[at][0], apart[at][1:])} at {at}" for at in ("0.5", "0.7"))
        yield f"{cells[one]['label']} over {cells[other]['label']} {scores} ({len(seeds)} seed{'s' * (len(seeds) > 1)})"


def _cost(costs: list[dict[str, Any]]) -> str:
    if not costs:
        return ""
    rates = [cost["images_per_second"] for cost in costs]
    memory = [cost["peak_memory_mb"] for cost in costs if cost["peak_memory_mb"] is not None]
    shares = ", ".join(f"{name} {median(cost[f'{name}_share'] for cost in costs):.0%}" for name in _SHARES)
    return (
        f"Training: {min(rates):.1f} to {max(rates):.1f} images/s on a machine with other work ({shares} of the "
        f"time, median), peak memory {max(memory, default=0)} MB."
    )


def _row(grid: str, name: str, cell: dict[str, Any]) -> list[object]:
    runs = cell["runs"]
    row: list[object] = [cell["label"], *(_score(runs, "otsu", at) for at in _AT), _score(runs, "psynet", "0.5")]
    row.append(f"{fmean(run['trained']['psynet']['legacy']['0.5'] for run in runs):.1f}")
    row.append(f"{fmean(run['max_box_acc_v2'] for run in runs):.1f}")
    before = [run["untrained"]["otsu"]["0.5"] for run in runs if "otsu" in run["untrained"]]
    train = [run["training_images"]["0.5"] for run in runs if run["training_images"]]
    row += [f"{fmean(before):.1f}" if before else "", f"{fmean(train):.1f}" if train else "", len(runs)]
    if grid in PAPER:
        paper = PAPER[grid].get(name)
        row.append("" if paper is None else " / ".join(f"{paper[at]:.2f}" for at in _AT))
    if grid == "table3":
        row.append(" / ".join(f"{value:.2f}" for value in PAPER_TABLE3[name].values()))
    return row


def _score(runs: list[dict[str, Any]], cut: str, at: str) -> str:
    """One seed: its score with the interval over images; several: their mean and standard deviation."""
    values = [run["trained"][cut]["corloc"][at] for run in runs]
    if len(values) > 1:
        return f"{fmean(values):.1f} ± {stdev(values):.1f}"
    return interval(values[0], runs[0]["trained"][cut]["interval"][at])
