"""Folded stages give what the stages give."""

import copy

import pytest
import torch
from torch import Tensor, nn

from training.backbones import create_backbone
from training.folding import fold_stages


def with_statistics(module: nn.Module) -> nn.Module:
    """Normalisation that does something: random statistics, scales and shifts."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for values in (part.running_var, part.weight):
                assert values is not None
                nn.init.uniform_(values, 0.5, 1.5)
            for values in (part.running_mean, part.bias):
                assert values is not None
                nn.init.normal_(values, std=0.1)
    return module.eval()


def norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet50", "seresnet50", "vgg16_bn"])
def test_same_numbers_without_any_normalisation(name: str) -> None:
    backbone = create_backbone(name, "head", "none")
    with_statistics(backbone)
    before = copy.deepcopy(backbone.state_dict())
    images = torch.randn(2, 3, 64, 96)
    folded = fold_stages(list(backbone.stages))
    assert norms(folded) == 0
    assert norms(backbone) > 10
    expected = backbone(images).detach()
    assert expected.abs().max() > 0
    torch.testing.assert_close(folded(images), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


class NormBeforeConvolution(nn.Module):
    """Registers its parts in another order than it calls them in."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        return self.convolution(self.norm(images))


def test_what_cannot_be_folded_is_copied_as_it_is() -> None:
    stage = with_statistics(NormBeforeConvolution())
    images = torch.randn(2, 3, 8, 8)
    folded = fold_stages([stage])
    assert norms(folded) == 1
    assert torch.equal(folded(images), stage(images))


def test_a_backbone_runs_its_frozen_stages_folded_and_keeps_its_state() -> None:
    backbone = create_backbone("tf_efficientnet_lite0", "block", "none")
    with_statistics(backbone)
    images = torch.randn(1, 3, 64, 64)
    expected, names = backbone(images).detach(), list(backbone.state_dict())
    backbone.fold(7)
    assert list(backbone.state_dict()) == names
    torch.testing.assert_close(backbone(images), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    nn.init.zeros_(backbone.stages[0][0].weight)  # type: ignore[index]
    torch.testing.assert_close(backbone(images), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    nn.init.zeros_(backbone.stages[-1][0].conv_pwl.weight)  # type: ignore[index]
    assert not torch.allclose(backbone(images), expected)
    backbone.fold(0)
    assert backbone(images).detach().flatten(2).std(dim=2).max() < 1e-6
