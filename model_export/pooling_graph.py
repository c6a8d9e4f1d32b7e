"""The attention poolings as plain ONNX operators, so that every execution provider runs them.

Each function appends nodes to a `GraphBuilder` and returns the name of the resulting tensor. They are the equations of
`training.pooling`, and the parity check holds them against it. Means over channels are matrix products, which ONNX
Runtime computes several times as fast as a reduction along that axis.
"""

from math import log2
from statistics import NormalDist

import numpy as np
from onnx import TensorProto

from model_export.graph_builder import GraphBuilder
from training.pooling import AttentionPooling, top_count

__all__ = ["append_pooling", "count_above", "mean_from_threshold"]

_POSITIVE = 127
"""What a positive channel counts, see `_most_positive`."""

_REACH = 1.0
"""How far, in standard deviations, the search for a pixel's threshold looks to either side of where it begins."""

_CANCELLING = 16.0
"""How many times the result its distance from the threshold is at most: as many times the rounding error. Pixels of
photographs are far from it."""


def append_pooling(
    graph: GraphBuilder,
    pooling: AttentionPooling | None,
    features: str,
    channels: int,
    cells: int,
    output: str,
    *,
    nonnegative: bool = False,
    for_gpu: bool = False,
) -> None:
    """Append gate and pooling.

    Args:
        graph: The graph to append to.
        pooling: The pooling of the network, or None for the plain channel mean.
        features: Name of the feature map, (N, C, h, w) float32.
        channels: Number of channels C.
        cells: Side h = w of the map.
        output: Name of the attention map, (N, h, w) float32.
        nonnegative: Whether no value of the features can be negative, as after a ReLU.
        for_gpu: Whether to choose what ONNX Runtime runs on CUDA, at some cost on the CPU.
    """
    flat = graph.add("Reshape", features, graph.axes(0, channels, cells * cells))
    gate = None if pooling is None or pooling.gate is None else _gate(graph, pooling, flat)
    kind = "avg" if pooling is None else pooling.kind
    k = channels if pooling is None else top_count(pooling.share, channels)
    result = f"{graph.prefix}_flat"
    if kind == "avg" or (kind != "max" and k == channels):
        _weighted_sum(graph, flat, gate, channels, channels, result)
    elif kind == "max" or (kind == "ptap" and k == 1):
        graph.add("ReduceMax", _weighted(graph, flat, gate), graph.axes(1), output=result, keepdims=1)
    elif kind == "channel":
        _channelwise_topk_mean(graph, flat, gate, k, channels, result)
    elif nonnegative:
        few = graph.add("LessOrEqual", _most_positive(graph, flat, channels, for_gpu), graph.number(k * _POSITIVE))
        then, otherwise = graph.branch("sum"), graph.branch("search")
        _weighted_sum(then, flat, gate, channels, k, f"{result}_sum")
        _pixelwise_topk_mean(otherwise, _weighted(otherwise, flat, gate), k, channels, f"{result}_search", for_gpu)
        graph.choose(few, (then, f"{result}_sum"), (otherwise, f"{result}_search"), result)
    else:
        _pixelwise_topk_mean(graph, _weighted(graph, flat, gate), k, channels, result, for_gpu)
    graph.add("Reshape", result, graph.axes(0, cells, cells), output=output)


def count_above(graph: GraphBuilder, values: str, threshold: str, channels: int, *, for_gpu: bool = False) -> str:
    """Append the count of the channels that exceed a threshold at each pixel.

    Args:
        graph: The graph to append to.
        values: Name of the features, (N, C, P) float32.
        threshold: Name of the thresholds, (N, 1, P) float32.
        channels: Number of channels C.
        for_gpu: See `append_pooling`.

    Returns:
        Name of the counts, (N, 1, P) float32.
    """
    mask = graph.add("Greater", values, threshold)
    return _channel_sum(graph, graph.add("Cast", mask, to=TensorProto.INT8), channels, for_gpu)


