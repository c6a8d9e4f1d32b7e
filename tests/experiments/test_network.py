"""The shipped network at another size, and the head it leaves out, beside torch."""

from importlib.resources import as_file, files

import numpy as np
import pytest
import torch

from colocalization.localizer import DEFAULT_MODEL, Localizer
from colocalization.metadata import ModelMetadata
from colocalization.transform import InputTransform
from experiments.network import Head, ResizedNetwork
from training.backbones import create_backbone
from training.errors import TrainingError


@pytest.fixture(scope="module")
def metadata() -> ModelMetadata:
    return Localizer.load(device="cpu", threads=1, precision="fp32").engine.metadata


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def test_features_at_another_size_are_torchs(metadata: ModelMetadata, rgb: np.ndarray) -> None:
    with as_file(files("colocalization") / "models" / DEFAULT_MODEL) as model:
        features = ResizedNetwork(model, metadata, 64)(rgb)
    backbone = create_backbone(metadata.backbone, "block").eval()
    batch = torch.from_numpy(InputTransform(64, metadata.mean, metadata.std)(rgb)[None])
    with torch.no_grad():
        expected = backbone(batch)[0].numpy()
    assert features.shape == (metadata.channels, 4, 4)
    assert np.abs(features - expected).max() <= 1e-4 * np.abs(expected).max()


def test_head_mean_is_the_whole_networks(metadata: ModelMetadata, rgb: np.ndarray) -> None:
    batch = torch.from_numpy(InputTransform(64, metadata.mean, metadata.std)(rgb)[None])
    with torch.no_grad():
        block = create_backbone(metadata.backbone, "block").eval()(batch)[0].numpy()
        expected = create_backbone(metadata.backbone, "head").eval()(batch)[0].mean(dim=0).numpy()
    assert Head(metadata).mean(block) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [0, 16, 100])
def test_sizes_that_the_padding_does_not_hold_for(metadata: ModelMetadata, size: int) -> None:
    with (
        as_file(files("colocalization") / "models" / DEFAULT_MODEL) as model,
        pytest.raises(TrainingError, match=f"multiple of 32, got {size}"),
    ):
        ResizedNetwork(model, metadata, size)
