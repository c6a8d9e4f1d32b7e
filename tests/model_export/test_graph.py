"""The exported file: inputs and outputs, metadata, and that it names no machine."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from colocalization import _version
from colocalization.discriminant import Discriminant
from colocalization.engine import OnnxEngine
from colocalization.metadata import METADATA_KEY, ModelMetadata, Pooling, Precision
from model_export.errors import ExportError
from model_export.graph import OPSET, build_model, describe
from model_export.source import NetworkSource
from tests.model_export.networks import tiny_source
from training.foreground_prior import ForegroundPrior, tap_rows
from training.torch_engine import TorchEngine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def content() -> bytes:
    source = tiny_source(gate=True)
    return build_model(source, describe(source, 64)).SerializeToString(deterministic=True)


class TestDescription:
    def test_of_a_network(self) -> None:
        source = tiny_source("channel", gate=True)
        assert asdict(describe(source, 96)) == {
            "name": "tiny",
            "version": _version.__version__,
            "backbone": "resnet10t",
            "feature_map": "block",
            "pooling": "channel",
            "k": 0.7,
            "gate": True,
            "input_size": 96,
            "mean": source.network.backbone.mean,
            "std": source.network.backbone.std,
            "resize": "squash",
            "channels": 512,
            "map_size": 6,
            "precision": "fp32",
            "licence": "CC0-1.0",
            "training_data": "nothing",
            "foreground": False,
            "foreground_data": "",
        }

    def test_of_the_baseline_without_pooling(self) -> None:
        found = describe(tiny_source("ptap", gate=True, pool_at_test=False), 64)
        assert (found.pooling, found.k, found.gate) == ("avg", 1.0, False)

    @pytest.mark.parametrize("size", [0, -16, 8, 65, 100])
    def test_size_that_is_no_multiple_of_the_stride(self, size: int) -> None:
        with pytest.raises(ExportError, match=f"positive multiple of 16 pixels, got {size}"):
            describe(tiny_source(), size)


@pytest.mark.parametrize(
    ("pooling", "gate", "pool_at_test"),
    [("ptap", False, True), ("channel", True, True), ("ptap", True, False)],
)
def test_graph_gives_what_torch_gives(pooling: Pooling, gate: bool, pool_at_test: bool, tmp_path: Path) -> None:
    source = tiny_source(pooling, gate=gate, pool_at_test=pool_at_test)
    path = tmp_path / "tiny.onnx"
    path.write_bytes(build_model(source, describe(source, 64)).SerializeToString())
    engine = OnnxEngine(path, device="cpu", threads=1)
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        attention, features = source.network.attend(images)
    found = engine.run(images.numpy())
    for ours, theirs in ((found.attention, attention.numpy()), (found.features, features.numpy())):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())
    # The batch dimension is free.
    np.testing.assert_allclose(
        engine.run(images[:1].numpy()).attention, found.attention[:1], atol=1e-4 * np.abs(found.attention).max()
    )


def test_metadata_round_trip(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(content)
    expected = describe(tiny_source(gate=True), 64)
    assert OnnxEngine(path, device="cpu").metadata == expected
    properties = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
    assert ModelMetadata.from_properties(properties) == expected
    assert json.loads(properties[METADATA_KEY])["std"] == list(expected.std)


def test_operators_are_those_of_onnx_itself(content: bytes) -> None:
    model = onnx.load_from_string(content)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions
    operators = {node.op_type for node in model.graph.node}
    assert "BatchNormalization" not in operators  # folded into the convolutions
    assert "TopK" in operators


def test_inputs_and_outputs(content: bytes) -> None:
    graph = onnx.load_from_string(content).graph

    def shape(value: onnx.ValueInfoProto) -> list[str | int]:
        return [dimension.dim_param or dimension.dim_value for dimension in value.type.tensor_type.shape.dim]

    assert {value.name: shape(value) for value in graph.input} == {"image": ["batch", 3, 64, 64]}
    assert {value.name: shape(value) for value in graph.output} == {
        "attention": ["batch", 4, 4],
        "features": ["batch", 512, 4, 4],
    }


def assert_names_no_machine(content: bytes) -> None:
    model = onnx.load_from_string(content)
    for tensor in model.graph.initializer:
        tensor.raw_data = b""  # random weights may spell anything
    rest = model.SerializeToString()
    for text in (str(ROOT), str(Path.home()), "site-packages", ".py", "Traceback"):
        assert text.encode() not in rest, text
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert model.doc_string == model.graph.doc_string == ""
    assert not model.graph.metadata_props
    names = " ".join([node.name for node in model.graph.node] + [tensor.name for tensor in model.graph.initializer])
    assert "/" not in names


def test_file_names_no_machine(content: bytes) -> None:
    assert_names_no_machine(content)


def test_shipped_file_names_no_machine() -> None:
    assert_names_no_machine((ROOT / "colocalization" / "models" / "efficientnet_lite0_ptap.onnx").read_bytes())


def test_same_network_same_bytes(content: bytes) -> None:
    source = tiny_source(gate=True)
    assert build_model(source, describe(source, 64)).SerializeToString(deterministic=True) == content


@pytest.fixture(scope="module")
def source_with_prior() -> NetworkSource:
    """The tiny network with a prior of random weights on its two taps."""
    source = tiny_source(feature_map="head")
    random = np.random.default_rng(0)
    direction = random.normal(size=256 + 512).astype(np.float32)
    photograph = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    scores = tap_rows(TorchEngine(source.network, 64).tapped(photograph)) @ direction
    low, high = (float(value) for value in np.percentile(scores, (10, 90)))
    return replace(source, prior=ForegroundPrior(Discriminant(direction, low, high), "20 images of 1 set"))


class TestForegroundPrior:
    @pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("fp16", 0.02), ("int8", 0.15)])
    def test_the_file_gives_the_networks_prior(
        self, source_with_prior: NetworkSource, precision: Precision, tolerance: float, tmp_path: Path
    ) -> None:
        images = np.random.default_rng(1).normal(size=(4, 3, 64, 64)).astype(np.float32)
        path = tmp_path / "model.onnx"
        onnx.save(build_model(source_with_prior, describe(source_with_prior, 64, precision), list(images)), path)
        engine = OnnxEngine(path, device="cpu")
        assert engine.metadata.foreground_data == "20 images of 1 set"
        found = engine.run(images).foreground
        wanted = TorchEngine(source_with_prior.network, 64, prior=source_with_prior.prior).run(images).foreground
        assert found is not None
        assert wanted is not None
        assert wanted.std() > 0.05
        np.testing.assert_allclose(found, wanted, atol=tolerance)

    def test_outputs_are_no_more_than_said(self, source_with_prior: NetworkSource) -> None:
        model = build_model(source_with_prior, describe(source_with_prior, 64))
        assert [value.name for value in model.graph.output] == ["attention", "features", "foreground"]

    def test_a_prior_of_another_network(self, source_with_prior: NetworkSource) -> None:
        other = ForegroundPrior(Discriminant(np.ones(3, np.float32), 0.0, 1.0), "")
        with pytest.raises(ExportError, match=r"reads 3 channels, and the stages of resnet10t have 256 \+ 512"):
            build_model(replace(source_with_prior, prior=other), describe(source_with_prior, 64))
