"""Backbones: a network of timm up to its last feature map, at stride 16, or at its patch's side for a transformer.

`feature_map` says which map that is. `head`: what the classifier would see, after the last stage's ReLU or the head's
convolution (the paper's). `block`: the output of the last block where it is linear, before any ReLU, so that PTAP has
something to choose from. Of a vision transformer the feature map is its patch tokens, after the last norm (`head`) or
before it (`block`).
"""

from typing import Any, get_args

import timm
import torch
from torch import Tensor, nn

from training.backbone_stages import split_stages
from training.backbone_weights import STRIDE, TRANSFORMERS, create_timm_network
from training.config import FeatureMap
from training.errors import TrainingError
from training.folding import fold_stages

__all__ = ["Backbone", "Colour", "create_backbone"]

Colour = tuple[float, float, float]
"""A value for each of R, G, B, in units of [0, 1]."""


class Backbone(nn.Module):
    """Image to feature map.

    Attributes:
        name: timm's name of the network.
        feature_map: Which feature map comes out.
        channels: Number of channels C of the feature map.
        stride: Pixels of the input, along a side, to a cell of the feature map; inputs are a multiple of it.
        mean: Mean of the input's channels that the weights expect (R, G, B), in units of [0, 1].
        std: Standard deviation of the input's channels, in units of [0, 1].
        stages: The network in parts, from the input on, for freezing; run one after the other they are the network.
    """

    def __init__(
        self,
        name: str,
        feature_map: FeatureMap,
        stages: list[nn.Module],
        mean: Colour,
        std: Colour,
        stride: int = STRIDE,
    ) -> None:
        super().__init__()
        self.name = name
        self.stride = stride
        self.feature_map: FeatureMap = feature_map
        self.stages = nn.ModuleList(stages)
        self.mean = mean
        self.std = std
        self._folded: tuple[nn.Sequential, ...] = ()  # in a tuple, so that it is no part of the network's state
        self.channels = self._probe()

    def fold(self, count: int) -> None:
        """Run the first stages folded from now on (`training.folding`): for stages that do not learn.

        Args:
            count: How many stages; their weights are taken as they are now.
        """
        self._folded = (fold_stages(list(self.stages[:count]), 4 * self.stride),) if count else ()

    def forward(self, images: Tensor) -> Tensor:
        """Compute the feature map.

        Args:
            images: (N, 3, S, S) float, normalised by `mean` and `std`.

        Returns:
            (N, C, S / stride, S / stride) float.
        """
        done = len(self._folded[0]) if self._folded else 0
        for stage in (*self._folded, *self.stages[done:]):
            images = stage(images)
        return images

    def taps(self, images: Tensor) -> tuple[Tensor, ...]:
        """What the stages give on the grid of the feature map, and the feature map itself, the last.

        Earlier stages tell things from their surroundings by what the last one has given up; the foreground prior
        reads them all. Tokens of a transformer are on no grid before its last stage, which is then its one tap.

        Args:
            images: As `forward`.

        Returns:
            Each (N, C, S / stride, S / stride) float; from the input on, with numbers of channels of their own.
        """
        side = images.shape[-1] // self.stride
        found = []
        for stage in self.stages:
            images = stage(images)
            if images.ndim == 4 and images.shape[-2:] == (side, side):
                found.append(images)
        return tuple(found)

    @torch.no_grad()
    def _probe(self) -> int:
        was_training = self.training
        side = 4 * self.stride
        shape = self.eval()(torch.zeros(1, 3, side, side)).shape
        self.train(was_training)
        if len(shape) != 4 or tuple(shape[2:]) != (4, 4):
            raise TrainingError(
                f"backbone {self.name!r} turns {side} x {side} pixels into {tuple(shape)}; "
                f"expected (1, C, 4, 4), a feature map at stride {self.stride}"
            )
        return int(shape[1])


def create_backbone(
    name: str, feature_map: FeatureMap = "head", weights: str = "imagenet", *, dilated: bool = True
) -> Backbone:
    """Build a backbone at stride 16, or at its patch's side.

    Tested: `legacy_seresnet50` (the paper's, with its older weights), `seresnet50`, `resnet50`, `vgg16_bn` (PsyNet's),
    `tf_efficientnet_lite0`, and vision transformers (`vit_small_patch14_dinov2`, `vit_small_patch16_dinov3`). Any other
    convolutional network of timm that can run at stride 16 works with `feature_map="head"`.

    Args:
        name: timm's name of the network.
        feature_map: `head` or `block`, see the module.
        weights: `imagenet` (the offline package of EfficientNet-Lite0, else timm's hub), `none` (random), or the path
            of a weight file in timm's format (.pth, .safetensors).
        dilated: Whether the last stage of a ResNet is dilated where its stride is taken out, as timm does it;
            PsyNet does not. Other networks are as they are: timm's legacy SE networks are never dilated.

    Raises:
        TrainingError: There is no such network, it cannot give this feature map, or its weights cannot be had.
    """
    if feature_map not in get_args(FeatureMap):
        raise TrainingError(f"feature_map must be {' or '.join(map(repr, get_args(FeatureMap)))}, got {feature_map!r}")
    if not timm.is_model(name):
        raise TrainingError(f"timm {timm.__version__} has no network {name!r}; `timm.list_models()` names them")
    model: Any = create_timm_network(name, weights, dilated=dilated)
    stride = STRIDE
    if timm.models.is_model_in_modules(name, TRANSFORMERS):
        stride, across = model.patch_embed.patch_size
        if stride != across:
            raise TrainingError(f"backbone {name!r} has patches of {stride} x {across} pixels; expected square ones")
    cfg = model.default_cfg
    stages = split_stages(model, name, feature_map, dilated=dilated)
    return Backbone(name, feature_map, stages, _three(cfg["mean"]), _three(cfg["std"]), stride)


def _three(values: object) -> Colour:
    if not isinstance(values, tuple) or len(values) != 3:
        raise TrainingError(f"expected a value for each of R, G, B, got {values!r}")
    return float(values[0]), float(values[1]), float(values[2])
