"""The networks that poolings are compared on, as ONNX models that differ in the pooling alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from colocalization.images import decode
from colocalization.transform import InputTransform
from model_export.graph import ATTENTION, FEATURES, assemble, describe, export_backbone, is_nonnegative
from model_export.graph_builder import GraphBuilder
from model_export.pooling_graph import append_pooling, count_above, mean_from_threshold
from model_export.source import NetworkSource
from training.backbones import Backbone, create_backbone
from training.config import PoolingConfig
from training.network import ColocalizationNet
from training.pooling import AttentionPooling, top_count

__all__ = ["CASES", "Case", "network_inputs", "pooling_models"]

_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Case:
    """A network to pool.

    Attributes:
        name: What it is called.
        backbone: timm's name.
        weights: `imagenet` or `none` (random).
        size: Side of the input, in pixels.
        positive: Share of positive features, made by a shift before the last ReLU; None: as the network has them.
        linear: Whether the features are those of the linear last block, as in the model in the box.
    """

    name: str
    backbone: str
    weights: str
    size: int
    positive: float | None
    linear: bool = False


CASES = (
    Case("Lite0, 320 px, features as they are", "tf_efficientnet_lite0", "imagenet", 320, None),
    Case("Lite0, 320 px, dense features", "tf_efficientnet_lite0", "imagenet", 320, 0.9),
    Case("SE-ResNet50, 224 px, sparse features", "seresnet50", "none", 224, 0.1),
    Case("SE-ResNet50, 224 px, dense features", "seresnet50", "none", 224, 0.9),
    Case("the model in the box: Lite0, 448 px, signed features", "tf_efficientnet_lite0", "imagenet", 448, None, True),
)
"""Real photographs leave about a tenth of the features positive after a ReLU, as in the first case; random weights
leave half, so there the sparsity is made."""


class _Shifted(nn.Module):
    """A linear feature map, shifted and cut at 0."""

    def __init__(self, linear: nn.Module, shift: float) -> None:
        super().__init__()
        self.linear = linear
        self.shift = shift

    def forward(self, images: Tensor) -> Tensor:
        return torch.relu(self.linear(images) + self.shift)


def network_inputs(images: list[Path], size: int) -> NDArray[np.float32]:
    """Inputs of EfficientNet-Lite0, (N, 3, size, size); good enough for random weights too."""
    transform = InputTransform(size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    return np.stack([transform(decode(image).rgb) for image in images])


def pooling_models(case: Case, images: NDArray[np.float32]) -> tuple[dict[str, bytes], dict[str, float]]:
    """Models of a case with every pooling, and what its features are like.

    Args:
        case: The network.
        images: (N, 3, S, S), on which the shift is made.

    Returns:
        Serialised models by name: `mean` is ReduceMean over the channels, as torch exports it, `product` the same mean
        as a matrix product, `ptap` and `gated` what `colocalize export` writes without and with a gate, `topk` a plain
        TopK over the channels, `given` the sum and the count that prove a PTAP whose thresholds are known beforehand;
        and of the features the shares that are `positive` and `negative`, and `most_positive`, the largest share of
        positive channels that a pixel has.
    """
    torch.manual_seed(0)
    network, features = _network(case, torch.from_numpy(images))
    found = {
        "positive": round(float((features > 0).float().mean()), 4),
        "negative": round(float((features < 0).float().mean()), 4),
        "most_positive": round(float((features > 0).float().mean(dim=1).max()), 4),
    }
    channels = features.shape[1]
    backbone = create_backbone(case.backbone, "block" if case.linear else "head", "none")
    net = ColocalizationNet(backbone, {}, PoolingConfig(k=_SHARE, gate=False))
    source = NetworkSource(net, case.name, "none", "nothing")
    metadata = replace(describe(source, case.size), channels=channels)
    exported = export_backbone(network, case.size)

    def export(append: Callable[[GraphBuilder], None]) -> bytes:
        graph = GraphBuilder("pooling")
        append(graph)
        model = onnx.ModelProto()
        model.CopyFrom(exported)
        return bytes(assemble(model, graph, metadata).SerializeToString())

    def ours(pooling: AttentionPooling | None) -> bytes:
        return export(
            lambda graph: append_pooling(
                graph, pooling, FEATURES, channels, metadata.map_size, ATTENTION,
                nonnegative=is_nonnegative(exported.graph),
            )
        )  # fmt: skip

    def mean(graph: GraphBuilder) -> None:
        graph.add("ReduceMean", FEATURES, graph.axes(1), output=ATTENTION, keepdims=0)

    def topk(graph: GraphBuilder) -> None:
        largest = graph.add("TopK", FEATURES, graph.axes(top_count(_SHARE, channels)), axis=1, largest=1, sorted=0)
        graph.add("ReduceMean", largest, graph.axes(1), output=ATTENTION, keepdims=0)

    def given(graph: GraphBuilder) -> None:
        k, side = top_count(_SHARE, channels), metadata.map_size
        flat = graph.add("Reshape", FEATURES, graph.axes(0, channels, side * side))
        # Of one image: other values would take as long.
        threshold = graph.constant(features[0].flatten(1).topk(k + 1, dim=0).values[-1].numpy().reshape(1, 1, -1))
        found = graph.add("Equal", count_above(graph, flat, threshold, channels), graph.number(k))
        mean = mean_from_threshold(graph, flat, threshold, k, channels)
        result = graph.add("Where", found, mean, graph.number(float("nan")))
        graph.add("Reshape", result, graph.axes(0, side, side), output=ATTENTION)

    models = {
        "mean": export(mean),
        "product": ours(None),
        "ptap": ours(AttentionPooling("ptap", _SHARE, gate=False)),
        "gated": ours(AttentionPooling("ptap", _SHARE, gate=True)),
        "topk": export(topk),
        "given": export(given),
    }
    return models, found


@torch.no_grad()
def _network(case: Case, images: Tensor) -> tuple[nn.Module, Tensor]:
    if case.positive is None:
        backbone: nn.Module = create_backbone(case.backbone, "block" if case.linear else "head", case.weights).eval()
        return backbone, backbone(images)
    backbone = create_backbone(case.backbone, "head", case.weights)
    if case.weights == "none":  # timm starts the last scale of a residual block at 0, which leaves the shortcut alone
        for module in backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
    linear = _without_last_activation(backbone).eval()
    features = linear(images)
    # numpy's quantile takes as many values as there are, torch's does not.
    shift = -float(np.quantile(features.numpy(), 1 - case.positive))
    return _Shifted(linear, shift), torch.relu(features + shift)


def _without_last_activation(backbone: Backbone) -> Backbone:
    last = list(backbone.stages[-1].children())[-1]
    names = [name for name in ("act", "act3", "act2") if hasattr(last, name)]
    setattr(last, names[0], nn.Identity())
    return backbone
