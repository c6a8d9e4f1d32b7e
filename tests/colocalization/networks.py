"""Tiny ONNX files for the tests of the engine."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from colocalization.metadata import METADATA_KEY, ModelMetadata
from tests.dummy_engine import METADATA

__all__ = ["TINY", "write_network"]

TINY = replace(METADATA, input_size=4, map_size=4, channels=3)
"""A network whose features are its input and whose attention is their mean."""


def write_network(
    path: Path,
    metadata: ModelMetadata | None = TINY,
    *,
    size: int = 4,
    batch: str | int = "batch",
    kind: int = TensorProto.FLOAT,
    output: str = "attention",
) -> Path:
    """Write a network; what is changed from the defaults makes a file that must be refused."""
    shape = [batch, 3, size, size]
    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["image"], ["features"]),
            helper.make_node("ReduceMean", ["image", "axes"], [output], keepdims=0),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", kind, shape)],
        [
            helper.make_tensor_value_info(output, kind, [batch, size, size]),
            helper.make_tensor_value_info("features", kind, shape),
        ],
        [numpy_helper.from_array(np.array([1], dtype=np.int64), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if metadata is not None:
        helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    path.write_bytes(model.SerializeToString())
    return path
