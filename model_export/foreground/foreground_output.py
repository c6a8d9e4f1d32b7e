"""The foreground prior in ONNX operators."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper

from colocalization.discriminant import Discriminant
from colocalization.metadata import METADATA_KEY, ModelMetadata
from model_export.graph_builder import GraphBuilder

__all__ = ["FOREGROUND", "append_foreground", "metadata_of", "without_foreground"]

FOREGROUND = "foreground"
"""Name of the output, and start of the names of its nodes."""


def append_foreground(
    model: onnx.ModelProto, prior: Discriminant, taps: Sequence[tuple[str, int]], learnt_on: str
) -> onnx.ModelProto:
    """Give a model file the output `foreground`; one that it has is replaced.

    The discriminant's map (`Discriminant.bounded_map`) on the taps' descriptors one below another, each of unit length:
    sum_t w_t f_t / |f_t| along the channels, so that a tap costs one convolution to a single channel and a norm.

    Args:
        model: A file that `colocalize export` has written, of any precision.
        prior: The discriminant.
        taps: Name and number of channels of each tensor that it reads.
        learnt_on: What it was learnt on, for the metadata.

    Returns:
        A checked model with the output `foreground` (N, h, w) float32 [0, 1], cut at 0.5.
    """
    whole = without_foreground(model)
    builder = GraphBuilder(FOREGROUND)
    apart = prior.foreground - prior.background
    weights = prior.direction.astype(np.float64) / (2 * apart)
    total, start = "", 0
    for name, channels in taps:
        kernel = weights[start : start + channels].astype(np.float32).reshape(1, channels, 1, 1)
        projected = builder.add("Conv", name, builder.constant(kernel), kernel_shape=[1, 1])
        length = builder.add("ReduceL2", name, builder.axes(1), keepdims=1)
        length = builder.add("Max", length, builder.number(float(np.finfo(np.float32).tiny)))
        score = builder.add("Div", projected, length)
        total = builder.add("Add", total, score) if total else score
        start += channels
    total = builder.add("Add", total, builder.number(0.25 - prior.background / (2 * apart)))
    bounded = builder.add("Clip", total, builder.number(0.0), builder.number(1.0))
    builder.add("Squeeze", bounded, builder.axes(1), output=FOREGROUND)
    whole.graph.node.extend(builder.nodes)
    whole.graph.initializer.extend(builder.constants)
    metadata = metadata_of(whole)
    shape: list[str | int | None] = ["batch", metadata.map_size, metadata.map_size]
    whole.graph.output.append(helper.make_tensor_value_info(FOREGROUND, onnx.TensorProto.FLOAT, shape))
    _describe(whole, replace(metadata, foreground=True, foreground_data=learnt_on))
    onnx.checker.check_model(whole, full_check=True)
    return whole


def without_foreground(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a model without the output `foreground` and all that makes it."""
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    graph = plain.graph
    for values in (graph.output, graph.value_info):
        for value in [value for value in values if value.name.startswith(FOREGROUND)]:
            values.remove(value)
    for node in [node for node in graph.node if any(name.startswith(FOREGROUND) for name in node.output)]:
        graph.node.remove(node)
    for constant in [constant for constant in graph.initializer if constant.name.startswith(f"{FOREGROUND}_constant")]:
        graph.initializer.remove(constant)
    _describe(plain, replace(metadata_of(plain), foreground=False, foreground_data=""))
    return plain


def metadata_of(model: onnx.ModelProto) -> ModelMetadata:
    """What a model says about itself.

    Raises:
        ModelError: It says nothing that can be used.
    """
    return ModelMetadata.from_properties({entry.key: entry.value for entry in model.metadata_props})


def _describe(model: onnx.ModelProto, metadata: ModelMetadata) -> None:
    properties = {entry.key: entry.value for entry in model.metadata_props}
    del model.metadata_props[:]
    helper.set_model_props(model, {**properties, METADATA_KEY: metadata.to_json()})
