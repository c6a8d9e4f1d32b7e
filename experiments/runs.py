"""Training runs of an experiment: found finished, or trained; scored from their chosen checkpoint.

A run is recognised by its settings and its images, not by its folder's name, so that runs that were trained by hand
with `colocalize train` count as well, and experiments share them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from colocalization.maps import min_max, otsu_threshold
from experiments.maxboxacc import MaxBoxAcc
from experiments.peers.mean import psynet_box
from experiments.scores import best_iou, pack_ious, summarise
from training.build import choose_device, load_network
from training.checkpoint import read_checkpoint
from training.config import TrainingConfig
from training.datasets import ImageSet
from training.errors import TrainingError
from training.evaluate import Cut, attention_maps, evaluate, map_box
from training.loop import Trainer
from training.network import ColocalizationNet
from training.run_progress import RunProgress
from training.runlog import read_log

__all__ = ["FinishedRun", "essence", "find_runs", "score_run", "train_run"]

_FREE = {
    "run": ("seed", "device", "checkpoint_steps", "evaluate", "tensorboard"),
    "data": ("layout", "cache_mb", "workers"),
    "foreground": ("learn", "input_size"),
}
"""Settings that do not make another experiment."""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that went to its end.

    Attributes:
        folder: Its folder.
        config: Its settings.
        log: Its records, see `training.runlog`.
    """

    folder: Path
    config: TrainingConfig
    log: tuple[dict[str, Any], ...]


def essence(config: TrainingConfig) -> dict[str, Any]:
    """The settings that make a run what it is, whatever its seed and the machine; those without effect left out."""
    values = config.model_dump(mode="json")
    for section, names in _FREE.items():
        for name in names:
            del values[section][name]
    pooling = values["pooling"]
    if not (pooling["at_train"] or pooling["at_test"]):
        values["pooling"] = {"at_train": False, "at_test": False}
    elif pooling["kind"] in ("max", "avg"):
        del pooling["k"]
    if not config.loss.active:
        values["loss"] = {}
    return values


def find_runs(folder: Path) -> Iterator[FinishedRun]:
    """All finished runs below a folder.

    Raises:
        TrainingError: A run's log is damaged.
    """
    for path in sorted(folder.rglob("log.jsonl")):
        log = read_log(path)
        kinds = {record["kind"] for record in log}
        if {"start", "end"} <= kinds and (path.parent / "best.pt").is_file():
            start = next(record for record in log if record["kind"] == "start")
            yield FinishedRun(path.parent, TrainingConfig.model_validate(start["config"]), tuple(log))


def trained_on(run: FinishedRun, images: ImageSet) -> bool:
    """Whether a run's images are training images of this set."""
    names = {image.name for image in images.train}
    return set(read_checkpoint(run.folder / "best.pt").images) <= names


def train_run(config: TrainingConfig, images: ImageSet, folder: Path, progress: RunProgress) -> FinishedRun:
    """Train, or go on with a run that was stopped.

    Raises:
        TrainingError: The run cannot work, or its folder holds one with other settings.
    """
    Trainer(config, images.train, folder, labelled=images.labelled_test, resume=True, progress=progress).run()
    return FinishedRun(folder, config, tuple(read_log(folder / "log.jsonl")))


def score_run(run: FinishedRun, images: ImageSet, limit: int | None = None) -> dict[str, Any]:
    """Score the attention maps of a run's chosen epoch on the labelled test images.

    Args:
        run: The run.
        images: The data set.
        limit: Most images, the first ones; None: all.

    Returns:
        `seed`, `chosen_epoch`, `trained`: for each cut the scores and IoUs, `untrained`: the scores in the log before
        training, `max_box_acc_v2`, `training_images`: the scores by Otsu's cut on those of the training images that
        have boxes, and what the run cost.

    Raises:
        TrainingError: No test image has a box.
        ImageError: An image cannot be read.
    """
    labelled = images.labelled_test[:limit]
    if not labelled:
        raise TrainingError("the data set has no test image with a box")
    network, _ = load_network(run.folder / "best.pt")
    size, device = run.config.data.crop, choose_device("cpu")
    maps, sizes = attention_maps(network.to(device), labelled, size, device)
    set_threshold = otsu_threshold(np.stack([min_max(attention) for attention in maps]))
    ious: dict[Cut, list[float]] = {cut: [] for cut in get_args(Cut)}
    accuracy = MaxBoxAcc()
    for image, attention, (width, height) in zip(labelled, maps, sizes, strict=True):
        accuracy.add(attention, np.asarray(image.boxes) / (width, height, width, height))
        boxes = {
            "otsu": map_box(min_max(attention), width, height)[:1],
            "set_otsu": map_box(min_max(attention), width, height, set_threshold)[:1],
        }
        exact = psynet_box(attention, size)
        across, down = width / size, height / size
        boxes["psynet"] = [] if exact is None else [
            (exact[0] * across, exact[1] * down, exact[2] * across, exact[3] * down)
        ]  # fmt: skip
        for cut, values in ious.items():
            values.append(best_iou(boxes[cut][0] if boxes[cut] else None, image.boxes))
    end = next(record for record in run.log if record["kind"] == "end")
    return {
        "seed": run.config.run.seed,
        "chosen_epoch": end["chosen_epoch"],
        "trained": {
            cut: {**summarise({"test": values}, {"test": "test"})[1].to_json(), "iou_thousandths": pack_ious(values)}
            for cut, values in ious.items()
        },
        "max_box_acc_v2": round(accuracy.compute(), 2),
        "untrained": _untrained(run.log),
        "training_images": _on_training_images(network, images, size, device),
        "cost": _cost(run.log),
    }


def _on_training_images(
    network: ColocalizationNet, images: ImageSet, size: int, device: torch.device
) -> dict[str, float]:
    """What settings may be compared by, since it leaves the test boxes alone; empty where there are no boxes."""
    labelled = images.labelled_train
    if not labelled:
        return {}
    scores = evaluate(network, labelled, size, device)["otsu"]
    return {f"{at:g}": round(value, 2) for at, value in scores.at.items()} | {"mean": round(scores.mean, 2)}


def _untrained(log: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Scores before training by cut, from the log; empty where they were not measured."""
    return {
        record["cut"]: {
            name.removeprefix("corloc_"): round(value, 2)
            for name, value in record.items()
            if name.startswith("corloc_") or name == "mean"
        }
        for record in log
        if record["kind"] == "evaluation" and record["epoch"] == 0
    }


def _cost(log: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    epochs = [record for record in log if record["kind"] == "epoch"]
    if not epochs:
        return {}
    memory = [record["peak_memory_mb"] for record in epochs if record["peak_memory_mb"] is not None]
    return {
        "epochs": len(epochs),
        "seconds": round(sum(record["seconds"] for record in epochs), 1),
        "images_per_second": round(float(np.median([record["images_per_second"] for record in epochs])), 2),
        **{
            name: round(float(np.median([record[name] for record in epochs])), 3)
            for name in ("load_share", "forward_share", "backward_share")
        },
        "peak_memory_mb": round(max(memory)) if memory else None,
    }
