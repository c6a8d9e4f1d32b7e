"""What options of ONNX Runtime's sessions change on the CPU, one by one, beside those in use."""

from collections.abc import Callable
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.timing import interleave, ratio
from colocalization.localizer import DEFAULT_MODEL

__all__ = ["measure_sessions"]


def _basic(options: onnxruntime.SessionOptions) -> None:
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC


def _unoptimised(options: onnxruntime.SessionOptions) -> None:
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


def _parallel(options: onnxruntime.SessionOptions) -> None:
    options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL


def _without_arena(options: onnxruntime.SessionOptions) -> None:
    options.enable_cpu_mem_arena = False


def _without_pattern(options: onnxruntime.SessionOptions) -> None:
    options.enable_mem_pattern = False


def _spinning(options: onnxruntime.SessionOptions) -> None:
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")


def _denormals(options: onnxruntime.SessionOptions) -> None:
    options.add_session_config_entry("session.set_denormal_as_zero", "1")


_CHANGES: dict[str, Callable[[onnxruntime.SessionOptions], None]] = {
    "threads that spin while they wait": _spinning,
    "basic optimisations alone": _basic,
    "no optimisations": _unoptimised,
    "operators side by side (`ORT_PARALLEL`)": _parallel,
    "no arena": _without_arena,
    "no memory pattern": _without_pattern,
    "denormals as zero": _denormals,
}


def measure_sessions(rounds: int, threads: int) -> dict[str, Any]:
    """Time of a run of the model in the box, batch 1, with one option changed, over that with the options in use.

    Args:
        rounds: Interleaved rounds.
        threads: Threads of an operator; 0: one for each core.

    Returns:
        By change, what `ratio` tells.
    """
    with as_file(files("colocalization") / "models" / DEFAULT_MODEL) as path:
        content = path.read_bytes()
    side = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).get_inputs()[0].shape[2]
    image = np.random.default_rng(0).standard_normal((1, 3, side, side), dtype=np.float32)
    calls = {"in use": _call(content, image, threads)}
    calls |= {name: _call(content, image, threads, change) for name, change in _CHANGES.items()}
    times = interleave(calls, rounds)
    return {name: ratio(times, name, "in use") for name in _CHANGES}


def _call(
    content: bytes,
    image: NDArray[np.float32],
    threads: int,
    change: Callable[[onnxruntime.SessionOptions], None] | None = None,
) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # As `colocalization.engine.OnnxEngine` sets it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if change is not None:
        change(options)
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"image": image})
