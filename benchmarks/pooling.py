"""What PTAP adds to the forward pass, and that it is exact."""

import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from benchmarks.devices import MeasuredDevice
from benchmarks.networks import CASES, network_inputs, pooling_models
from benchmarks.parts import Part
from benchmarks.timing import interleave, ratio
from colocalization.engine import NetworkOutput, OnnxEngine
from model_export.graph import OPSET
from model_export.graph_builder import GraphBuilder
from model_export.pooling_graph import append_pooling
from training.pooling import AttentionPooling, top_count

__all__ = ["BATCHES", "measure_equality", "measure_pooling"]

BATCHES = (1, 16)

_SESSIONS = 10
"""How often all sessions of a case are made anew: where one's memory comes to lie moves its time by a percent."""


def measure_pooling(
    images: list[Path],
    rounds: int,
    threads: int,
    note: Callable[[str], None],
    *,
    only: Sequence[str] = (),
    batches: Sequence[int] = BATCHES,
    devices: Sequence[MeasuredDevice] = ("cpu",),
) -> Iterator[Part]:
    """Forward time with every pooling over the forward time with a plain channel mean, run as the service runs it.

    Args:
        images: Photographs, at least the largest batch.
        rounds: Rounds of each comparison, shared out among sessions that are made anew.
        threads: Threads of the network; 0: one for each core.
        note: Is told how it goes.
        only: Parts of the names of the cases to measure; empty: all.
        batches: Images in a run.
        devices: Where to run.

    Yields:
        For each `case`, `device` and `batch`: `features`, what they are like, `threads`, `sessions`, how often all were
        made anew, and `poolings`, by name what `ratio` tells.

    Raises:
        ProviderError: A device cannot be used.
    """
    for case in (case for case in CASES if not only or any(part in case.name for part in only)):
        inputs = network_inputs(images[: max(BATCHES)], case.size)
        contents, features = pooling_models(case, inputs)
        with tempfile.TemporaryDirectory() as folder:
            models = {name: Path(folder) / f"{name}.onnx" for name in contents}
            for name, path in models.items():
                path.write_bytes(contents[name])
            for device, batch in itertools.product(devices, batches):
                told = _compare(models, inputs[:batch] if batch > 1 else inputs, batch, rounds, threads, device)
                ratios = ", ".join(f"{name} {ratio['ratio']}" for name, ratio in told.items())
                note(f"{case.name}, {device}, batch {batch}: {ratios}")
                yield {
                    "case": case.name,
                    "device": device,
                    "batch": batch,
                    "features": features,
                    "threads": threads,
                    "sessions": _SESSIONS,
                    "poolings": told,
                }


_SELDOM = ("product", "gated", "topk", "given")


