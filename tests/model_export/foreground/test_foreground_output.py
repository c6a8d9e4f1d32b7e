"""The output `foreground`: what it computes, and that it can be put in, replaced and taken out."""

import numpy as np
import onnx
import pytest

from colocalization.descriptors import descriptors
from colocalization.discriminant import Discriminant
from colocalization.engine import OnnxEngine
from colocalization.metadata import METADATA_KEY, ModelMetadata
from model_export.foreground.foreground_output import append_foreground, without_foreground
from model_export.foreground.taps import TappedEngine, find_taps
from model_export.graph import build_model, describe
from tests.model_export.networks import tiny_source


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    source = tiny_source(feature_map="head")
    return build_model(source, describe(source, 64))


@pytest.fixture(scope="module")
def engine(model: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> TappedEngine:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(model, path)
    return TappedEngine(model, OnnxEngine(path, device="cpu"))


def prior_for(engine: TappedEngine, seed: int = 0) -> Discriminant:
    direction = np.random.default_rng(seed).normal(size=sum(engine.channels)).astype(np.float32)
    return Discriminant(direction, -0.3, 0.9)


def extended(model: onnx.ModelProto, engine: TappedEngine, seed: int = 0) -> onnx.ModelProto:
    taps = list(zip(engine.taps, engine.channels, strict=True))
    return append_foreground(model, prior_for(engine, seed), taps, "3 images of 1 set")


def described(model: onnx.ModelProto) -> ModelMetadata:
    return ModelMetadata.from_properties({entry.key: entry.value for entry in model.metadata_props})


def test_taps_are_the_residual_sums_on_the_grid_and_the_features(engine: TappedEngine) -> None:
    # ResNet-10-T at stride 16 has its last two stages on the grid; the last one's sum becomes the features by a ReLU
    # alone, and so says nothing new.
    assert engine.taps[-1] == "features"
    assert engine.channels == (256, 512)


def test_it_is_the_discriminants_bounded_map(
    model: onnx.ModelProto, engine: TappedEngine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("with") / "model.onnx"
    onnx.save(extended(model, engine), path)
    photographs = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    images = np.stack([engine.metadata.transform()(rgb) for rgb in photographs])
    found = OnnxEngine(path, device="cpu").run(images)
    prior = prior_for(engine)
    assert found.foreground is not None
    assert found.foreground.shape == (2, 4, 4)
    for rgb, foreground in zip(photographs, found.foreground, strict=True):
        rows = np.concatenate([descriptors(tap) for tap in engine.tapped(rgb)], axis=1)
        scores = (rows @ prior.direction - prior.background) / (prior.foreground - prior.background)
        np.testing.assert_allclose(foreground.ravel(), np.clip((scores + 0.5) / 2, 0, 1), atol=1e-5)
    plain = engine.run(images)
    np.testing.assert_allclose(found.features, plain.features, atol=1e-5)
    np.testing.assert_allclose(found.attention, plain.attention, atol=1e-5)


def test_it_is_said_in_the_metadata(model: onnx.ModelProto, engine: TappedEngine) -> None:
    assert not described(model).foreground
    whole = extended(model, engine)
    assert described(whole).foreground
    assert described(whole).foreground_data == "3 images of 1 set"
    assert [entry.key for entry in whole.metadata_props].count(METADATA_KEY) == 1


def test_taken_out_again_nothing_is_left(model: onnx.ModelProto, engine: TappedEngine) -> None:
    assert without_foreground(extended(model, engine)).SerializeToString(deterministic=True) == without_foreground(
        model
    ).SerializeToString(deterministic=True)


def test_a_second_one_takes_the_first_ones_place(model: onnx.ModelProto, engine: TappedEngine) -> None:
    twice = extended(extended(model, engine, seed=5), engine)
    assert twice.SerializeToString(deterministic=True) == extended(model, engine).SerializeToString(deterministic=True)


def test_taps_do_not_depend_on_a_prior(model: onnx.ModelProto, engine: TappedEngine) -> None:
    assert find_taps(without_foreground(extended(model, engine))) == engine.taps
