"""Tiny random networks to export."""

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import nn

from colocalization.metadata import Pooling
from model_export.source import NetworkSource
from training.backbones import create_backbone
from training.build import build_network
from training.checkpoint import Checkpoint
from training.config import FeatureMap, PoolingConfig, TrainingConfig
from training.network import ColocalizationNet
from training.provenance import Provenance
from training.random_states import random_states

__all__ = ["change_a_weight", "tiny_source", "write_checkpoint"]

BACKBONE = "resnet10t"


def tiny_source(
    pooling: Pooling = "ptap", *, gate: bool = False, pool_at_test: bool = True, feature_map: FeatureMap = "block"
) -> NetworkSource:
    """A small residual network with random weights, and a gate that is not the untrained one."""
    torch.manual_seed(0)
    backbone = create_backbone(BACKBONE, feature_map, "none")
    _unsettle(backbone)
    config = PoolingConfig(kind=pooling, gate=gate, at_test=pool_at_test)
    network = ColocalizationNet(backbone, {"rotation": 4}, config)
    if network.pooling.gate is not None:
        torch.nn.init.normal_(network.pooling.gate.conv.weight)
    return NetworkSource(network.eval(), "tiny", "CC0-1.0", "nothing")


def _unsettle(backbone: nn.Module) -> None:
    """Give batch normalisation numbers of its own, so that folding it is seen; timm starts the last ones at 0."""
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.get_buffer("running_mean"), std=0.1)
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 1.5)


def write_checkpoint(path: Path, *, gate: bool = True) -> TrainingConfig:
    """A checkpoint of a network with random weights, as `colocalize train` writes them."""
    torch.manual_seed(0)
    settings = TrainingConfig().model_dump()
    settings["backbone"].update(name=BACKBONE, feature_map="head", weights="none", frozen_stages=0)
    settings["pooling"].update(gate=gate)
    config = TrainingConfig.model_validate(settings)
    network = build_network(config, pretrained=False)
    _unsettle(network.backbone)
    if network.pooling.gate is not None:
        torch.nn.init.normal_(network.pooling.gate.conv.weight)
    Checkpoint(
        config=config,
        step=1,
        epoch=1,
        network=network.state_dict(),
        average=None,
        optimizer={},
        scaler={},
        random=random_states(),
        images=["a.jpg", "b.jpg", "c.jpg"],
        signals={},
        chosen_epoch=1,
        provenance=Provenance("abc", {"torch": "2"}),
    ).write(path)
    return config


def change_a_weight(model: onnx.ModelProto, change: float) -> None:
    """Change one weight of the first convolution by so much."""
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == first.input[1])
    values = numpy_helper.to_array(weights).copy()
    values.flat[0] += change
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
