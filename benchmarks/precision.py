"""What lower precision gains in speed and loses in quality: 8-bit integers on the CPU, 16-bit floats on CUDA."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.devices import MeasuredDevice
from benchmarks.parts import Part
from benchmarks.timing import interleave, ratio
from colocalization.localizer import Localizer
from experiments.scores import best_iou, summarise
from experiments.sets import EvaluationSet

__all__ = ["measure_precision"]

_BATCHES = (1, 16)
_PRECISIONS: dict[MeasuredDevice, str] = {"cpu": "int8", "cuda": "fp16"}


def measure_precision(
    sets: list[EvaluationSet],
    images: list[Path],
    folder: Path,
    rounds: int,
    threads: int,
    note: Callable[[str], None],
    device: MeasuredDevice = "cpu",
) -> Part:
    """Export the model in the box as int8, on CUDA as fp16, time both, and score both as `Localizer` does by default.

    Args:
        sets: Images with boxes.
        images: Photographs to time on.
        folder: Where the model goes.
        rounds: Rounds of the timing.
        threads: Threads of the network.
        note: Is told how it goes.
        device: Where to run.

    Returns:
        `device`, `precision`, `speed` by batch over that of fp32, `scores` of both, and the `bytes` of the file.

    Raises:
        ProviderError: The device cannot be used.
    """
    precision = _PRECISIONS[device]
    model = folder / f"{precision}.onnx"
    command = [
        sys.executable,
        "-m",
        "colocalization.commands.main",
        "export",
        "imagenet:tf_efficientnet_lite0",
        "--out",
        str(model),
    ]
    subprocess.run([*command, "--parity-images", "examples/images", "--precision", precision], check=True)
    models = {"fp32": None, precision: model}
    timed = {name: _load(path, device, threads) for name, path in models.items()}
    prepared = [timed["fp32"].prepare(image) for image in images]
    speed = {}
    for batch in _BATCHES:
        some = prepared[:batch]
        times = interleave({name: partial(engine.run, some) for name, engine in timed.items()}, rounds)
        speed[batch] = ratio(times, "fp32", precision)
        note(f"{device}, batch {batch}: {precision} has {speed[batch]['ratio']} times the speed of fp32")
    with ThreadPoolExecutor() as pool:  # each on one thread of its own
        scored = {name: pool.submit(_score, path, sets, device) for name, path in models.items()}
        scores = {name: future.result() for name, future in scored.items()}
    note(f"CorLoc: { ({name: score['mean over sets']['corloc'] for name, score in scores.items()}) }")
    told = {"device": device, "precision": precision, "speed": speed, "scores": scores}
    return {**told, "bytes": model.stat().st_size}


def _load(model: Path | None, device: MeasuredDevice, threads: int) -> Localizer:
    return Localizer.load(model, device=device, require_gpu=device == "cuda", threads=threads)


def _score(model: Path | None, sets: list[EvaluationSet], device: MeasuredDevice) -> dict[str, Any]:
    localizer = _load(model, device, 1)
    ious: dict[str, list[float]] = {}
    for members in sets:
        found = localizer.localize([image.path for image in members.images])
        boxes = [result.boxes[0].as_tuple() if result.boxes else None for result in found.images]
        ious[members.name] = [best_iou(box, image.boxes) for box, image in zip(boxes, members.images, strict=True)]
    groups, whole = summarise(ious, {members.name: members.group for members in sets})
    return {"mean over sets": whole.to_json(), **{name: summary.to_json() for name, summary in groups.items()}}
