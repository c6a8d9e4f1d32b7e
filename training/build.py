"""From a configuration or a checkpoint to a network."""

from pathlib import Path

import torch

from training.backbones import create_backbone
from training.checkpoint import Checkpoint, read_checkpoint
from training.config import TrainingConfig
from training.errors import CheckpointError, TrainingError
from training.network import ColocalizationNet
from training.pretext import PretextTasks

__all__ = ["build_network", "choose_device", "load_network"]


def build_network(config: TrainingConfig, *, pretrained: bool = True) -> ColocalizationNet:
    """Build the network of a configuration.

    Args:
        config: The configuration.
        pretrained: Whether to load the backbone's weights; not needed where a checkpoint follows.

    Raises:
        TrainingError: The backbone or its weights cannot be had, or it has fewer stages than shall be frozen.
    """
    settings = config.backbone
    weights = settings.weights if pretrained else "none"
    backbone = create_backbone(settings.name, settings.feature_map, weights, dilated=settings.dilated)
    if config.data.crop % backbone.stride:
        raise TrainingError(
            f"data.crop must be a multiple of {backbone.stride} pixels for {settings.name}, got {config.data.crop}"
        )
    if config.foreground.learn and config.foreground.input_size % backbone.stride:
        raise TrainingError(
            f"foreground.input_size must be a multiple of {backbone.stride} pixels for {settings.name}, got "
            f"{config.foreground.input_size}"
        )
    try:
        network = ColocalizationNet(
            backbone,
            PretextTasks(config.pretext.tasks).classes,
            config.pooling,
            norm=settings.norm,
            frozen_stages=settings.frozen_stages,
        )
    except ValueError as error:
        raise TrainingError(str(error)) from error
    # A gate that no loss reaches has no gradient, which several processes would wait for in vain.
    reached = config.pooling.at_train and (config.pooling.head_input == "weighted" or config.loss.active)
    network.pooling.requires_grad_(reached)
    return network.to(memory_format=torch.channels_last)


def load_network(path: Path) -> tuple[ColocalizationNet, Checkpoint]:
    """Read a checkpoint and build its network, in evaluation mode, with the moving average where there is one.

    Raises:
        CheckpointError: The checkpoint is missing, damaged, or does not fit its own configuration.
        TrainingError: The backbone is unknown to the timm installed here.
    """
    checkpoint = read_checkpoint(path)
    network = build_network(checkpoint.config, pretrained=False)
    try:
        network.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit the network that it configures: {error}") from error
    return network.eval(), checkpoint


def choose_device(name: str) -> torch.device:
    """The device to train on.

    Args:
        name: `auto` (CUDA where there is a GPU), `cpu`, `cuda` or `cuda:N`.

    Raises:
        TrainingError: CUDA is asked for and not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingError(f"device {name!r} was asked for, but torch {torch.__version__} sees no GPU here")
    return torch.device(name)