def _compare(
    models: dict[str, Path], images: NDArray[np.float32], batch: int, rounds: int, threads: int, device: MeasuredDevice
) -> dict[str, Any]:
    block = -(-rounds // _SESSIONS)
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(_SESSIONS):
        calls = {name: _call(path, images, batch, threads, device) for name, path in models.items()}
        for name, some in interleave(calls, block, seldom=_SELDOM, every=-(-block // 2)).items():
            times[name] += some
    return {name: ratio(times, name, "mean", block=block) for name in models if name != "mean"}


def _call(
    model: Path, images: NDArray[np.float32], batch: int, threads: int, device: MeasuredDevice
) -> Callable[[], NetworkOutput]:
    engine = OnnxEngine(model, device=device, require_gpu=device == "cuda", threads=threads)
    turn = iter(range(10**9))

    def run() -> NetworkOutput:
        return engine.run(images if batch == len(images) else images[[next(turn) % len(images)]])

    return run


def _session(content: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as in use, and not into the next turn
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def measure_equality(cases: int, note: Callable[[str], None]) -> dict[str, Any]:
    """The pooling in the graph against float64 numpy, on feature maps of many kinds.

    Feature maps of which float32 cannot tell which channels come first are left out of the channel-wise ones.

    Returns:
        By kind of pooling, the number of `cases` (feature maps) and the `worst` error, relative to the largest
        magnitude of the feature map; for `ptap` of the k values that the pixel's result is the mean of.
    """
    random = np.random.default_rng(0)
    results: dict[str, dict[str, Any]] = {
        kind: {"cases": 0, "worst": 0.0} for kind in ("ptap", "channel", "max", "avg")
    }
    each = 25
    while sum(result["cases"] for result in results.values()) < cases:
        for kind, told in results.items():
            channels, cells = int(random.choice([3, 16, 64, 320, 1280])), int(random.integers(1, 5))
            share = float(random.uniform(0.02, 1.0))
            content = _CONTENTS[int(random.integers(len(_CONTENTS)))]
            k = top_count(share, channels)
            features = np.asarray(content(random, (each, channels, cells, cells)), np.float32)
            if random.random() < 0.1:
                features = _with_a_gap(random, features, k)
            nonnegative = bool((features >= 0).all())
            session = _pooling_session(kind, share, channels, cells, nonnegative)
            (found,) = session.run(None, {"features": features})
            error = np.abs(found - _reference(features, kind, k))
            scale = _scale(features, kind, k)
            relative = np.where(scale > 0, error / np.where(scale > 0, scale, 1), error).max(axis=(1, 2))
            clear = _is_clear(features, kind, k)
            told["cases"] += int(clear.sum())
            told["worst"] = max(told["worst"], float(relative[clear].max(initial=0.0)))
    for kind, told in results.items():
        told["worst"] = float(f"{told['worst']:.2g}")
        note(f"{kind}: {told['cases']} feature maps, worst relative error {told['worst']}")
    return results


def _pooling_session(
    kind: Any, share: float, channels: int, cells: int, nonnegative: bool
) -> onnxruntime.InferenceSession:
    graph = GraphBuilder("pooling")
    pooling = AttentionPooling(kind, share, gate=False)
    append_pooling(graph, pooling, "features", channels, cells, "attention", nonnegative=nonnegative)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "pooling",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", channels, cells, cells])],
            [helper.make_tensor_value_info("attention", TensorProto.FLOAT, ["batch", cells, cells])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
    )
    return _session(model.SerializeToString(), 1)


Shape = tuple[int, int, int, int]
Random = np.random.Generator


def _extreme(random: Random, shape: Shape) -> NDArray[np.float64]:
    return np.asarray(random.standard_normal(shape) * 10.0 ** random.integers(-30, 30, shape))


_CONTENTS: tuple[Callable[[Random, Shape], NDArray[Any]], ...] = (
    lambda random, shape: random.standard_normal(shape),
    lambda random, shape: np.maximum(random.standard_normal(shape) - 1.3, 0),  # about a tenth positive
    lambda random, shape: np.maximum(random.standard_normal(shape) + 1.3, 0),
    lambda random, shape: -np.abs(random.standard_normal(shape)) - 0.1,
    lambda random, shape: np.full(shape, random.standard_normal()),
    lambda _, shape: np.zeros(shape),
    lambda random, shape: random.integers(-2, 3, shape),  # ties
    lambda random, shape: random.lognormal(0, 3, shape),
    lambda random, shape: random.standard_normal(shape) + 1e3,
    lambda random, shape: random.standard_normal(shape) * 1e36,
    lambda random, shape: random.standard_normal(shape) * 1e-30,
    _extreme,
)


def _with_a_gap(random: Random, features: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Put all but each pixel's k largest far below them."""
    ranks = np.argsort(np.argsort(-features, axis=1), axis=1)
    distance = np.abs(features).max(initial=0) * 10.0 ** random.integers(1, 8)
    return np.where(ranks < k, features, -min(float(distance), 3e38)).astype(np.float32)


def _scale(features: NDArray[np.float32], kind: str, k: int) -> NDArray[np.float64]:
    exact = features.astype(np.float64)
    if kind == "ptap":
        return np.asarray(np.abs(np.sort(exact, axis=1)[:, -k:]).max(axis=1))
    return np.asarray(np.abs(exact).max(axis=(1, 2, 3)).reshape(-1, 1, 1))


def _reference(features: NDArray[np.float32], kind: str, k: int) -> NDArray[np.float64]:
    exact = features.astype(np.float64)
    if kind in ("max", "avg"):
        return np.asarray(exact.max(axis=1) if kind == "max" else exact.mean(axis=1))
    if kind == "ptap":
        return np.asarray(np.sort(exact, axis=1)[:, -k:].mean(axis=1))
    order = np.argsort(-exact.mean(axis=(2, 3)), axis=1, kind="stable")[:, :k]
    return np.asarray(np.take_along_axis(exact, order[:, :, None, None], axis=1).mean(axis=1))


def _is_clear(features: NDArray[np.float32], kind: str, k: int) -> NDArray[np.bool_]:
    """Whether float32 and float64 must choose the same channels, for each feature map."""
    if kind != "channel" or k == features.shape[1]:
        return np.ones(len(features), bool)
    priority = -np.sort(-features.astype(np.float64).mean(axis=(2, 3)), axis=1)
    return np.asarray(priority[:, k - 1] - priority[:, k] > 1e-5 * np.abs(features).max(axis=(1, 2, 3)))
