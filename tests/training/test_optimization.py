"""Schedules by hand, parameter groups, clipping and the moving average."""

from collections.abc import Callable

import pytest
import torch

from training.build import build_network
from training.config import OptimizerConfig, TrainingConfig
from training.optimization import (
    clip_gradient,
    create_optimizer,
    learning_rate_factor,
    moving_average,
    set_learning_rate,
)

Configure = Callable[..., TrainingConfig]


@pytest.mark.parametrize(
    ("settings", "step", "factor"),
    [
        ({"schedule": "constant"}, 99, 1.0),
        ({"schedule": "step", "milestones": (6, 8), "gamma": 0.2}, 59, 1.0),
        ({"schedule": "step", "milestones": (6, 8), "gamma": 0.2}, 60, 0.2),
        ({"schedule": "step", "milestones": (6, 8), "gamma": 0.2}, 80, 0.04),
        ({"schedule": "cosine"}, 0, 1.0),
        ({"schedule": "cosine"}, 50, 0.5),
        ({"schedule": "cosine"}, 99, 0.000247),
        ({"schedule": "constant", "warmup_epochs": 1}, 0, 1 / 11),
        ({"schedule": "constant", "warmup_epochs": 1}, 9, 10 / 11),
        ({"schedule": "constant", "warmup_epochs": 1}, 10, 1.0),
        ({"schedule": "cosine", "warmup_epochs": 2}, 60, 0.5),
    ],
)
def test_learning_rate(settings: dict[str, object], step: int, factor: float) -> None:
    config = OptimizerConfig.model_validate(settings)
    assert learning_rate_factor(config, step, steps_per_epoch=10, epochs=10) == pytest.approx(factor, abs=1e-6)


def test_groups(tiny_config: Configure) -> None:
    config = tiny_config("optimizer.lr=0.01", "optimizer.head_lr_scale=10", "optimizer.weight_decay=0.5")
    network = build_network(config)
    optimizer = create_optimizer(network, config.optimizer)
    of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert len(of) == len(list(network.parameters()))
    kernel, norm = network.backbone.stages[0][0][0].weight, network.backbone.stages[0][1].weight  # type: ignore[index]
    head, gate = network.heads["rotation"], network.pooling.gate
    assert gate is not None
    for parameter, rate, decay in (
        (kernel, 0.01, 0.5),
        (norm, 0.01, 0.0),
        (head.weight, 0.1, 0.5),
        (head.bias, 0.1, 0.0),
        (gate.conv.weight, 0.1, 0.0),
    ):
        group = of[id(parameter)]
        assert (group["lr"], group["weight_decay"]) == pytest.approx((rate, decay))
    set_learning_rate(optimizer, 0.5)
    assert of[id(head.weight)]["lr"] == pytest.approx(0.05)


def test_frozen_parameters_are_left_out(tiny_config: Configure) -> None:
    config = tiny_config("backbone.frozen_stages=2")
    network = build_network(config)
    optimized = {id(p) for group in create_optimizer(network, config.optimizer).param_groups for p in group["params"]}
    assert not optimized & {id(p) for p in network.backbone.stages[:2].parameters()}
    assert {id(p) for p in network.heads.parameters()} <= optimized


@pytest.mark.parametrize(("limit", "after"), [(0.0, 5.0), (1.0, 1.0), (10.0, 5.0)])
def test_clipping(limit: float, after: float) -> None:
    weight = torch.nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([3.0, 4.0])
    assert clip_gradient(torch.optim.SGD([weight], lr=1), limit).item() == pytest.approx(5.0)
    assert weight.grad.norm().item() == pytest.approx(after, abs=1e-4)


def test_moving_average(tiny_config: Configure) -> None:
    network = build_network(tiny_config())
    average = moving_average(network, 0.75)
    average.update_parameters(network)  # the first weights begin it
    mean = "backbone.stages.0.1.running_mean"
    with torch.no_grad():
        bias = network.get_parameter("heads.scale.bias")
        start = bias.clone()
        bias.add_(4)
        network.get_buffer(mean).add_(2)
    average.update_parameters(network)
    torch.testing.assert_close(average.module.get_parameter("heads.scale.bias"), start + 1)
    torch.testing.assert_close(average.module.get_buffer(mean), network.get_buffer(mean))
