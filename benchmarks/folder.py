"""`colocalize score` on folders of photographs, beside the bare network; and where the network's time goes."""

import itertools
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from benchmarks.devices import default_engine
from benchmarks.parts import Part
from colocalization.cores import score_lanes
from colocalization.engine import OnnxEngine
from colocalization.localizer import DEFAULT_MODEL
from experiments.scale import link, score_folder

__all__ = ["MODES", "measure_folder", "measure_limits", "resized_copies"]

MODES = ("attention", "common")
_SIZE = (640, 480)
_DIFFERENT = 200


def resized_copies(images: Sequence[Path], originals: Path, folder: Path, count: int) -> None:
    """Fill a new folder with JPEG files of 640 x 480.

    Args:
        images: Photographs.
        originals: Folder for one file of each photograph; what is there already is not made again.
        folder: Folder for the files, the originals again and again under new names.
        count: How many there are to be.
    """
    if not originals.is_dir():
        originals.mkdir()
        for index, path in enumerate(images[:_DIFFERENT]):
            with Image.open(path) as image:
                image.convert("RGB").resize(_SIZE).save(originals / f"{index:04d}.jpg", quality=90)
    sources = sorted(originals.iterdir())
    folder.mkdir()
    for index in range(count):
        link(sources[index % len(sources)], folder / f"{index:06d}.jpg")


def measure_folder(
    images: list[Path],
    counts: list[int],
    cores: int,
    seconds: float,
    note: Callable[[str], None],
    modes: Sequence[str] = MODES,
) -> Iterator[Part]:
    """Score folders of JPEG files of 640 x 480 in both modes, each between two measurements of the bare network.

    The bare network is measured in two ways: one session, one run after the other, each in a thread for every core, as
    it comes; and as `score` runs it, see `score_lanes`, several runs side by side, which is faster.

    Args:
        images: Photographs, repeated under new names.
        counts: Numbers of images.
        cores: Cores to use.
        seconds: Length of each measurement of the bare network.
        note: Is told how it goes.
        modes: Modes of `score`.

    Yields:
        For each `mode` and `count` what `score_folder` tells, `images_per_second`, the `lanes` that `score` runs and
        their `threads`, and for `one session` and `side by side` in `bare_per_second` the mean of before and after and
        in `share` the share of it; in mode `common` of half of it, since there each image takes two runs.
    """
    with tempfile.TemporaryDirectory() as place:
        for mode, count in itertools.product(modes, counts):
            folder, out = Path(place) / f"{mode}-{count}", Path(place) / f"out-{mode}-{count}"
            resized_copies(images, Path(place) / "originals", folder, count)
            before = _bare_rates(cores, seconds)
            told: Part = score_folder(folder, out, count, "--mode", mode, "--device", "cpu")
            after = _bare_rates(cores, seconds)
            rate, runs = count / told["wall_seconds"], 2 if mode == "common" else 1
            bare = {name: (before[name] + after[name]) / 2 for name in before}
            told["images_per_second"] = round(rate, 2)
            told["bare_per_second"] = {name: round(speed, 2) for name, speed in bare.items()}
            told["share"] = {name: round(rate / speed * runs, 3) for name, speed in bare.items()}
            note(f"{mode}, {count} images: {told}")
            lanes, threads = score_lanes(cores)
            yield {"mode": mode, "count": count, "lanes": lanes, "threads": threads, **told}


def _bare_rates(cores: int, seconds: float) -> dict[str, float]:
    lanes, threads = score_lanes(cores)
    return {"one session": _bare_rate(1, cores, seconds), "side by side": _bare_rate(lanes, threads, seconds)}


def _bare_rate(lanes: int, threads: int, seconds: float) -> float:
    """Images a second of the network alone, in so many runs of one image side by side, with so many threads."""
    engine = default_engine(threads)
    side = engine.metadata.input_size
    image = np.random.default_rng(0).standard_normal((1, 3, side, side), dtype=np.float32)
    end = time.perf_counter() + seconds

    def work() -> int:
        runs = 0
        while time.perf_counter() < end:
            engine.run(image)
            runs += 1
        return runs

    begin = time.perf_counter()
    with ThreadPoolExecutor(lanes) as pool:
        runs = sum(task.result() for task in [pool.submit(work) for _ in range(lanes)])
    return runs / (time.perf_counter() - begin)


def measure_limits(rounds: int) -> dict[str, Any]:
    """Multiply-adds of the model in the box, beside what one core does in a large matrix product; time by operator."""
    with as_file(files("colocalization") / "models" / DEFAULT_MODEL) as path:
        model = onnx.load(path)
        engine = OnnxEngine(path, device="cpu", threads=1)
        operators = _time_by_operator(path, engine.metadata.input_size, rounds)
    multiply_adds = _multiply_adds(model)
    side = engine.metadata.input_size
    image = np.zeros((1, 3, side, side), np.float32)
    network = _median_seconds(lambda: engine.run(image), rounds)
    product, order = _matrix_product()
    peak = order**3 / _median_seconds(product, rounds)
    return {
        "multiply_adds": multiply_adds,
        "network_ms": round(network * 1e3, 2),
        "network_giga_per_second": round(multiply_adds / network / 1e9, 1),
        "matrix_product_giga_per_second": round(peak / 1e9, 1),
        "least_ms": round(multiply_adds / peak * 1e3, 2),
        "operators_ms": operators,
    }


def _median_seconds(call: Callable[[], object], rounds: int) -> float:
    call()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def _multiply_adds(model: onnx.ModelProto) -> int:
    """Multiply-adds of the convolutions for one image."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dimension.dim_value or 1 for dimension in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.output)
    }
    weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    return sum(int(np.prod(shapes[node.output[0]][1:]) * np.prod(weights[node.input[1]][1:])) for node in convolutions)


def _matrix_product() -> tuple[Callable[[], object], int]:
    order = 1024
    values = np.random.default_rng(0).standard_normal((order, order)).astype(np.float32)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [order, order])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [order, order])
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "product", [value], [out], [numpy_helper.from_array(values, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": values}), order


def _time_by_operator(model: Path, side: int, rounds: int) -> dict[str, float]:
    """Milliseconds an image of the operators that take most, on one thread, by ONNX Runtime's profiler."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        image = np.zeros((1, 3, side, side), np.float32)
        for _ in range(rounds):
            session.run(None, {"image": image})
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    times: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("kernel_time"):
            times[event["args"]["op_name"]] += event["dur"] / rounds / 1e3
    return {name: round(value, 3) for name, value in times.most_common(8)}
