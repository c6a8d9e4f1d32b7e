"""Tiny saliency networks of rembg's kind."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 8


def write_saliency(
    path: Path,
    *,
    shape: tuple[int | str, ...] = (1, 3, SIDE, SIDE),
    out: tuple[int | str, ...] | None = None,
    kind: int = TensorProto.FLOAT,
    factor: float = 1.0,
    classes: int = 1,
) -> Path:
    """A network whose map, one or as many as classes, is the mean of its input's channels, times a factor."""
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "factor"], ["product"]),
        helper.make_node("Concat", ["product"] * classes, ["map"], axis=1),
    ]
    constants = [
        numpy_helper.from_array(np.array([1], np.int64), "axes"),
        numpy_helper.from_array(np.array(factor, np.float64 if kind == TensorProto.DOUBLE else np.float32), "factor"),
    ]
    graph = helper.make_graph(
        nodes,
        "saliency",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("map", kind, out or (1, classes, SIDE, SIDE))],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path
