"""Lower precision for the backbone: half for GPUs, 8-bit integers for CPUs. The pooling after it stays in float32."""

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from model_export.bias_correction import correct_biases, input_means, mean_shift, round_weights
from model_export.errors import ExportError
from model_export.graph_builder import GraphBuilder

__all__ = ["halve", "quantize"]

_FLOAT_AT_START = 3
"""Convolutions from the input on that stay in float32. They see few channels at full resolution: no faster in 8 bits,
and what they lose is lost to all the others."""


def halve(backbone: onnx.ModelProto) -> onnx.ModelProto:
    """Convert weights and activations to float16; input and output stay float32."""
    half = OnnxModel(convert_float_to_float16(backbone, keep_io_types=True))
    half.topological_sort()  # the converter puts its casts at the end
    model: onnx.ModelProto = half.model
    return model


def quantize(backbone: onnx.ModelProto, images: Sequence[NDArray[np.float32]]) -> onnx.ModelProto:
    """Quantise convolutions to 8-bit integers: weights for each channel, activations by what they are on images.

    Static quantisation in ONNX's QDQ form (Jacob et al., CVPR 2018), by ONNX Runtime's own tool, of a network whose
    biases make up for the rounding of its weights, see `bias_correction`.

    Args:
        backbone: Model with the input `image`.
        images: Network inputs to calibrate on, each (3, S, S) float32, at least one; a dozen photographs are enough.

    Raises:
        ExportError: There is no image, or the network has too few convolutions.
    """
    if not images:
        raise ExportError("int8 needs at least one image to calibrate on")
    with tempfile.TemporaryDirectory(prefix="colocalize-") as folder:
        exported, inferred, quantized = (Path(folder) / f"{name}.onnx" for name in ("exported", "inferred", "int8"))
        onnx.save(backbone, exported)
        quant_pre_process(exported, inferred, skip_symbolic_shape=True)
        model = onnx.load(inferred)
        convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
        if len(convolutions) <= _FLOAT_AT_START + 1:
            raise ExportError(f"a network of {len(convolutions)} convolutions has none to quantise")
        last = _last_convolution(model.graph)
        kept = [*convolutions[:_FLOAT_AT_START], *_from_on(model.graph, last)]
        means = input_means(model, convolutions, images)
        correct_biases(model, {name: mean for name, mean in means.items() if name not in kept})
        _drop_unused(model.graph)
        onnx.save(model, inferred)
        quantize_static(
            inferred,
            quantized,
            _Images(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            op_types_to_quantize=["Conv", "Add", "Clip", "Relu"],
            nodes_to_exclude=kept,
        )
        model = onnx.load(quantized)
        _in_integers(model.graph, last, means[last])
        _drop_unused(model.graph)
        return model


def _in_integers(graph: onnx.GraphProto, last: str, mean: NDArray[np.float64]) -> None:
    """Calculate the convolution `last`, if it is one of 1 x 1, as a product of 8-bit integers with a float32 result.

    y = s_x s_w sum((x - z) w) + b: what it reads is 8-bit already, its weights become so, each channel of its own scale
    s_w; the sums are 32-bit integers. Other convolutions are left as they are. `mean` is that of each channel it reads.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    convolution = next(node for node in graph.node if node.name == last)
    source = next((node for node in graph.node if convolution.input[0] in node.output), None)
    weights, *biases = convolution.input[1:]
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in convolution.attribute}
    if (
        source is None or source.op_type != "DequantizeLinear" or not constants.keys() >= {weights, *biases}
        or constants[weights].shape[2:] != (1, 1) or attributes.get("group", 1) != 1
        or set(attributes.get("strides", [1])) != {1} or any(attributes.get("pads", [0]))
    ):  # fmt: skip
        return
    quantized, scale, zero = source.input
    rounded, steps = round_weights(constants[weights])
    offset = sum((constants[bias] for bias in biases), -mean_shift(constants[weights], mean))
    builder = GraphBuilder("last")
    rows = builder.add("Transpose", quantized, perm=[0, 2, 3, 1])  # (N, h, w, C)
    integers = builder.constant(np.ascontiguousarray(rounded[:, :, 0, 0].T))
    sums = builder.add("Cast", builder.add("MatMulInteger", rows, integers, zero), to=onnx.TensorProto.FLOAT)
    values = builder.add("Mul", sums, builder.constant((constants[scale] * steps).astype(np.float32)))
    values = builder.add("Add", values, builder.constant(offset))
    builder.add("Transpose", values, output=convolution.output[0], perm=[0, 3, 1, 2])
    at = list(graph.node).index(convolution)
    nodes = [*graph.node[:at], *builder.nodes, *graph.node[at + 1 :]]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(builder.constants)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove the nodes and constants that nothing reads any more."""
    outputs = {output.name for output in graph.output}
    while True:
        read = outputs.union(*(node.input for node in graph.node))
        unread = [node for node in graph.node if not read.intersection(node.output)]
        if not unread:
            break
        for node in unread:
            graph.node.remove(node)
    for constant in [constant for constant in graph.initializer if constant.name not in read]:
        graph.initializer.remove(constant)


class _Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, images: Sequence[NDArray[np.float32]]) -> None:
        self._left = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self._left, None)
        return None if image is None else {"image": image[None]}


def _from_on(graph: onnx.GraphProto, last: str) -> list[str]:
    """Names of the last convolution and the nodes that follow it, which stay in float32.

    With 256 values alone the features of a pixel would be full of ties, which PTAP has to sort. The convolution can
    still be calculated in integers, see `_in_integers`.
    """
    names, results = [], set[str]()
    for node in graph.node:  # in the order of calculation
        if node.name == last or not results.isdisjoint(node.input):
            results.update(node.output)
            names.append(node.name)
    return names


def _last_convolution(graph: onnx.GraphProto) -> str:
    """Name of the convolution whose results become the features: not one in a gate or a shortcut beside them.

    Back from the features, where values meet: the largest go on, for what a gate gives for a whole channel (SE, global
    context) or pixel is spread out; of a size, not what a sigmoid made; then those that more convolutions led to.
    """
    made = {output: node for node in graph.node for output in node.output}
    constants = {tensor.name for tensor in graph.initializer}
    depths: dict[str, int] = {source.name: 0 for source in graph.input if source.name not in constants}
    for node in graph.node:
        before = [depths[tensor] for tensor in node.input if tensor in depths]
        if before:
            depths.update(dict.fromkeys(node.output, max(before) + (node.op_type == "Conv")))
    sizes = {
        value.name: math.prod(dimension.dim_value or 1 for dimension in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input)
    }

    def rank(tensor: str) -> tuple[int, bool, int]:
        is_gate = tensor in made and made[tensor].op_type in ("Sigmoid", "HardSigmoid")
        return sizes.get(tensor, 0), not is_gate, depths[tensor]

    tensor = graph.output[0].name
    while tensor in made and made[tensor].op_type != "Conv":
        tensor = max((name for name in made[tensor].input if name in depths), key=rank, default="")
    if tensor not in made:
        raise ExportError("the features are not made by a convolution")
    return str(made[tensor].name)
