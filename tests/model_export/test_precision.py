"""Export in half precision and in 8-bit integers."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from colocalization.engine import OnnxEngine
from colocalization.images import decode
from model_export.errors import ExportError
from model_export.graph import build_model, describe
from model_export.parity import TOLERANCES, check_parity
from model_export.precision import quantize
from tests.model_export.networks import tiny_source

PICTURES = sorted((Path(__file__).resolve().parents[2] / "examples" / "images").iterdir())[:4]
SIZE = 96


def inputs() -> list[np.ndarray]:
    transform = describe(tiny_source(), SIZE).transform()
    return [transform(decode(picture).rgb) for picture in PICTURES]


def weight_types(model: onnx.ModelProto) -> Counter[int]:
    """Types of the weights of more than a few values."""
    return Counter(one.data_type for one in model.graph.initializer if np.prod(one.dims) > 1000)


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
    report = check_parity(source.network, exported, PICTURES, tolerance=TOLERANCES[exported.stem])
    assert report.features > TOLERANCES["fp32"].maps  # or nothing would have been converted


def test_the_first_and_the_last_convolutions_stay_float() -> None:
    source = tiny_source()
    model = build_model(source, describe(source, SIZE, "int8"), inputs())
    constants = {one.name: one.data_type for one in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    float_ones = [constants.get(node.input[1]) == TensorProto.FLOAT for node in convolutions]
    assert float_ones[:3] == [True] * 3
    assert sum(float_ones) == 4  # the order of the last ones, side by side in a residual block, is the tool's


def test_nothing_to_calibrate_on() -> None:
    source = tiny_source()
    with pytest.raises(ExportError, match="at least one picture"):
        build_model(source, describe(source, SIZE, "int8"))


def test_a_network_too_small_to_quantise() -> None:
    value = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 4, 4])
    out = helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 3, 4, 4])
    node = helper.make_node("Relu", ["image"], ["features"], name="relu")
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(helper.make_graph([node], "small", [value], [out]), opset_imports=opset, ir_version=9)
    with pytest.raises(ExportError, match="0 convolutions has none to quantise"):
        quantize(model, inputs())
