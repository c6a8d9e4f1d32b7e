"""Putting the model file together: backbone, pooling, metadata."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from colocalization._version import __version__
from colocalization.metadata import METADATA_KEY, ModelMetadata, Precision
from model_export.errors import ExportError
from model_export.foreground.foreground_output import append_foreground
from model_export.graph_builder import GraphBuilder
from model_export.pooling_graph import append_pooling
from model_export.precision import halve, quantize
from model_export.source import NetworkSource
from training.backbones import Backbone
from training.description import describe_network

__all__ = ["ATTENTION", "FEATURES", "OPSET", "assemble", "build_model", "describe", "export_backbone", "is_nonnegative"]

FEATURES, ATTENTION = "features", "attention"
"""Names of the outputs."""

OPSET = 18
"""ONNX operator set: the first in which the reductions take their axes as an input, known to ONNX Runtime >= 1.14."""

_IR_VERSION = 9


class _BackboneGraph(nn.Module):
    """The backbone alone, with the graph's name for its input."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.backbone(image)
        return features


class _TapsGraph(nn.Module):
    """The backbone with the taps that a prior reads, after the features."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        *earlier, features = self.backbone.taps(image)
        return features, *earlier


def describe(source: NetworkSource, input_size: int, precision: Precision = "fp32") -> ModelMetadata:
    """The metadata of a network exported at an input size.

    Args:
        source: The network.
        input_size: Side of the square input, in pixels; a multiple of the backbone's stride.
        precision: Type of the backbone's weights.

    Raises:
        ExportError: The size is not a positive multiple of the stride.
    """
    stride = source.network.backbone.stride
    if input_size < stride or input_size % stride:
        raise ExportError(f"the input size must be a positive multiple of {stride} pixels, got {input_size}")
    about = describe_network(
        source.network, input_size, name=source.name, licence=source.licence, training_data=source.training_data
    )
    return replace(about, precision=precision)


def build_model(
    source: NetworkSource, metadata: ModelMetadata, calibration: Sequence[NDArray[np.float32]] = ()
) -> onnx.ModelProto:
    """Export the backbone with torch (batch normalisation folded) and append the pooling in ONNX operators.

    Args:
        source: The network.
        metadata: Its description, see `describe`.
        calibration: For int8, network inputs to calibrate on, each (3, S, S).

    Returns:
        A checked model with input `image` (N, 3, S, S) and outputs `attention` (N, h, w) and `features` (N, C, h, w),
        and `foreground` (N, h, w) where the source has a prior, all float32 with a free batch dimension N. It holds no
        name of a file or machine, and the same network gives the same bytes with the same library versions.

    Raises:
        ExportError: int8 has nothing to calibrate on.
    """
    channels = _tap_channels(source)
    backbone = export_backbone(source.network.backbone, metadata.input_size, taps=len(channels) - 1)
    pooling = GraphBuilder("pooling")
    append_pooling(
        pooling,
        source.network.pooling if source.network.config.at_test else None,
        FEATURES,
        metadata.channels,
        metadata.map_size,
        ATTENTION,
        nonnegative=is_nonnegative(backbone.graph),
        for_gpu=metadata.precision == "fp16",
    )
    if metadata.precision == "fp16":
        backbone = halve(backbone)
    elif metadata.precision == "int8":
        backbone = quantize(backbone, calibration)
    model = assemble(backbone, pooling, metadata)
    if source.prior is None:
        return model
    names = [*(_tap(index) for index in range(len(channels) - 1)), FEATURES]
    prior = source.prior
    return append_foreground(model, prior.discriminant, list(zip(names, channels, strict=True)), prior.learnt_on)


def _tap_channels(source: NetworkSource) -> tuple[int, ...]:
    """Number of channels of each tap that the source's prior reads; of the features alone where it has none.

    Raises:
        ExportError: The prior is of another network.
    """
    backbone = source.network.backbone
    if source.prior is None:
        return (backbone.channels,)
    side = 4 * backbone.stride
    with torch.no_grad():
        channels = tuple(tap.shape[1] for tap in backbone.taps(torch.zeros(1, 3, side, side)))
    if sum(channels) != len(source.prior.discriminant.direction):
        raise ExportError(
            f"the foreground prior reads {len(source.prior.discriminant.direction)} channels, and the stages of "
            f"{backbone.name} have {' + '.join(map(str, channels))}"
        )
    return channels


def _tap(index: int) -> str:
    """Name of a tap before the features."""
    return f"tap_{index}"


def assemble(backbone: onnx.ModelProto, pooling: GraphBuilder, metadata: ModelMetadata) -> onnx.ModelProto:
    """Put backbone, pooling and metadata together into one checked model.

    Args:
        backbone: As `export_backbone` gives it.
        pooling: Nodes that make the attention map out of the features.
        metadata: What the model will say about itself.
    """
    graph = helper.make_graph(
        [*backbone.graph.node, *pooling.nodes],
        metadata.name,
        [_tensor("image", 3, metadata.input_size, metadata.input_size)],
        [
            _tensor(ATTENTION, metadata.map_size, metadata.map_size),
            _tensor(FEATURES, metadata.channels, metadata.map_size, metadata.map_size),
        ],
        [*backbone.graph.initializer, *pooling.constants],
    )
    for node in graph.node:
        del node.metadata_props[:]  # torch notes the exporter's stack, with paths of this machine, on every node
        node.doc_string = ""
    whole = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="colocalize",
        producer_version=__version__,
    )
    helper.set_model_props(whole, {METADATA_KEY: metadata.to_json()})
    onnx.checker.check_model(whole, full_check=True)
    return whole


def is_nonnegative(graph: onnx.GraphProto) -> bool:
    """Whether the features come out of a ReLU, or of a clip from 0 on."""
    node = next(node for node in graph.node if FEATURES in node.output)
    if node.op_type != "Clip":
        return bool(node.op_type == "Relu")
    lower = next((tensor for tensor in graph.initializer if len(node.input) > 1 and tensor.name == node.input[1]), None)
    return lower is not None and bool(numpy_helper.to_array(lower) >= 0)


def _tensor(name: str, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *shape])


def export_backbone(backbone: nn.Module, input_size: int, *, taps: int = 0) -> onnx.ModelProto:
    """Export a backbone with torch, batch normalisation folded.

    Args:
        backbone: (N, 3, S, S) to (N, C, h, w).
        input_size: Side S of the input, in pixels.
        taps: How many of a `Backbone`'s taps come out too, before the features.

    Returns:
        A model with input `image`, output `features`, outputs `tap_0` and so on, and a free batch dimension.
    """
    example = torch.zeros(2, 3, input_size, input_size)
    graph = _TapsGraph(backbone) if taps and isinstance(backbone, Backbone) else _BackboneGraph(backbone)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it reports its own progress as warnings
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # deprecations inside torch, nothing a user could act on
        program = torch.onnx.export(
            graph.eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=[FEATURES, *(_tap(index) for index in range(taps))],
            dynamic_shapes={"image": {0: torch.export.Dim("batch")}},
            verbose=False,
        )
    if program is None:
        raise ExportError("torch's exporter gave no program")
    model: onnx.ModelProto = program.model_proto
    return model
