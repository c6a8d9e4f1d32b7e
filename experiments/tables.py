"""Experiments `figure1`, `table1` to `table3`, `ablation` and others, as grids of training runs.

Each cell of a grid is a few settings over a preset. `table1`, `table2` and Figure 1 train on rotation with the
contrastive loss of the preset, as the supplement says (Section B, the caption of Figure 1; Table 2 is "our method", and
its pixel-wise row is Table 1's); Figure 1's `ptap` cells alone are without it. `ablation` takes the method apart: with
and without PTAP and the loss, for R, R+S and S+T; `baselines` pools what the paper's baseline does, the features after
the last ReLU, which on EfficientNet-Lite0 are the head's. `forms` sets the forms of the loss side by side. `psynet` is
the peer's training: its tasks and their best pair, on the features after the last ReLU, as it has them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.runs import FinishedRun, essence, find_runs, score_run, train_run, trained_on
from training.config import TrainingConfig
from training.config_file import load_config
from training.datasets import ImageSet
from training.run_progress import RunProgress

__all__ = ["GRIDS", "Cell", "GridPlan", "cell_config", "run_grid"]

_NO_LOSS = ("loss.map_weight=0", "loss.feature_weight=0")
_NO_PTAP = ("pooling.at_train=false", "pooling.at_test=false")
_PTAP = ("pooling.at_train=true", "pooling.at_test=true")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table.

    Attributes:
        name: Name, unique in its grid, fit for a folder.
        label: What it is called in the text.
        overrides: Settings over the preset.
    """

    name: str
    label: str
    overrides: tuple[str, ...]


def _figure1() -> tuple[Cell, ...]:
    shares = [f"{tenth / 10:g}" for tenth in range(1, 10)]
    poolings: list[tuple[str, tuple[str, ...]]] = [("max", ("pooling.kind=max",))]
    poolings += [(share, ("pooling.kind=ptap", f"pooling.k={share}")) for share in shares]
    poolings += [("avg", ("pooling.kind=avg",))]
    methods = (("ptap", "baseline + PTAP", _NO_LOSS), ("full", "full method", ()))
    return tuple(
        Cell(f"{name}-{k}", f"{label}, k = {k}", ("pretext.tasks=R", *_PTAP, *pooling, *loss))
        for name, label, loss in methods
        for k, pooling in poolings
    )


def _table3() -> tuple[Cell, ...]:
    cells = []
    for tasks in ("R+S", "S+T"):
        cells.append(Cell(f"{tasks}-baseline", f"{tasks}, baseline", (f"pretext.tasks={tasks}", *_NO_PTAP, *_NO_LOSS)))
        cells.append(Cell(f"{tasks}-ours", f"{tasks}, ours", (f"pretext.tasks={tasks}", *_PTAP)))
    return tuple(cells)


def _ablation() -> tuple[Cell, ...]:
    parts = (
        ("baseline", "baseline", (*_NO_PTAP, *_NO_LOSS)),
        ("ptap", "+ PTAP", (*_PTAP, *_NO_LOSS)),
        ("loss", "+ loss", _NO_PTAP),
        ("ours", "+ both", _PTAP),
    )
    return tuple(
        Cell(f"{tasks}-{name}", f"{tasks}, {label}", (f"pretext.tasks={tasks}", *settings))
        for tasks in _COMBINATIONS
        for name, label, settings in parts
    )


def _baselines() -> tuple[Cell, ...]:
    settings = (*_NO_PTAP, *_NO_LOSS, "backbone.feature_map=head")
    return tuple(Cell(tasks, f"{tasks}, baseline", (f"pretext.tasks={tasks}", *settings)) for tasks in _COMBINATIONS)


_COMBINATIONS = ("R", "R+S", "S+T")
_BOTH = ("pretext.tasks=R+S",)
_ROTATION = ("pretext.tasks=R",)
_PSYNET = ("pretext.fill=reflect", "backbone.feature_map=head", "data.mirror=false", *_NO_PTAP, *_NO_LOSS)

