"""Rounding weights to 8 bits, and biases that make up for it.

Rounded weights shift the mean of what a convolution gives, since what it reads after a ReLU has a mean of its own; from
layer to layer the shifts add up. They are known from the mean input of each channel, and a bias takes them back at no
cost (Nagel, van Baalen, Blankevoort and Welling, "Data-Free Quantization Through Weight Equalization and Bias
Correction", ICCV 2019, section 4.2; here with means measured on the images that the ranges are calibrated on).
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

__all__ = ["correct_biases", "input_means", "mean_shift", "round_weights"]


def round_weights(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights as 8-bit integers, symmetric about 0, with a step for each channel, as ONNX Runtime rounds them.

    Args:
        weights: (C, ...) float32, C channels of results.

    Returns:
        The integers, of the same shape, and the steps, (C,): weights are about integers times steps.
    """
    largest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
    steps = np.maximum(largest, np.finfo(np.float32).tiny) / np.float32(127)
    integers = np.rint(weights / steps.reshape(-1, *[1] * (weights.ndim - 1))).astype(np.int8)
    return integers, steps


def input_means(
    model: onnx.ModelProto, convolutions: Collection[str], images: Sequence[NDArray[np.float32]]
) -> dict[str, NDArray[np.float64]]:
    """Mean of each channel that a convolution reads, over images and pixels.

    Args:
        model: Model with the input `image`.
        convolutions: Names of the nodes.
        images: Network inputs, each (3, S, S) float32, at least one.

    Returns:
        By name of the node, (C,).
    """
    read = {node.name: node.input[0] for node in model.graph.node if node.name in convolutions}
    tensors = sorted(set(read.values()) - {"image"})
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_empty_tensor_value_info(tensor) for tensor in tensors)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    sums: dict[str, NDArray[np.float64]] = {}
    for image in images:
        values = zip([*tensors, "image"], [*session.run(tensors, {"image": image[None]}), image[None]], strict=True)
        for tensor, value in values:
            sums[tensor] = sums.get(tensor, 0) + value.mean(axis=(0, *range(2, value.ndim)), dtype=np.float64)
    return {name: sums[tensor] / len(images) for name, tensor in read.items()}


def mean_shift(weights: NDArray[np.float32], mean: NDArray[np.float64]) -> NDArray[np.float32]:
    """By how much rounding its weights moves the mean of what a convolution gives, without the image's border.

    Args:
        weights: (C_out, C_in / groups, ...), with the sides of the kernel at the end.
        mean: (C_in,), the mean of each channel it reads.

    Returns:
        (C_out,).
    """
    integers, steps = round_weights(weights)
    rounded = integers * steps.astype(np.float64).reshape(-1, *[1] * (weights.ndim - 1))
    error = (rounded - weights).reshape(*weights.shape[:2], -1).sum(axis=2)
    by_group = mean.reshape(-1, 1, error.shape[1])  # (groups, 1, C_in / groups)
    shift = (error.reshape(len(by_group), -1, error.shape[1]) * by_group).sum(axis=2)
    return np.asarray(shift.reshape(-1), dtype=np.float32)


def correct_biases(model: onnx.ModelProto, means: Mapping[str, NDArray[np.float64]]) -> None:
    """Take the shift of the mean off the biases of convolutions whose weights are going to be rounded, in place.

    A convolution without a bias is given one; one whose weights or bias are no constants is left alone.

    Args:
        model: The model with its float weights.
        means: Of each such convolution, by name of the node, what `input_means` gives.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.name not in means or not constants.keys() >= set(node.input[1:]):
            continue
        shift = mean_shift(numpy_helper.to_array(constants[node.input[1]]), means[node.name])
        # Under a name of its own, for a bias may belong to several.
        bias = numpy_helper.to_array(constants[node.input[2]]) if len(node.input) > 2 else np.zeros_like(shift)
        corrected = numpy_helper.from_array(bias - shift, f"{node.name}_corrected_bias")
        graph.initializer.append(corrected)
        del node.input[2:]
        node.input.append(corrected.name)