def mean_from_threshold(graph: GraphBuilder, values: str, threshold: str, k: int, channels: int) -> str:
    """Append (k t + sum(relu(x - t))) / k, which is the mean of the k largest where k values exceed t.

    Elsewhere it is larger: over t it is convex, and least at the k-th value.

    Args:
        graph: The graph to append to.
        values: Name of the features x, (N, C, P) float32.
        threshold: Name of the thresholds t, (N, 1, P) float32.
        k: Number of channels to average.
        channels: Number of channels C.

    Returns:
        Name of the result, (N, 1, P) float32.
    """
    excess = graph.add("Relu", graph.add("Sub", values, threshold))
    # Divided by k before it is summed, so that it cannot overflow.
    return graph.add("Add", graph.add("MatMul", _row(graph, channels, 1 / k), excess), threshold)


def _gate(graph: GraphBuilder, pooling: AttentionPooling, flat: str) -> str:
    """The gate, sigmoid(conv1d(GAP(F))), (N, 1, C); the reconstruction of `training.pooling.ChannelGate`."""
    assert pooling.gate is not None  # noqa: S101  (the caller's case, for the type checker)
    kernel = pooling.gate.conv.weight.detach().cpu().numpy().astype(np.float32)  # (1, 1, size)
    pooled = graph.add("ReduceMean", flat, graph.axes(2), keepdims=0)
    row = graph.add("Unsqueeze", pooled, graph.axes(1))
    half = kernel.shape[2] // 2
    return graph.add("Sigmoid", graph.add("Conv", row, graph.constant(kernel), pads=[half, half]))


def _weighted(graph: GraphBuilder, flat: str, gate: str | None) -> str:
    """F_w = g * F, (N, C, P)."""
    return flat if gate is None else graph.add("Mul", flat, graph.add("Transpose", gate, perm=[0, 2, 1]))


def _weighted_sum(graph: GraphBuilder, flat: str, gate: str | None, channels: int, k: int, output: str) -> None:
    """Sum of F_w over the channels, divided by k, (N, 1, P): gate and sum are one matrix product."""
    # A row, not a number: ONNX Runtime would move a scalar behind the sum, which could then overflow.
    share = _row(graph, channels, 1 / k)
    weights = share if gate is None else graph.add("Mul", gate, share)
    graph.add("MatMul", weights, flat, output=output)


def _row(graph: GraphBuilder, channels: int, value: float) -> str:
    return graph.constant(np.full((1, channels), value, np.float32))


def _channel_sum(graph: GraphBuilder, values: str, channels: int, for_gpu: bool) -> str:
    """Sum over the channels of (N, C, P) int8, (N, 1, P) float32: a quarter of the bytes to read, and exact."""
    # On CUDA both factors must be signed; on the CPU a signed first one takes two to four times the time.
    ones = graph.constant(np.ones((1, channels), np.int8 if for_gpu else np.uint8))
    return graph.add("Cast", graph.add("MatMulInteger", ones, values), to=TensorProto.FLOAT)


def _most_positive(graph: GraphBuilder, flat: str, channels: int, for_gpu: bool) -> str:
    """The largest number of positive channels that a pixel has, times 127, of features that are not negative.

    In 8-bit integers with the smallest normal number as their step every value from 2e-36 on is 127. ONNX Runtime
    shares this one pass out between threads, which it does not for a `Cast` to bool. Smaller values count less: where
    they alone exceed the k channels the sum is taken all the same, and 2e-36 (C - k) / k is the most that it is off.
    """
    step = graph.number(float(np.finfo(np.float32).tiny))
    signs = graph.add("QuantizeLinear", flat, step, graph.constant(np.zeros((), np.int8)))
    return graph.add("ReduceMax", _channel_sum(graph, signs, channels, for_gpu), keepdims=0)


