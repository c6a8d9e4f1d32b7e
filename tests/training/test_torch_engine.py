"""A network in torch in the place of a model file: what it gives is what the network gives."""

import numpy as np
import pytest
import torch

from colocalization.discriminant import Discriminant
from colocalization.localizer import Localizer
from tests.training.conftest import draw_image
from training.backbones import create_backbone
from training.config import PoolingConfig
from training.foreground_prior import ForegroundPrior
from training.network import ColocalizationNet
from training.torch_engine import TorchEngine


@pytest.fixture(scope="module")
def network() -> ColocalizationNet:
    torch.manual_seed(0)
    return ColocalizationNet(create_backbone("resnet10t", "head", "none"), {}, PoolingConfig(gate=False))


def test_taps_end_with_the_features(network: ColocalizationNet) -> None:
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        taps = network.eval().backbone.taps(images)
        torch.testing.assert_close(taps[-1], network.backbone(images))
    assert [tuple(tap.shape) for tap in taps] == [(2, 256, 4, 4), (2, 512, 4, 4)]
    assert TorchEngine(network, 64).channels == (256, 512)


def test_taps_of_a_transformer_are_its_patch_tokens_alone() -> None:
    backbone = create_backbone("test_vit", "head", "none")
    assert [tuple(tap.shape[2:]) for tap in backbone.taps(torch.zeros(1, 3, 64, 64))] == [(4, 4)]


def test_it_gives_what_the_network_gives(network: ColocalizationNet) -> None:
    images = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    found = TorchEngine(network, 64).run(images)
    with torch.no_grad():
        attention, features = network.attend(torch.from_numpy(images))
    np.testing.assert_allclose(found.attention, attention.numpy(), atol=1e-5)
    np.testing.assert_allclose(found.features, features.numpy(), atol=1e-5)
    assert found.foreground is None


def test_the_prior_is_its_map_of_the_taps(network: ColocalizationNet) -> None:
    direction = np.random.default_rng(1).normal(size=768).astype(np.float32)
    prior = ForegroundPrior(Discriminant(direction, -0.2, 0.4), "some images")
    plain = TorchEngine(network, 64)
    engine = plain.with_prior(prior)
    assert (plain.metadata.foreground, engine.metadata.foreground) == (False, True)
    assert engine.metadata.foreground_data == "some images"
    localizer = Localizer(engine)
    rgb = draw_image(3)
    (features,) = localizer.run([localizer.prepare(rgb)])
    assert features.foreground is not None
    np.testing.assert_allclose(features.foreground, prior.map(engine.tapped(rgb)), atol=1e-6)
