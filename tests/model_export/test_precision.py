"""Export in half precision and in 8-bit integers."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from colocalization.engine import OnnxEngine
from colocalization.images import decode
from model_export import precision
from model_export.bias_correction import mean_shift, round_weights
from model_export.errors import ExportError
from model_export.graph import build_model, describe, export_backbone
from model_export.parity import TOLERANCES, check_parity
from model_export.precision import quantize
from tests.model_export.networks import tiny_source
from training.backbones import create_backbone

IMAGES = sorted((Path(__file__).resolve().parents[2] / "examples" / "images").iterdir())[:4]
SIZE = 96


def inputs() -> list[np.ndarray]:
    transform = describe(tiny_source(), SIZE).transform()
    return [transform(decode(image).rgb) for image in IMAGES]


def weight_types(model: onnx.ModelProto) -> Counter[int]:
    """Types of the weights of more than a few values."""
    return Counter(tensor.data_type for tensor in model.graph.initializer if np.prod(tensor.dims) > 1000)


@pytest.fixture(scope="module", params=["fp16", "int8"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tiny_source(feature_map="head")
    path = tmp_path_factory.mktemp("precision") / f"{request.param}.onnx"
    path.write_bytes(build_model(source, describe(source, SIZE, request.param), inputs()).SerializeToString())
    return path


def test_takes_and_gives_float32_for_any_batch(exported: Path) -> None:
    engine = OnnxEngine(exported, device="cpu")
    assert engine.metadata.precision == exported.stem
    output = engine.run(np.stack(inputs()[:3]))
    assert output.attention.dtype == output.features.dtype == np.float32
    assert output.attention.shape == (3, SIZE // 16, SIZE // 16)
    assert (output.features >= 0).all()


def test_is_smaller_and_near_the_network(exported: Path) -> None:
    types = weight_types(onnx.load(exported))
    expected = TensorProto.FLOAT16 if exported.stem == "fp16" else TensorProto.INT8
    assert types[expected] > sum(types.values()) / 2
    source = tiny_source(feature_map="head")
    report = check_parity(
        source.network, exported, IMAGES, tolerance=TOLERANCES["fp16" if exported.stem == "fp16" else "int8"]
    )
    assert report.features > TOLERANCES["fp32"].maps  # or nothing would have been converted


def test_the_first_and_the_last_convolutions_stay_float() -> None:
    source = tiny_source()
    model = build_model(source, describe(source, SIZE, "int8"), inputs())
    constants = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    float_ones = [constants.get(node.input[1]) == TensorProto.FLOAT for node in convolutions]
    assert float_ones[:3] == [True] * 3
    assert sum(float_ones) == 4  # of the last block's the one before the sum, not that of its shortcut


def chain(kernel: int, stride: int, groups: int, *, bias: bool) -> onnx.ModelProto:
    """Four convolutions from `image` to 8 channels, and a last one of this kind to `features`."""
    random = np.random.default_rng(0)
    kinds = [(8, 3, 1, 1), *[(8, 8, 1, 1)] * 3, (16, 8 // groups, kernel, kernel)]
    names = ["image", "a", "b", "c", "d", "features"]
    nodes, constants = [], []
    for index, (shape, (source, result)) in enumerate(zip(kinds, pairwise(names), strict=True)):
        weights = random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        weights *= random.uniform(0.01, 1, (shape[0], 1, 1, 1))  # channels of scales of their own
        constants.append(numpy_helper.from_array(weights.astype(np.float32), f"w{index}"))
        inputs = [source, f"w{index}"]
        if bias:
            constants.append(numpy_helper.from_array(random.standard_normal(shape[0]).astype(np.float32), f"b{index}"))
            inputs.append(f"b{index}")
        last: dict[str, Any] = {"group": groups, "strides": [stride, stride]} if result == "features" else {}
        nodes.append(helper.make_node("Conv", inputs, [result], name=f"conv{index}", **last))
    value = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])
    out = helper.make_tensor_value_info("features", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "chain", [value], [out], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def features(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["features"], {"image": np.stack(inputs())})[0])


@pytest.mark.parametrize("bias", [True, False])
def test_a_last_convolution_of_one_by_one_is_a_product_of_integers(
    monkeypatch: pytest.MonkeyPatch, *, bias: bool
) -> None:
    model = quantize(chain(1, 1, 1, bias=bias), inputs())
    found = Counter(node.op_type for node in model.graph.node)
    assert (found["MatMulInteger"], found["Conv"]) == (1, 4)
    onnx.checker.check_model(model, full_check=True)
    monkeypatch.setattr(precision, "_in_integers", lambda *_: None)
    exact = features(quantize(chain(1, 1, 1, bias=bias), inputs()))
    error = np.abs(features(model) - exact)
    # Each channel within the steps of 8 bits of its own weights: one scale for all would drown the small channels.
    assert (error.max(axis=(0, 2, 3)) < 0.03 * np.abs(exact).max(axis=(0, 2, 3))).all()
    assert error.max() > 0


def means_of(model: onnx.ModelProto) -> np.ndarray:
    return np.asarray(features(model).mean(axis=(0, 2, 3), dtype=np.float64))


@pytest.mark.parametrize(("kernel", "groups", "bias"), [(1, 2, False), (1, 1, True)])
def test_biases_keep_the_means_where_weights_are_rounded(
    monkeypatch: pytest.MonkeyPatch, kernel: int, groups: int, *, bias: bool
) -> None:
    exact = chain(kernel, 1, groups, bias=bias)
    corrected = means_of(quantize(exact, inputs()))
    monkeypatch.setattr(precision, "correct_biases", lambda *_: None)
    monkeypatch.setattr(precision, "mean_shift", lambda weights, _: np.zeros(len(weights), np.float32))
    plain = means_of(quantize(exact, inputs()))
    spread = features(exact).std(axis=(0, 2, 3))
    error, before = (np.sqrt(np.mean(((result - means_of(exact)) / spread) ** 2)) for result in (corrected, plain))
    assert error < 0.5 * before


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_shift_of_the_mean_is_that_of_a_convolution_with_rounded_weights(groups: int) -> None:
    random = np.random.default_rng(0)
    weights = random.standard_normal((8, 4 // groups, 3, 3)).astype(np.float32)
    flat = random.uniform(0, 5, 4)
    integers, steps = round_weights(weights)
    assert np.abs(integers).reshape(8, -1).max(axis=1).tolist() == [127] * 8
    rounded = integers * steps.astype(np.float64)[:, None, None, None]
    image = torch.from_numpy(flat).expand(1, 3, 3, 4).permute(0, 3, 1, 2)  # the same everywhere: its mean is all
    both = [torch.conv2d(image, torch.from_numpy(kernel).double(), groups=groups) for kernel in (rounded, weights)]
    expected = (both[0] - both[1]).numpy()[0, :, 0, 0]
    np.testing.assert_allclose(mean_shift(weights, flat), expected, atol=1e-6)


def test_the_shift_of_the_mean_of_a_convolution_along_a_line() -> None:
    """As in the channel attention of ECA networks."""
    random = np.random.default_rng(0)
    weights, mean = random.standard_normal((2, 3, 5)).astype(np.float32), random.uniform(0, 5, 3)
    np.testing.assert_array_equal(mean_shift(weights, mean), mean_shift(weights[..., None], mean))


@pytest.mark.parametrize(("kernel", "stride", "groups"), [(3, 1, 1), (1, 2, 1), (1, 1, 2)])
def test_any_other_last_convolution_stays_as_it_is(kernel: int, stride: int, groups: int) -> None:
    found = Counter(node.op_type for node in quantize(chain(kernel, stride, groups, bias=True), inputs()).graph.node)
    assert (found["MatMulInteger"], found["Conv"]) == (0, 5)


def graph_of(nodes: list[onnx.NodeProto], *, side: int = 8) -> onnx.GraphProto:
    """A graph from `image` to `features`, convolutions of 4 to 4 channels, with the shapes that ONNX infers."""
    constants = [numpy_helper.from_array(np.zeros((4, 4, 1, 1), np.float32), "weights")]
    constants.append(numpy_helper.from_array(np.zeros((1, 4, 1, 1), np.float32), "spatial"))
    value = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 4, side, side])
    out = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 4, side, side])
    graph = helper.make_graph(nodes, "last", [value], [out], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph


def conv(name: str, source: str, weights: str = "weights") -> onnx.NodeProto:
    """A convolution whose result has its own name."""
    return helper.make_node("Conv", [source, weights], [name], name=name)


def op(kind: str, *sources: str, out: str) -> onnx.NodeProto:
    return helper.make_node(kind, list(sources), [out], name=out)


SE = [op("GlobalAveragePool", "main", out="pooled"), conv("fc1", "pooled"), conv("fc2", "fc1")]
ENDS = {
    "squeeze and excitation": [
        *SE, op("Sigmoid", "fc2", out="gate"), op("Mul", "main", "gate", out="gated"),
        op("Add", "gated", "image", out="sum"), op("Relu", "sum", out="features"),
    ],
    "the gate first, made by no sigmoid": [
        *SE, op("Relu", "fc2", out="gate"), op("Mul", "gate", "main", out="features"),
    ],
    "global context: added": [*SE, op("Add", "fc2", "main", out="features")],
    "a gate for each pixel": [
        conv("pixels", "main", "spatial"), op("Sigmoid", "pixels", out="gate"),
        op("Mul", "gate", "main", out="features"),
    ],
    "a gate of full size": [conv("a", "main"), op("Sigmoid", "a", out="g"), op("Mul", "g", "main", out="features")],
    "swish": [op("Sigmoid", "main", out="gate"), op("Mul", "gate", "main", out="features")],
    "a convolution in the shortcut": [conv("shortcut", "image"), op("Add", "shortcut", "main", out="features")],
}  # fmt: skip
"""What may follow the last convolution, `main`, or lie beside it."""


@pytest.mark.parametrize(
    ("end", "side"),
    # Of one pixel, the gate of the channels is as large as they are.
    [*((end, 8) for end in ENDS), ("squeeze and excitation", 1), ("a convolution in the shortcut", 1)],
)
def test_the_last_convolution_is_on_the_main_path(end: str, side: int) -> None:
    graph = graph_of([conv("first", "image"), conv("main", "first"), *ENDS[end]], side=side)
    assert precision._last_convolution(graph) == "main"
    others = {"first", "shortcut"}
    assert precision._from_on(graph, "main") == [node.name for node in graph.node if node.name not in others]


def test_features_without_a_convolution() -> None:
    with pytest.raises(ExportError, match="not made by a convolution"):
        precision._last_convolution(graph_of([conv("beside", "image"), op("Relu", "image", out="features")]))


def test_in_se_resnet50_the_last_convolution_is_before_the_gate() -> None:
    backbone = create_backbone("seresnet50", "head", "none")
    exported = export_backbone(backbone, 64)
    model = quantize(exported, [np.random.default_rng(0).standard_normal((3, 64, 64), dtype=np.float32)])
    product = next(node for node in model.graph.node if node.op_type == "MatMulInteger")
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == product.input[1])
    assert list(weights.dims) == [512, 2048]  # the third of the block; the gate's last one has 128 x 2048
    constants = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    float_ones = [constants.get(node.input[1]) == TensorProto.FLOAT for node in convolutions]
    assert sum(float_ones) == 3 + 2  # the first, and those of its gate


def test_nothing_to_calibrate_on() -> None:
    source = tiny_source()
    with pytest.raises(ExportError, match="at least one image"):
        build_model(source, describe(source, SIZE, "int8"))


def test_a_network_too_small_to_quantise() -> None:
    value = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 4, 4])
    out = helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 3, 4, 4])
    node = helper.make_node("Relu", ["image"], ["features"], name="relu")
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(helper.make_graph([node], "small", [value], [out]), opset_imports=opset, ir_version=9)
    with pytest.raises(ExportError, match="0 convolutions has none to quantise"):
        quantize(model, inputs())
