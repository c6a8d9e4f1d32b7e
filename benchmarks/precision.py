"""What lower precision gains in speed and loses in quality: 8-bit integers on the CPU, 16-bit floats on CUDA."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.devices import MeasuredDevice
from benchmarks.parts import Part
from benchmarks.timing import interleave, ratio
from colocalization.localizer import Localizer
from colocalization.model_choice import IN_THE_BOX, box_model
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
    """Time and score the model in the box in int8, on CUDA in fp16, beside fp32, as `Localizer` does by default.

    Args:
        sets: Images with boxes.
        images: Photographs to time on.
        folder: Where fp16 is exported to.
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
    with ExitStack() as stack:
        files = {name: stack.enter_context(box_model(name)) for name in IN_THE_BOX}
        models = {"fp32": files["fp32"], precision: files["int8"] if precision == "int8" else _halved(folder)}
        return _measured(models, sets, images, rounds, threads, note, device)


def _halved(folder: Path) -> Path:
    """The model in the box in 16-bit floats, which it does not come in."""
    model = folder / "fp16.onnx"
    command = [sys.executable, "-m", "colocalization.commands.main", "export", "imagenet:tf_efficientnet_lite0"]
    options = ["--out", str(model), "--parity-images", "examples/images", "--precision", "fp16"]
    subprocess.run([*command, *options], check=True)
    return model


def _measured(
    models: dict[str, Path],
    sets: list[EvaluationSet],
    images: list[Path],
    rounds: int,
    threads: int,
    note: Callable[[str], None],
    device: MeasuredDevice,
) -> Part:
    precision = _PRECISIONS[device]
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
    return {**told, "bytes": models[precision].stat().st_size}


def _load(model: Path, device: MeasuredDevice, threads: int) -> Localizer:
    return Localizer.load(model, device=device, require_gpu=device == "cuda", threads=threads)


def _score(model: Path, sets: list[EvaluationSet], device: MeasuredDevice) -> dict[str, Any]:
    localizer = _load(model, device, 1)
    ious: dict[str, list[float]] = {}
    for members in sets:
        found = localizer.localize([image.path for image in members.images])
        boxes = [result.boxes[0].as_tuple() if result.boxes else None for result in found.images]
        ious[members.name] = [best_iou(box, image.boxes) for box, image in zip(boxes, members.images, strict=True)]
    groups, whole = summarise(ious, {members.name: members.group for members in sets})
    return {"mean over sets": whole.to_json(), **{name: summary.to_json() for name, summary in groups.items()}}
