"""The network: heads, PTAP at train and at test, frozen parts."""

import pytest
import torch
from torch import nn

from training.backbones import Backbone
from training.config import BatchNormalisation, PoolingConfig
from training.network import ColocalizationNet


def small(*, norm: BatchNormalisation = "frozen", frozen_stages: int = 0, **pooling: object) -> ColocalizationNet:
    stages: list[nn.Module] = [
        nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.BatchNorm2d(8)),
        nn.Sequential(nn.Conv2d(8, 6, 4, stride=4), nn.BatchNorm2d(6)),
    ]
    backbone = Backbone("small", "block", stages, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    return ColocalizationNet(
        backbone,
        {"rotation": 4, "scale": 3},
        PoolingConfig.model_validate({"k": 0.5, **pooling}),
        norm=norm,
        frozen_stages=frozen_stages,
    )


def test_shapes() -> None:
    output = small()(torch.randn(2, 3, 48, 32))
    assert {task: tuple(logits.shape) for task, logits in output.logits.items()} == {
        "rotation": (2, 4),
        "scale": (2, 3),
    }
    assert output.attention.shape == (2, 3, 2)
    assert output.features.shape == (2, 6, 3, 2)


def test_logits_are_a_convolution_then_the_global_average() -> None:
    network = small(head_input="features").eval()
    output = network(torch.randn(2, 3, 32, 32))
    expected = network.heads["rotation"](output.features).mean(dim=(2, 3))
    torch.testing.assert_close(output.logits["rotation"], expected)


@pytest.mark.parametrize("at_train", [True, False])
@pytest.mark.parametrize("at_test", [True, False])
def test_ptap_at_train_and_at_test(at_train: bool, at_test: bool) -> None:
    network = small(at_train=at_train, at_test=at_test)
    images = torch.randn(2, 3, 32, 32)
    for training, pools in ((True, at_train), (False, at_test)):
        network.train(training)
        output = network(images)
        expected = network.pooling(output.features) if pools else output.features.mean(dim=1)
        torch.testing.assert_close(output.attention, expected)
        torch.testing.assert_close(network.attend(images)[0], expected)


def test_weighted_heads_train_the_gate_and_plain_heads_do_not() -> None:
    for head_input, trained in (("weighted", True), ("features", False)):
        network = small(head_input=head_input)
        network(torch.randn(4, 3, 32, 32)).logits["rotation"].square().sum().backward()
        assert network.pooling.gate is not None
        gradient = network.pooling.gate.conv.weight.grad
        assert (gradient is not None and bool(gradient.abs().sum() > 0)) == trained


def test_heads_see_the_same_whether_or_not_ptap_makes_the_map_at_test() -> None:
    with_map, without = small(at_test=True).eval(), small(at_test=False).eval()
    without.load_state_dict(with_map.state_dict())
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(with_map(images).logits, without(images).logits)


def test_frozen_norm_keeps_its_statistics() -> None:
    norms: tuple[tuple[BatchNormalisation, bool], ...] = (("frozen", False), ("train", True))
    for norm, moves in norms:
        network = small(norm=norm).train()
        before = network.backbone.stages[0][1].running_mean.clone()  # type: ignore[index]
        network(torch.randn(4, 3, 32, 32) + 3)
        after = network.backbone.stages[0][1].running_mean  # type: ignore[index]
        assert (not torch.equal(before, after)) == moves


def test_frozen_stages_do_not_learn_and_keep_their_statistics() -> None:
    network = small(norm="train", frozen_stages=1).train()
    network(torch.randn(4, 3, 32, 32)).attention.sum().backward()
    frozen, free = network.backbone.stages
    assert all(parameter.grad is None for parameter in frozen.parameters())
    assert any(parameter.grad is not None for parameter in free.parameters())
    assert not frozen[1].training  # type: ignore[index]
    assert free[1].training  # type: ignore[index]


def test_more_frozen_stages_than_there_are() -> None:
    with pytest.raises(ValueError, match=r"\[0, 2\] for small, got 3"):
        small(frozen_stages=3)
