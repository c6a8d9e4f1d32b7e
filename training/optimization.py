"""Optimiser, learning-rate schedule and moving average of the weights."""

import math

from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.config import OptimizerConfig
from training.network import ColocalizationNet

__all__ = ["clip_gradient", "create_optimizer", "learning_rate_factor", "moving_average", "set_learning_rate"]


def create_optimizer(network: ColocalizationNet, config: OptimizerConfig) -> Optimizer:
    """SGD with Nesterov momentum or AdamW over what learns.

    Weight decay acts on kernels and matrices alone, not on biases, norms and the gate. Heads and gate, which start from
    nothing, may have a larger rate.
    """
    new = {id(parameter) for part in (network.heads, network.pooling) for parameter in part.parameters()}
    gate = {id(parameter) for parameter in network.pooling.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        if parameter.requires_grad:
            decays = parameter.ndim > 1 and id(parameter) not in gate
            groups.setdefault((id(parameter) in new, decays), []).append(parameter)
    settings = [
        {
            "params": parameters,
            "lr": config.lr * (config.head_lr_scale if is_new else 1.0),
            "peak_lr": config.lr * (config.head_lr_scale if is_new else 1.0),
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (is_new, decays), parameters in groups.items()
    ]
    if config.name == "sgd":
        return SGD(settings, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0)
    return AdamW(settings, lr=config.lr)


def learning_rate_factor(config: OptimizerConfig, step: int, steps_per_epoch: int, epochs: int) -> float:
    """Factor on the peak learning rate; a function of the step alone, so that there is no schedule to save.

    Args:
        config: Schedule and warm-up.
        step: Step, from 0.
        steps_per_epoch: Steps of an epoch.
        epochs: Epochs of the run.

    Returns:
        Factor in [0, 1].

    Example:
        >>> config = OptimizerConfig(schedule="step", milestones=(60,), gamma=0.2)
        >>> [learning_rate_factor(config, epoch, 1, 80) for epoch in (0, 59, 60)]
        [1.0, 1.0, 0.2]
    """
    epoch = step / steps_per_epoch
    if epoch < config.warmup_epochs:
        return (step + 1) / (config.warmup_epochs * steps_per_epoch + 1)
    if config.schedule == "step":
        return float(config.gamma ** sum(epoch >= milestone for milestone in config.milestones))
    if config.schedule == "cosine":
        progress = (epoch - config.warmup_epochs) / max(epochs - config.warmup_epochs, 1e-9)
        return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return 1.0


def set_learning_rate(optimizer: Optimizer, factor: float) -> None:
    """Set every group's rate to a factor of its peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor


def moving_average(network: ColocalizationNet, decay: float) -> AveragedModel:
    """Exponential moving average of a network's weights; buffers are the latest.

    Args:
        network: The network, of which a copy is kept in `module`.
        decay: Share of the old average that is kept at each step; the first step's weights begin it.
    """
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay)).requires_grad_(False)  # type: ignore[no-untyped-call]


def clip_gradient(optimizer: Optimizer, limit: float) -> Tensor:
    """Norm of the whole gradient, which is then clipped to `limit`; a limit of 0 leaves it as it is."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return nn.utils.clip_grad_norm_(parameters, limit or math.inf)
