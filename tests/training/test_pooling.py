"""Poolings against a straightforward float64 numpy reference, worked-out numbers, and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.pooling import (
    AttentionPooling,
    ChannelGate,
    channelwise_topk_mean,
    pixelwise_topk_mean,
    top_count,
)


def reference_pixelwise(features: np.ndarray, k: int) -> np.ndarray:
    ordered = np.sort(features.astype(np.float64), axis=1)[:, ::-1]
    return ordered[:, :k].sum(axis=1) / k


def reference_channelwise(features: np.ndarray, k: int) -> np.ndarray:
    features = features.astype(np.float64)
    out = []
    for image in features:
        order = np.argsort(-image.mean(axis=(1, 2)), kind="stable")[:k]
        out.append(image[order].mean(axis=0))
    return np.stack(out)


def reference_gate(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    pooled = features.astype(np.float64).mean(axis=(2, 3))
    padded = np.pad(pooled, ((0, 0), (1, 1)))
    mixed = sum(weights[i] * padded[:, i : i + pooled.shape[1]] for i in range(3))
    return 1 / (1 + np.exp(-mixed))


KINDS = {
    "dense": lambda r: r.standard_normal((2, 40, 5, 6)),
    "after a ReLU": lambda r: np.maximum(r.standard_normal((2, 40, 5, 6)) - 1.2, 0),
    "all positive": lambda r: r.random((2, 40, 5, 6)) + 0.1,
    "all negative": lambda r: -r.random((2, 40, 5, 6)) - 0.1,
    "constant": lambda r: np.full((2, 40, 5, 6), 3.25),
    "zero": lambda r: np.zeros((2, 40, 5, 6)),
    "ties": lambda r: r.integers(-2, 3, (2, 40, 5, 6)).astype(float),
    "extreme": lambda r: r.standard_normal((2, 40, 5, 6)) * 10.0 ** r.integers(-30, 30, (2, 40, 5, 6)),
    "one dense pixel": lambda r: np.pad(r.random((2, 40, 1, 1)), ((0, 0), (0, 0), (0, 4), (0, 5))),
}


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_pixelwise_equals_the_reference(kind: str, share: float) -> None:
    features = KINDS[kind](np.random.default_rng(1)).astype(np.float32)
    k = top_count(share, 40)
    expected = reference_pixelwise(features, k)
    scale = np.abs(features).astype(np.float64).max(axis=1) + 1e-30
    found = pixelwise_topk_mean(torch.from_numpy(features), k).numpy()
    assert (np.abs(found - expected) / scale).max() < 2e-6


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("kind", ["dense", "after a ReLU", "all negative"])
def test_channelwise_equals_the_reference(kind: str, share: float) -> None:
    features = KINDS[kind](np.random.default_rng(2)).astype(np.float32)
    k = top_count(share, 40)
    found = channelwise_topk_mean(torch.from_numpy(features), k).numpy()
    np.testing.assert_allclose(found, reference_channelwise(features, k), rtol=1e-5, atol=1e-6)


def test_numbers_worked_out_by_hand() -> None:
    # Two pixels of three channels: (5, 1, 0) and (2, 4, 6).
    features = torch.tensor([[[[5.0, 2.0]], [[1.0, 4.0]], [[0.0, 6.0]]]])
    assert pixelwise_topk_mean(features, 2).tolist() == [[[3.0, 5.0]]]
    # Spatial means are 3.5, 2.5 and 3: channels 0 and 2 come first.
    assert channelwise_topk_mean(features, 2).tolist() == [[[2.5, 4.0]]]
    assert AttentionPooling("max", gate=False)(features).tolist() == [[[5.0, 6.0]]]
    assert AttentionPooling("avg", gate=False)(features).tolist() == [[[2.0, 4.0]]]


def test_max_and_avg_are_the_ends_of_ptap() -> None:
    features = torch.randn(2, 7, 3, 3)
    assert torch.equal(
        AttentionPooling("ptap", 0.01, gate=False)(features), AttentionPooling("max", gate=False)(features)
    )
    assert torch.equal(
        AttentionPooling("ptap", 1.0, gate=False)(features), AttentionPooling("avg", gate=False)(features)
    )


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 24).flatmap(
        lambda channels: st.tuples(
            st.lists(
                st.lists(st.floats(-100, 100, width=32), min_size=channels, max_size=channels), min_size=1, max_size=3
            ),
            st.integers(1, channels),
        )
    )
)
def test_pixelwise_on_any_features(case: tuple[list[list[float]], int]) -> None:
    pixels, k = case
    features = np.array(pixels, dtype=np.float32).T[None, :, :, None]
    found = pixelwise_topk_mean(torch.from_numpy(features), k).numpy()
    np.testing.assert_allclose(found, reference_pixelwise(features, k), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", ["ptap", "channel", "max", "avg"])
@pytest.mark.parametrize("gate", [True, False])
def test_gradients_equal_finite_differences(kind: str, gate: bool) -> None:
    pooling = AttentionPooling(kind, 0.5, gate=gate).double()  # type: ignore[arg-type]
    if pooling.gate is not None:
        torch.nn.init.normal_(pooling.gate.conv.weight)
    # Distinct values, so that no difference quotient crosses a tie.
    features = (torch.randperm(2 * 6 * 2 * 3).double() / 10 - 3).reshape(2, 6, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(pooling, (features,))


def test_gradient_of_sparse_features_goes_to_the_positive_ones() -> None:
    features = torch.tensor([3.0, 0.0, 1.0, 0.0]).reshape(1, 4, 1, 1).requires_grad_()
    pixelwise_topk_mean(torch.relu(features), 2).sum().backward()
    assert features.grad is not None
    assert features.grad.flatten().tolist() == [0.5, 0.0, 0.5, 0.0]


def test_gate_equals_the_reference() -> None:
    features = np.random.default_rng(3).standard_normal((2, 9, 4, 4)).astype(np.float32)
    gate = ChannelGate()
    with torch.no_grad():
        gate.conv.weight.copy_(torch.tensor([0.5, -1.0, 2.0]).view(1, 1, 3))
    found = gate(torch.from_numpy(features)).detach().numpy()
    assert found.shape == (2, 9, 1, 1)
    np.testing.assert_allclose(found[:, :, 0, 0], reference_gate(features, np.array([0.5, -1.0, 2.0])), rtol=1e-5)


def test_untrained_gate_leaves_the_map_up_to_scale() -> None:
    features = torch.randn(2, 9, 4, 4)
    torch.testing.assert_close(AttentionPooling(gate=True)(features) * 2, AttentionPooling(gate=False)(features))


@pytest.mark.parametrize(("share", "channels", "k"), [(0.7, 2048, 1433), (0.29, 100, 29), (0.001, 10, 1), (1.0, 7, 7)])
def test_top_count(share: float, channels: int, k: int) -> None:
    assert top_count(share, channels) == k


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01])
def test_share_out_of_range(share: float) -> None:
    with pytest.raises(ValueError, match=r"\(0, 1\], got"):
        AttentionPooling("ptap", share)


@pytest.mark.parametrize("k", [0, 4])
@pytest.mark.parametrize("pool", [pixelwise_topk_mean, channelwise_topk_mean])
def test_k_out_of_range(pool: object, k: int) -> None:
    with pytest.raises(ValueError, match=rf"\[1, 3\].*got {k}"):
        pool(torch.zeros(1, 3, 2, 2), k)  # type: ignore[operator]


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match="'median'"):
        AttentionPooling("median")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["ptap", "channel", "max", "avg"])
def test_a_traced_graph_holds_for_other_values(kind: str) -> None:
    # The shortcut for sparse features must not be frozen into a graph that was recorded on sparse ones.
    pooling = AttentionPooling(kind, 0.5, gate=False)  # type: ignore[arg-type]
    sparse, dense = torch.relu(torch.randn(1, 8, 2, 2) - 2), torch.randn(1, 8, 2, 2)
    program = torch.export.export(pooling, (sparse,)).module()
    torch.testing.assert_close(program(dense), pooling(dense))


@pytest.mark.parametrize("features", ["sparse", "dense"])
def test_sums_of_16_bit_features_do_not_overflow(features: str) -> None:
    values = torch.zeros(1, 2048, 1, 1, dtype=torch.float16)
    values[:, : 1400 if features == "sparse" else 2048] = 60  # 1400 of them sum to more than float16 holds
    found = pixelwise_topk_mean(values, 1433)
    assert found.dtype == torch.float16
    assert found.item() == pytest.approx(60 * min(1400 if features == "sparse" else 2048, 1433) / 1433, rel=1e-3)
