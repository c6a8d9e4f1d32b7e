"""Networks of timm cut into stages, from the input to the feature map, run one after the other.

A vision transformer's feature map is its patch tokens, laid out as the patches are; class and register tokens are
dropped.
"""

from collections.abc import Callable
from math import isqrt
from typing import Any

from timm.models.efficientnet import EfficientNet
from timm.models.eva import Eva
from timm.models.resnet import ResNet
from timm.models.senet import SENet
from timm.models.vgg import VGG
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from training.config import FeatureMap
from training.errors import TrainingError

__all__ = ["split_stages"]


def split_stages(model: nn.Module, name: str, feature_map: FeatureMap, *, dilated: bool) -> list[nn.Module]:
    """Cut a network into stages.

    Args:
        model: timm's network.
        name: Its name.
        feature_map: Which feature map the last stage gives.
        dilated: Whether a ResNet was built with a dilated last stage; else its strides are taken out here.

    Raises:
        TrainingError: The network has no such feature map that is known here.
    """
    if isinstance(model, SENet) or (isinstance(model, ResNet) and not dilated):
        _take_out_strides(_child(model, "layer4"))
    for family, split in _FAMILIES:
        if isinstance(model, family):
            return split(model, feature_map)
    if feature_map == "block":
        raise TrainingError(f"backbone {name!r} has no linear last block that is known here; use feature_map 'head'")
    return [_ForwardFeatures(model)]


class _ForwardFeatures(nn.Module):
    """Any other timm network, as one stage."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        model.reset_classifier(0, "")  # type: ignore[operator]
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.model.forward_features(images)  # type: ignore[operator]
        return features


class _Embedding(nn.Module):
    """A vision transformer's tokens before its first block, (N, 3, S, S) to (N, T, C); its blocks are taken out."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        model: Any = self.model
        tokens: Tensor = model.norm_pre(model._pos_embed(model.patch_embed(images)))
        return tokens


class _TokenMap(nn.Module):
    """Patch tokens as a feature map, (N, T, C) to (N, C, h, h); the first tokens, of class and registers, dropped."""

    def __init__(self, norm: nn.Module, prefix: int) -> None:
        super().__init__()
        self.norm = norm
        self.prefix = prefix

    def forward(self, tokens: Tensor) -> Tensor:
        patches: Tensor = self.norm(tokens)[:, self.prefix :]
        side = isqrt(patches.shape[1])  # inputs are square
        return patches.transpose(1, 2).reshape(*patches.shape[::2], side, side)


class _ForwardTokens(nn.Module):
    """All of a transformer whose blocks need more than their tokens (rotary positions), up to its patch tokens."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.model.forward_features(images)  # type: ignore[operator]
        return tokens


def _take_out_strides(layer: nn.Module) -> None:
    """Let a stage keep the size of its input, without dilation: PsyNet's way to stride 16."""
    for parent in list(layer.modules()):
        for name, module in parent.named_children():
            if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
                module.stride = (1, 1)
            elif isinstance(module, nn.AvgPool2d) and module.stride == 2:
                setattr(parent, name, nn.Identity())  # the shortcut of ResNet-D


def _child(module: nn.Module, name: str) -> nn.Module:
    return module.get_submodule(name)


def _efficientnet_stages(model: nn.Module, feature_map: FeatureMap) -> list[nn.Module]:
    stages = [nn.Sequential(_child(model, "conv_stem"), _child(model, "bn1")), *_child(model, "blocks").children()]
    if feature_map == "head":
        stages.append(nn.Sequential(_child(model, "conv_head"), _child(model, "bn2")))
    return stages


def _resnet_stages(model: nn.Module, feature_map: FeatureMap) -> list[nn.Module]:
    stem = nn.Sequential(*(_child(model, part) for part in ("conv1", "bn1", "act1", "maxpool")))
    layers = [_child(model, f"layer{index}") for index in (1, 2, 3, 4)]
    if feature_map == "block":
        last = list(layers[-1].children())[-1]
        activation = "act3" if hasattr(last, "act3") else "act2"
        setattr(last, activation, nn.Identity())
    return [stem, *layers]


def _senet_stages(model: nn.Module, feature_map: FeatureMap) -> list[nn.Module]:
    if feature_map == "block":
        # A block calls one ReLU in several places: it cannot be left out at the end alone.
        raise TrainingError("timm's legacy SE networks have no linear last block; use feature_map 'head'")
    stem = nn.Sequential(_child(model, "layer0"), _child(model, "pool0"))
    return [stem, *(_child(model, f"layer{index}") for index in (1, 2, 3, 4))]


def _vgg_stages(model: nn.Module, feature_map: FeatureMap) -> list[nn.Module]:
    layers = list(_child(model, "features").children())[:-1]  # without the last max pooling: stride 16
    if feature_map == "block":
        layers = layers[:-1]  # without the last ReLU
    stages: list[list[nn.Module]] = [[]]
    for layer in layers:
        if isinstance(layer, nn.MaxPool2d):
            stages.append([])
        stages[-1].append(layer)
    return [nn.Sequential(*stage) for stage in stages]


def _transformer_stages(model: Any, feature_map: FeatureMap) -> list[nn.Module]:
    """Embedding, blocks, tokens to map; `head` is after the last norm, `block` before it."""
    blocks = list(model.blocks.children())
    norm = model.norm if feature_map == "head" else nn.Identity()
    _drop_head(model)
    model.blocks = nn.Sequential()
    return [_Embedding(model), *blocks, _TokenMap(norm, model.num_prefix_tokens)]


def _rotary_stages(model: Any, feature_map: FeatureMap) -> list[nn.Module]:
    norm = model.norm if feature_map == "head" else nn.Identity()
    _drop_head(model)
    return [_ForwardTokens(model), _TokenMap(norm, model.num_prefix_tokens)]


def _drop_head(model: Any) -> None:
    """Take out what comes after the last block, so that no weight is left that no loss can reach."""
    model.reset_classifier(0, "")
    model.norm, model.fc_norm, model.attn_pool = nn.Identity(), nn.Identity(), None


_FAMILIES: tuple[tuple[type[nn.Module], Callable[[Any, FeatureMap], list[nn.Module]]], ...] = (
    (EfficientNet, _efficientnet_stages),
    (ResNet, _resnet_stages),
    (SENet, _senet_stages),
    (VGG, _vgg_stages),
    (VisionTransformer, _transformer_stages),
    (Eva, _rotary_stages),
)