GRIDS: dict[str, tuple[Cell, ...]] = {
    "figure1": _figure1(),
    "table1": (
        Cell("off", "PTAP nowhere", (*_ROTATION, *_NO_PTAP)),
        Cell("train", "PTAP at train", (*_ROTATION, "pooling.at_train=true", "pooling.at_test=false")),
        Cell("train-test", "PTAP at train and test", (*_ROTATION, *_PTAP)),
    ),
    "table2": (
        Cell("channel", "channel-wise", (*_ROTATION, *_PTAP, "pooling.kind=channel")),
        Cell("pixel", "pixel-wise", (*_ROTATION, *_PTAP, "pooling.kind=ptap")),
    ),
    "table3": _table3(),
    "ablation": _ablation(),
    "baselines": _baselines(),
    "forms": (
        Cell("none", "no contrastive loss", (*_BOTH, *_PTAP, *_NO_LOSS)),
        Cell("feature", "feature form", (*_BOTH, *_PTAP, "loss.feature_weight=1", "loss.map_weight=0")),
        Cell("map", "map form", (*_BOTH, *_PTAP, "loss.feature_weight=0", "loss.map_weight=1")),
        Cell(
            "map-background",
            "map form, background alone as negative",
            (*_BOTH, *_PTAP, "loss.feature_weight=0", "loss.map_weight=1", "loss.map_others=0"),
        ),
    ),
    "psynet": tuple(
        Cell(tasks, f"PsyNet, {label}", (f"pretext.tasks={tasks}", *_PSYNET))
        for tasks, label in (
            ("R", "rotation"),
            ("S", "scale"),
            ("T", "translation"),
            ("H", "shear"),
            ("F", "flip"),
            ("O", "odd"),
            ("O+R", "odd and rotation"),
        )
    ),
}
"""The cells of every experiment that trains, by its name."""


def cell_config(cell: Cell, preset: str | Path, overrides: Sequence[str], seed: int) -> TrainingConfig:
    """Settings of a cell's run; the cell's go over the overrides.

    Raises:
        TrainingError: A setting is unknown or out of range.
    """
    return load_config(preset, [*overrides, *cell.overrides, f"run.seed={seed}"])


@dataclass(frozen=True, slots=True)
class GridPlan:
    """How a grid is trained and scored.

    Attributes:
        preset: Settings to start from.
        folder: Where runs are looked for, at any depth, and trained.
        overrides: Settings over the preset, for all cells.
        seeds: Each cell is trained once with each.
        train: Whether to train what is missing; else it is left out.
        limit: Most test images; None: all.
    """

    preset: str | Path
    folder: Path
    overrides: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    train: bool = True
    limit: int | None = None


def run_grid(grid: str, plan: GridPlan, images: ImageSet, progress: RunProgress) -> dict[str, Any]:
    """Score every cell, training what is missing.

    Args:
        grid: Name of the experiment, one of `GRIDS`.
        plan: How.
        images: The data set.
        progress: Is told how it goes.

    Returns:
        For each cell its label, its settings and one score a seed, see `score_run`.

    Raises:
        TrainingError: A run cannot work.
    """
    folder = plan.folder
    finished = list(find_runs(folder)) if folder.is_dir() else []
    results: dict[str, Any] = {}
    for cell in GRIDS[grid]:
        scores = []
        for seed in plan.seeds:
            config = cell_config(cell, plan.preset, plan.overrides, seed)
            run = _find(finished, config, images)
            if run is None and plan.train:
                progress.note(f"{cell.label}, seed {seed}: training")
                run = train_run(config, images, folder / f"{grid}-{cell.name}-seed{seed}", progress)
            if run is None:
                progress.note(f"{cell.label}, seed {seed}: no finished run below {folder}, left out")
                continue
            scores.append(score_run(run, images, plan.limit))
            told = scores[-1]["trained"]["otsu"]["corloc"]
            progress.note(f"{cell.label}, seed {seed}: CorLoc at 0.5 {told['0.5']}, mean {told['mean']}")
        results[cell.name] = {"label": cell.label, "overrides": list(cell.overrides), "runs": scores}
    return {"cells": results}


def _find(finished: Sequence[FinishedRun], config: TrainingConfig, images: ImageSet) -> FinishedRun | None:
    wanted = essence(config)
    for run in finished:
        if run.config.run.seed == config.run.seed and essence(run.config) == wanted and trained_on(run, images):
            return run
    return None
