"""What 8-bit integers gain in speed and lose in quality."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.timing import interleave, ratio
from colocalization.localizer import Localizer
from training.experiments.scores import best_iou, summarise
from training.experiments.sets import EvaluationSet

__all__ = ["measure_precision"]

_BATCHES = (1, 16)


def measure_precision(
    sets: list[EvaluationSet],
    pictures: list[Path],
    folder: Path,
    rounds: int,
    threads: int,
    note: Callable[[str], None],
) -> dict[str, Any]:
    """Export the model in the box as int8, time both, and score both on the sets as `Localizer` does by default.

    Args:
        sets: Pictures with boxes.
        pictures: Photographs to time on.
        folder: Where the model goes.
        rounds: Rounds of the timing.
        threads: Threads of the network.
        note: Is told how it goes.
    """
    model = folder / "int8.onnx"
    command = [sys.executable, "-m", "service.cli", "export", "imagenet:tf_efficientnet_lite0", "--out", str(model)]
    subprocess.run([*command, "--parity-images", "examples/images", "--precision", "int8"], check=True)
    timed = {name: Localizer.load(path, device="cpu", threads=threads) for name, path in _models(model)}
    prepared = [timed["fp32"].prepare(picture) for picture in pictures]
    speed = {}
    for batch in _BATCHES:
        some = prepared[:batch]
        times = interleave({name: (lambda one=one, some=some: one.run(some)) for name, one in timed.items()}, rounds)
        speed[batch] = ratio(times, "fp32", "int8")
        note(f"batch {batch}: int8 has {speed[batch]['ratio']} times the speed of fp32")
    with ThreadPoolExecutor() as pool:  # each on one thread of its own
        scored = {name: pool.submit(_score, path, sets) for name, path in _models(model)}
        scores = {name: one.result() for name, one in scored.items()}
    note(f"CorLoc: { ({name: one['mean over sets']['corloc'] for name, one in scores.items()}) }")
    return {"speed": speed, "scores": scores, "bytes": model.stat().st_size}


def _models(int8: Path) -> list[tuple[str, Path | None]]:
    return [("fp32", None), ("int8", int8)]


def _score(model: Path | None, sets: list[EvaluationSet]) -> dict[str, Any]:
    localizer = Localizer.load(model, device="cpu", threads=1)
    ious: dict[str, list[float]] = {}
    for one in sets:
        found = localizer.localize([picture.path for picture in one.pictures])
        boxes = [result.boxes[0].as_tuple() if result.boxes else None for result in found.images]
        ious[one.name] = [best_iou(box, picture.boxes) for box, picture in zip(boxes, one.pictures, strict=True)]
    groups, whole = summarise(ious, {one.name: one.group for one in sets})
    return {"mean over sets": whole.to_json(), **{name: summary.to_json() for name, summary in groups.items()}}
