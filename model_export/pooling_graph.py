"""The attention poolings as plain ONNX operators, so that every execution provider runs them.

Each function appends nodes to a `GraphBuilder` and returns the name of the resulting tensor. They are the equations of
`training.pooling`, and the parity check holds them against it.
"""

from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from training.pooling import AttentionPooling, top_count

__all__ = ["GraphBuilder", "append_pooling"]


@dataclass
class GraphBuilder:
    """Nodes and constants of a graph in the making, with unique names.

    Attributes:
        prefix: Start of every name, so that they do not meet those of the network.
        nodes: The nodes in order.
        constants: The constant tensors.
    """

    prefix: str
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, values: NDArray[np.generic]) -> str:
        """Add a constant tensor and return its name."""
        name = f"{self.prefix}_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def axes(self, *axes: int) -> str:
        """Add a list of axes (or any small integers) as int64 and return its name."""
        return self.constant(np.asarray(axes, dtype=np.int64))

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: object) -> str:
        """Add a node with one output of interest and return that output's name."""
        name = output or f"{self.prefix}_{len(self.nodes)}_{operator}"
        # TopK also gives indices; naming every output keeps the checker content.
        outputs = [name, f"{name}_indices"] if operator == "TopK" else [name]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, name=f"node_{name}", **attributes))
        return name


def append_pooling(
    graph: GraphBuilder, pooling: AttentionPooling | None, features: str, channels: int, cells: int, output: str
) -> None:
    """Append gate and pooling.

    Args:
        graph: The graph to append to.
        pooling: The pooling of the network, or None for the plain channel mean.
        features: Name of the feature map, (N, C, h, w).
        channels: Number of channels C.
        cells: Side h = w of the map.
        output: Name of the attention map, (N, h, w).
    """
    if pooling is None:
        graph.add("ReduceMean", features, graph.axes(1), output=output, keepdims=0)
        return
    weighted = features if pooling.gate is None else _gate(graph, pooling, features)
    k = top_count(pooling.share, channels)
    if pooling.kind == "avg" or (pooling.kind != "max" and k == channels):
        graph.add("ReduceMean", weighted, graph.axes(1), output=output, keepdims=0)
    elif pooling.kind == "max" or (pooling.kind == "ptap" and k == 1):
        graph.add("ReduceMax", weighted, graph.axes(1), output=output, keepdims=0)
    elif pooling.kind == "ptap":
        _pixelwise_topk_mean(graph, weighted, k, channels, cells, output)
    else:
        _channelwise_topk_mean(graph, weighted, k, output)


def _gate(graph: GraphBuilder, pooling: AttentionPooling, features: str) -> str:
    """F_w = sigmoid(conv1d(GAP(F))) * F, the reconstruction of `training.pooling.ChannelGate`."""
    assert pooling.gate is not None  # noqa: S101  (the caller's case, for the type checker)
    kernel = pooling.gate.conv.weight.detach().cpu().numpy().astype(np.float32)  # (1, 1, size)
    pooled = graph.add("ReduceMean", features, graph.axes(2, 3), keepdims=0)
    row = graph.add("Unsqueeze", pooled, graph.axes(1))
    half = kernel.shape[2] // 2
    convolved = graph.add("Conv", row, graph.constant(kernel), pads=[half, half])
    gate = graph.add("Sigmoid", convolved)
    column = graph.add("Transpose", gate, perm=[0, 2, 1])
    return graph.add("Mul", features, graph.add("Unsqueeze", column, graph.axes(3)))


def _pixelwise_topk_mean(graph: GraphBuilder, weighted: str, k: int, channels: int, cells: int, output: str) -> None:
    """Mean of the k largest channels at each pixel.

    TopK selects about three times as fast along the last, contiguous axis as along the channels of NCHW.
    """
    flat = graph.add("Reshape", weighted, graph.axes(0, channels, cells * cells))
    pixels = graph.add("Transpose", flat, perm=[0, 2, 1])
    largest = graph.add("TopK", pixels, graph.axes(k), axis=2, largest=1, sorted=0)
    mean = graph.add("ReduceMean", largest, graph.axes(2), keepdims=0)
    graph.add("Reshape", mean, graph.axes(0, cells, cells), output=output)


def _channelwise_topk_mean(graph: GraphBuilder, weighted: str, k: int, output: str) -> None:
    """Mean over the k channels of largest spatial mean: a 0/1 choice of channels, then a weighted sum."""
    priority = graph.add("ReduceMean", weighted, graph.axes(2, 3), keepdims=0)
    graph.add("TopK", priority, graph.axes(k), output=f"{graph.prefix}_chosen", axis=1, largest=1, sorted=0)
    zeros = graph.add("Mul", priority, graph.constant(np.zeros((), np.float32)))
    ones = graph.add(
        "Expand", graph.constant(np.full((), 1 / k, np.float32)), graph.add("Shape", f"{graph.prefix}_chosen")
    )
    weights = graph.add("ScatterElements", zeros, f"{graph.prefix}_chosen_indices", ones, axis=1)
    column = graph.add("Unsqueeze", weights, graph.axes(2, 3))
    product = graph.add("Mul", weighted, column)
    graph.add("ReduceSum", product, graph.axes(1), output=output, keepdims=0)
