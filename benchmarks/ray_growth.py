"""Whether the engine `ray` takes more memory, the further it comes in a set of many images."""

import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.parts import Part
from benchmarks.process_tree import Sample, watch
from benchmarks.ray_output import check_status, colocalize, ray_role, read_finished, read_names
from experiments.scale import link
from tests.colocalization.networks import write_network

__all__ = ["measure_growth", "tenths"]

_SIDE = 48
_DIFFERENT = 200
_SAMPLED_EVERY_S = 1.0


def measure_growth(images: Sequence[Path], count: int, workers: int, note: Callable[[str], None]) -> Part:
    """Score a large set over a network of nothing, so that rows come as fast as the engine can.

    Args:
        images: Photographs, made JPEG files of 48 x 48 and repeated under new names.
        count: Number of images.
        workers: Workers of the engine.
        note: Is told how it goes.

    Returns:
        `rows` and how many `different` names they have, `images_per_second`, and in `memory_mb`, for the largest
        `driver`, the largest `worker` and all of Ray's own processes together (`ray`), the medians of each tenth of
        the time between the first result and the last.

    Raises:
        TrainingError: The run fails.
    """
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place, "images"), Path(place, "out")
        _small_copies(images, folder, count)
        note(f"{count} images are there")
        model = write_network(Path(place, "tiny.onnx"))
        command = [*colocalize("score"), str(folder), "--out", str(out), "--mode", "attention", "--model", str(model)]
        command += ["--device", "cpu", "--engine", "ray", "--ray-workers", str(workers)]
        run = watch(command, every=_SAMPLED_EVERY_S, role=ray_role)
        check_status(run)
        finished = read_finished(out, run.began)
        names = list(read_names(out))
        start, end = finished[0][0], finished[-1][0]
        told: Part = {
            "what": "growth",
            "mode": "attention",
            "way": f"workers: {workers}",
            "images": count,
            "workers": workers,
            "rows": len(names),
            "different": len(set(names)),
            "seconds": round(run.seconds, 1),
            "images_per_second": round(sum(number for _, number in finished[1:]) / (end - start), 1),
            "memory_mb": tenths([sample for sample in run.samples if start <= sample.seconds <= end], start, end),
        }
        note(f"growth: {told}")
        return told


def tenths(samples: Sequence[Sample], start: float, end: float) -> dict[str, list[float]]:
    """Medians of the memory in each tenth of a time, in MB; of tenths without a sample there is none.

    Args:
        samples: What was seen in that time.
        start: Its beginning, in seconds since the start of the run.
        end: Its end.
    """
    parts: list[list[Mapping[str, float]]] = [[] for _ in range(10)]
    for sample in samples:
        parts[min(9, int(10 * (sample.seconds - start) / (end - start)))].append(_memory(sample))
    return {
        name: [round(statistics.median(one.get(name, 0.0) for one in part), 1) for part in parts if part]
        for name in ("driver", "worker", "ray")
    }


def _memory(sample: Sample) -> dict[str, Any]:
    memory = sample.memory
    return {name: (sum if name == "ray" else max)(values) for name, values in memory.items()}


def _small_copies(images: Sequence[Path], folder: Path, count: int) -> None:
    originals = folder.with_name("originals")
    originals.mkdir()
    for index, path in enumerate(images[:_DIFFERENT]):
        with Image.open(path) as image:
            image.convert("RGB").resize((_SIDE, _SIDE)).save(originals / f"{index:04d}.jpg", quality=90)
    sources = sorted(originals.iterdir())
    for index in range(count):
        below = folder / f"{index // 1000:04d}"
        below.mkdir(parents=True, exist_ok=True)
        link(sources[index % len(sources)], below / f"{index:07d}.jpg")
