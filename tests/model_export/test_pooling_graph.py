"""The pooling in ONNX operators against a straightforward float64 numpy pooling."""

from itertools import product
from typing import get_args

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, TensorProto, checker, helper

from colocalization.metadata import Pooling
from model_export.graph_builder import GraphBuilder
from model_export.pooling_graph import append_pooling
from training.pooling import AttentionPooling, top_count

KERNEL = np.array([0.7, -1.1, 0.4])
CELLS = 4


def run_graph(
    features: np.ndarray, pooling: AttentionPooling | None, nonnegative: bool = False, for_gpu: bool = False
) -> np.ndarray:
    """Build a model of the pooling alone and run it with ONNX Runtime."""
    _, channels, cells, _ = features.shape
    graph = GraphBuilder("pooling")
    append_pooling(graph, pooling, "features", channels, cells, "attention", nonnegative=nonnegative, for_gpu=for_gpu)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "pooling",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", channels, cells, cells])],
            [helper.make_tensor_value_info("attention", TensorProto.FLOAT, ["batch", cells, cells])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (attention,) = session.run(["attention"], {"features": features})
    return np.asarray(attention)


def make_pooling(kind: Pooling, share: float, gate: bool) -> AttentionPooling:
    pooling = AttentionPooling(kind, share, gate=gate)
    if pooling.gate is not None:
        with torch.no_grad():
            pooling.gate.conv.weight.copy_(torch.tensor(KERNEL).view(1, 1, 3))
    return pooling


def weighted(features: np.ndarray, gate: bool) -> np.ndarray:
    """F_w = g * F in float64, the convolution written out."""
    values = features.astype(np.float64)
    if not gate:
        return values
    pooled = np.pad(values.mean(axis=(2, 3)), ((0, 0), (1, 1)))
    count = values.shape[1]
    mixed = KERNEL[0] * pooled[:, :count] + KERNEL[1] * pooled[:, 1 : count + 1] + KERNEL[2] * pooled[:, 2:]
    return values * (1 / (1 + np.exp(-np.clip(mixed, -500, 500))))[:, :, None, None]


def reference(f_w: np.ndarray, kind: Pooling, k: int) -> np.ndarray:
    """The pooling by its definition, pixel by pixel and image by image."""
    if kind in ("max", "avg"):
        return np.asarray(f_w.max(axis=1) if kind == "max" else f_w.mean(axis=1))
    out = np.empty((f_w.shape[0], *f_w.shape[2:]))
    for n, image in enumerate(f_w):
        if kind == "channel":
            chosen = sorted(range(len(image)), key=lambda c: (-image[c].mean(), c))[:k]
            out[n] = sum(image[c] for c in chosen) / k
        else:
            for y, x in np.ndindex(out.shape[1:]):
                out[n, y, x] = sum(sorted(image[:, y, x], reverse=True)[:k]) / k
    return out


def choice_is_clear(f_w: np.ndarray, k: int) -> bool:
    """Whether float32 must choose the same channels as float64: a gap in their means, or an exact tie."""
    means = np.sort(f_w.mean(axis=(2, 3)), axis=1)[:, ::-1]
    if k == f_w.shape[1]:
        return True
    gap = means[:, k - 1] - means[:, k]
    return bool((gap > 1e-4 * np.abs(f_w).max(axis=(1, 2, 3))).all())


def assert_equal(found: np.ndarray, f_w: np.ndarray, expected: np.ndarray, kind: Pooling, k: int) -> None:
    assert np.isfinite(found).all()
    if kind == "ptap":  # a pixel's result may not depend on what it leaves out, however large
        scale = np.abs(np.sort(f_w, axis=1)[:, -k:]).max(axis=1)
    else:
        scale = np.abs(f_w).max(axis=(1, 2, 3), keepdims=True)[:, 0]
    smallest = np.finfo(np.float32).tiny  # below, float32 has fewer digits or none
    assert (np.abs(found - expected) <= 2e-6 * scale + smallest).all()


def make(kind: str, shape: tuple[int, int, int, int], seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    dense = random.standard_normal(shape)
    made = {
        "dense": dense,
        "sparse": np.maximum(dense - 1.2, 0),
        "positive": np.abs(dense) + 0.1,
        "negative": -np.abs(dense) - 0.1,
        "constant": np.full(shape, 2.5),
        "zero": np.zeros(shape),
        "tied": random.integers(-2, 3, shape).astype(float),
        "huge": dense * 1e30,
        "tiny": dense * 1e-30,
        "mixed scales": dense * 10.0 ** random.integers(-12, 12, shape),
    }
    return made[kind].astype(np.float32)


CONTENTS = ["dense", "sparse", "positive", "negative", "constant", "zero", "tied", "huge", "tiny", "mixed scales"]


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(get_args(Pooling)),
    gate=st.booleans(),
    content=st.sampled_from(CONTENTS),
    channels=st.integers(1, 24),
    images=st.integers(1, 3),
    share=st.floats(0.01, 1.0),
    seed=st.integers(0, 10_000),
)
def test_graph_equals_numpy(
    kind: Pooling, gate: bool, content: str, channels: int, images: int, share: float, seed: int
) -> None:
    features = make(content, (images, channels, CELLS, CELLS), seed)
    k = top_count(share, channels)
    f_w = weighted(features, gate)
    # Equal features of the plain kinds are tied exactly, which the lower channel wins in ONNX and in the reference.
    tied_exactly = not gate and content in ("constant", "zero", "tied")
    assume(kind != "channel" or tied_exactly or choice_is_clear(f_w, k))
    found = run_graph(features, make_pooling(kind, share, gate), nonnegative=bool((features >= 0).all()))
    assert found.shape == (images, CELLS, CELLS)
    assert found.dtype == np.float32
    assert_equal(found, f_w, reference(f_w, kind, k), kind, k)


@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("kind", get_args(Pooling))
def test_every_k_from_one_channel_to_all(kind: Pooling, gate: bool) -> None:
    features = make("dense", (2, 7, CELLS, CELLS), 3)
    f_w = weighted(features, gate)
    for k in range(1, 8):
        found = run_graph(features, make_pooling(kind, k / 7, gate))
        assert choice_is_clear(f_w, k)
        assert_equal(found, f_w, reference(f_w, kind, k), kind, k)


@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("kind", get_args(Pooling))
def test_graph_equals_torch_at_the_width_of_the_shipped_model(kind: Pooling, gate: bool) -> None:
    features = make("dense", (1, 320, 7, 7), 4)
    pooling = make_pooling(kind, 0.7, gate)
    with torch.no_grad():
        expected = pooling(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(run_graph(features, pooling), expected, atol=2e-6 * np.abs(features).max())


@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("kind", get_args(Pooling))
def test_sums_do_not_overflow(kind: Pooling, gate: bool) -> None:
    features = np.full((1, 1280, 1, 1), 1e36, np.float32)  # their sum is beyond float32, their mean is not
    for nonnegative in (False, True):
        found = run_graph(features, AttentionPooling(kind, 0.7, gate=gate), nonnegative)
        # An untrained gate halves. Hundreds of equal terms are rounded the same way.
        np.testing.assert_allclose(found, 5e35 if gate else 1e36, rtol=1e-5)


def test_numbers_worked_out_by_hand() -> None:
    # Four cells of three channels: (5, 1, 0), (2, 4, 6), and twice (0, 0, 0).
    features = np.zeros((1, 3, 2, 2), np.float32)
    features[0, :, 0, 0], features[0, :, 0, 1] = (5, 1, 0), (2, 4, 6)
    assert run_graph(features, AttentionPooling("ptap", 0.67, gate=False))[0].tolist() == [[3, 5], [0, 0]]
    # Spatial means are 7 / 4, 5 / 4 and 6 / 4: channels 0 and 2 come first.
    assert run_graph(features, AttentionPooling("channel", 0.67, gate=False))[0].tolist() == [[2.5, 4], [0, 0]]
    assert run_graph(features, AttentionPooling("max", gate=False))[0].tolist() == [[5, 6], [0, 0]]
    assert run_graph(features, AttentionPooling("avg", gate=False))[0].tolist() == [[2, 4], [0, 0]]
    assert run_graph(features, None)[0].tolist() == [[2, 4], [0, 0]]


def test_an_untrained_gate_halves() -> None:
    features = make("dense", (2, 5, CELLS, CELLS), 5)
    plain = run_graph(features, AttentionPooling("ptap", 0.7, gate=False))
    np.testing.assert_allclose(run_graph(features, AttentionPooling("ptap", 0.7, gate=True)), plain / 2, rtol=1e-6)


def test_images_of_a_batch_do_not_meet() -> None:
    features = make("dense", (3, 9, CELLS, CELLS), 6)
    for kind in get_args(Pooling):
        pooling = make_pooling(kind, 0.5, True)
        together = run_graph(features, pooling)
        for index in range(3):
            alone = run_graph(features[index : index + 1], pooling)
            np.testing.assert_allclose(together[index : index + 1], alone, atol=1e-6)


WIDE = ["skewed", "two values", "one large value", "offset"]


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
@pytest.mark.parametrize(
    ("content", "gate"),
    # The gate of features of 10,000 is too steep for float32, whatever is pooled.
    [
        (content, gate)
        for content in [*CONTENTS, *WIDE]
        for gate in (False, True)
        if (content, gate) != ("offset", True)
    ],
)
def test_ptap_at_the_width_of_real_networks(content: str, share: float, gate: bool) -> None:
    shape = (2, 300, CELLS, CELLS)
    random = np.random.default_rng(7)
    wide = {
        "skewed": lambda: random.lognormal(0, 3, shape),
        "two values": lambda: random.choice([-1.0, 1.0], shape),
        "one large value": lambda: np.where(np.arange(300)[:, None, None] == 150, 1e20, random.standard_normal(shape)),
        "offset": lambda: 1e4 + random.standard_normal(shape),
    }
    features = wide[content]().astype(np.float32) if content in wide else make(content, shape, 8)
    f_w = weighted(features, gate)
    k = top_count(share, 300)
    expected = reference(f_w, "ptap", k)
    pooling = make_pooling("ptap", share, gate)
    for nonnegative, for_gpu in product({False, bool((features >= 0).all())}, (False, True)):
        assert_equal(run_graph(features, pooling, nonnegative, for_gpu), f_w, expected, "ptap", k)


@pytest.mark.parametrize("distance", [1e2, 1e4, 1e6])
def test_channels_left_out_far_below_cost_no_digits(distance: float) -> None:
    features = make("dense", (4, 300, CELLS, CELLS), 9)
    k = top_count(0.7, 300)
    dropped = np.argsort(np.argsort(np.random.default_rng(9).random(features.shape), axis=1), axis=1) >= k
    features = np.where(dropped, features - np.float32(distance), features)  # any threshold in the gap counts k
    f_w = features.astype(np.float64)
    assert_equal(
        run_graph(features, AttentionPooling("ptap", 0.7, gate=False)), f_w, reference(f_w, "ptap", k), "ptap", k
    )


def test_features_are_summed_only_where_no_pixel_has_more_than_k_positive_ones() -> None:
    # k = 2 of 4: the first pixel has 2 positive values, in the second image the last one has 3.
    features = np.zeros((2, 4, 2, 2), np.float32)
    features[:, :2, 0, 0] = 3, 5
    features[1, 1:, 1, 1] = 2, 9, 4
    found = run_graph(features, AttentionPooling("ptap", 0.5, gate=False), nonnegative=True)
    assert found.tolist() == [[[4, 0], [0, 0]], [[4, 0], [0, 6.5]]]


@pytest.mark.parametrize("scale", [2e-36, 1e-38, 1e-40])
def test_positive_features_close_to_the_smallest_number_are_off_by_what_is_stated_at_most(scale: float) -> None:
    features = make("positive", (2, 10, CELLS, CELLS), 0) * np.float32(scale)
    found = run_graph(features, AttentionPooling("ptap", 0.3, gate=False), nonnegative=True)
    expected = np.sort(features.astype(np.float64), axis=1)[:, -3:].mean(axis=1)
    rounding = np.finfo(np.float32).tiny
    assert (np.abs(found - expected) <= 2e-36 * 7 / 3 + rounding).all()
    if scale > 1e-36:  # all count
        assert (np.abs(found - expected) <= 1e-6 * features.max() + rounding).all()


@pytest.mark.parametrize("kind", get_args(Pooling))
def test_names_are_unique_and_carry_the_prefix(kind: Pooling) -> None:
    graph = GraphBuilder("pooling")
    append_pooling(graph, make_pooling(kind, 0.5, True), "features", 6, CELLS, "attention", nonnegative=True)
    branches = [
        attribute.g for node in graph.nodes for attribute in node.attribute if attribute.type == AttributeProto.GRAPH
    ]
    assert len(branches) == (2 if kind == "ptap" else 0)
    nodes = [*graph.nodes, *(node for branch in branches for node in branch.node)]
    constants = [*graph.constants, *(tensor for branch in branches for tensor in branch.initializer)]
    names = [name for node in nodes for name in node.output] + [name.name for name in constants]
    assert len(set(names)) == len(names)
    assert all(name == "attention" or name.startswith("pooling_") for name in names)