def _pixelwise_topk_mean(graph: GraphBuilder, weighted: str, k: int, channels: int, output: str, for_gpu: bool) -> None:
    """Mean of the k largest channels at each pixel, (N, 1, P), without sorting all of them.

    The sum of the k largest is k t + sum(relu(x - t)) for every t that exactly k of the values exceed. Such a t is
    searched for each pixel, by interpolating between two thresholds that k lies between, from where it would be if
    the values were normally distributed; each step costs a comparison and a count. The few pixels that are left, and
    those with ties at the k-th value or a threshold far from the result, are sorted. So the result is exact, and only
    the time depends on the values.
    """
    normal = NormalDist()
    start = normal.inv_cdf(1 - k / channels)
    reach_count = _REACH * channels * normal.pdf(start)
    target = graph.number(k)
    mean = graph.add("MatMul", _row(graph, channels, 1 / channels), weighted)
    square = graph.add("MatMul", _row(graph, channels, 1 / channels), graph.add("Mul", weighted, weighted))
    variance = graph.add("Sub", square, graph.add("Mul", mean, mean))
    deviation = graph.add("Sqrt", graph.add("Relu", variance))
    threshold = graph.add("Add", mean, graph.add("Mul", deviation, graph.number(start)))
    reach = graph.add("Mul", deviation, graph.number(_REACH))
    low, high = graph.add("Sub", threshold, reach), graph.add("Add", threshold, reach)
    above_low, above_high = graph.number(k + reach_count), graph.number(k - reach_count)
    for step in range(_steps(channels)):
        if step:
            share = graph.add(
                "Div", graph.add("Sub", target, above_high), graph.add("Sub", above_low, above_high)
            )  # 0, and the threshold stays as it is, once k values exceed it
            threshold = graph.add("Sub", high, graph.add("Mul", graph.add("Sub", high, low), share))
        above = count_above(graph, weighted, threshold, channels, for_gpu=for_gpu)
        too_many = graph.add("Greater", above, target)
        low = graph.add("Where", too_many, threshold, low)
        above_low = graph.add("Where", too_many, above, above_low)
        high = graph.add("Where", too_many, high, threshold)
        above_high = graph.add("Where", too_many, above_high, above)
    searched = mean_from_threshold(graph, weighted, high, k, channels)
    # What cancels out costs digits; and inf or NaN is not less either.
    excess = graph.add("Sub", searched, high)
    precise = graph.add("Less", excess, graph.add("Mul", graph.add("Abs", searched), graph.number(_CANCELLING)))
    found = graph.add("And", graph.add("Equal", above_high, target), precise)
    _sort_the_rest(graph, weighted, found, searched, k, output)


def _steps(channels: int) -> int:
    """Steps of the search: each halves the pixels that are left, of which more channels leave more at the start."""
    return max(2, round(log2(channels)) - 1)


def _sort_the_rest(graph: GraphBuilder, weighted: str, found: str, searched: str, k: int, output: str) -> None:
    """Where a (N, 1, P) bool is false, put the mean of the k largest channels in place of the value searched for."""
    places = graph.add("Transpose", graph.add("NonZero", graph.add("Not", found)), perm=[1, 0])  # (n, 0, pixel)
    image_and_pixel = graph.add("Gather", places, graph.axes(0, 2), axis=1)
    rows = graph.add("GatherND", graph.add("Transpose", weighted, perm=[0, 2, 1]), image_and_pixel)
    largest = graph.add("TopK", rows, graph.axes(k), axis=1, largest=1, sorted=0)
    mean = graph.add("ReduceSum", graph.add("Mul", largest, graph.number(1 / k)), graph.axes(1), keepdims=0)
    graph.add("ScatterND", searched, places, mean, output=output)


def _channelwise_topk_mean(
    graph: GraphBuilder, flat: str, gate: str | None, k: int, channels: int, output: str
) -> None:
    """Mean over the k channels of largest spatial mean: a 0/1 choice of channels, then a weighted sum."""
    priority = graph.add("ReduceMean", _weighted(graph, flat, gate), graph.axes(2), keepdims=0)
    chosen = graph.add("TopK", priority, graph.axes(k), axis=1, largest=1, sorted=0)
    zeros = graph.add("Mul", priority, graph.number(0))
    ones = graph.add("Expand", graph.number(1), graph.add("Shape", chosen))
    chosen_ones = graph.add("ScatterElements", zeros, f"{chosen}_indices", ones, axis=1)
    row = graph.add("Unsqueeze", chosen_ones, graph.axes(1))
    _weighted_sum(graph, flat, row if gate is None else graph.add("Mul", row, gate), channels, k, output)
