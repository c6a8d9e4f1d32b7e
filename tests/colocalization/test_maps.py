"""Normalisation, Otsu's threshold beside scikit-image's, upsampling."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from colocalization.maps import _histogram, cropped, min_max, otsu_separability, otsu_threshold, upsample


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[-2.0, 0.0], [1.0, 2.0]], [[0.0, 0.5], [0.75, 1.0]]),
        ([[7.0, 7.0]], [[0.0, 0.0]]),
        ([[3.0]], [[0.0]]),
        ([[-1e30, 1e30]], [[0.0, 1.0]]),
    ],
)
def test_min_max(values: list[list[float]], expected: list[list[float]]) -> None:
    found = min_max(np.array(values, dtype=np.float32))
    assert found.dtype == np.float32
    assert found.tolist() == expected


@settings(deadline=None)
@given(hnp.arrays(np.float32, (3, 4), elements=st.floats(-1000, 1000, width=32)))
def test_min_max_spans_the_unit_interval(values: np.ndarray) -> None:
    found = min_max(values)
    if values.min() == values.max():
        assert not found.any()
    else:
        assert (found.min(), found.max()) == (0.0, 1.0)
        assert found.ravel()[values.argmax()] == 1.0


def bins_of(values: np.ndarray) -> np.ndarray:
    return np.histogram(values, bins=256, range=(0.0, 1.0))[0]


@settings(deadline=None, max_examples=200)
@given(hnp.arrays(np.float64, st.integers(2, 60), elements=st.floats(0, 1)))
def test_otsu_equals_scikit_image(values: np.ndarray) -> None:
    counts = bins_of(values)
    assume((counts > 0).sum() > 1)  # else there are no two classes
    centres = (np.arange(256) + 0.5) / 256
    theirs = threshold_otsu(hist=(counts, centres))
    # A cut is a split of the bins. Ours may lie elsewhere only where no value lies between, or where both are as good.
    ours = otsu_threshold(values)
    assert between_variance(counts, centres, ours) >= between_variance(counts, centres, theirs) * (1 - 1e-9)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("spread", [1.0, 1.5])
def test_values_are_counted_as_numpy_counts_them(kind: type[np.floating[Any]], spread: float) -> None:
    values: NDArray[Any] = (np.random.default_rng(0).random((200, 300)) * spread - (spread - 1) / 2).astype(kind)
    values[0, :257] = np.arange(257) / 256  # on the edges of the bins
    values[1, :256] = np.nextafter((np.arange(256) / 256).astype(kind), kind(-1))
    counts, edges = np.histogram(values, bins=256, range=(0.0, 1.0))
    found, found_edges = _histogram(values)
    assert found.tolist() == counts.tolist()
    assert found_edges.tolist() == edges.tolist()


def between_variance(counts: np.ndarray, centres: np.ndarray, threshold: float) -> float:
    """Otsu's criterion by its definition: w0 w1 (m0 - m1)^2."""
    low = centres <= threshold
    first, second = counts[low], counts[~low]
    if not first.sum() or not second.sum():
        return 0.0
    gap = np.average(centres[low], weights=first) - np.average(centres[~low], weights=second)
    return float(first.sum() * second.sum() * gap**2 / counts.sum() ** 2)


@pytest.mark.parametrize(
    ("values", "threshold"),
    [
        ([0.0, 1.0], 0.5),  # half-way, whatever the shares
        ([0.0] * 99 + [1.0], 0.5),
        ([0.25, 0.75], 128.5 / 256),  # bins 64 and 192: the cuts from 65 to 192 are alike
        ([0.5, 0.505], 129 / 256),  # bins 128 and 129: one cut
        ([], 0.5),
        ([0.3, 0.3], 0.5),  # nothing to cut
    ],
)
def test_otsu_by_hand(values: list[float], threshold: float) -> None:
    assert otsu_threshold(np.array(values)) == pytest.approx(threshold)


def test_otsu_between_two_hills() -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(0.2, 0.03, 3000), random.normal(0.7, 0.03, 1000)])
    assert 0.3 < otsu_threshold(values) < 0.6


def test_upsampling_aligns_the_corners_of_cells_and_image() -> None:
    # Cells of 4 pixels: their centres lie at 2 and 6, pixel centres at 0.5, 1.5, ...; flat beyond the outer centres.
    found = upsample(np.array([[0.0, 1.0]], np.float32), 8, 1)
    assert found.shape == (1, 8)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1], atol=1e-6)


def test_upsampling_knows_width_from_height() -> None:
    found = upsample(np.array([[0.0], [1.0]], np.float32), 3, 6)
    assert found.shape == (6, 3)
    assert (np.diff(found, axis=0) >= 0).all()
    assert (np.diff(found, axis=1) == 0).all()


def test_upsampling_leaves_no_value_outside_of_the_map() -> None:
    values = np.random.default_rng(1).random((7, 7)).astype(np.float32)
    found = upsample(values, 101, 53)
    assert values.min() <= found.min()
    assert found.max() <= values.max()


def test_upsampling_to_a_single_pixel_is_the_mean() -> None:
    assert upsample(np.array([[0.0, 1.0], [0.0, 1.0]], np.float32), 1, 1)[0, 0] == pytest.approx(0.5)


class TestCropped:
    def test_the_whole_map_on_its_own_grid(self) -> None:
        values = np.random.default_rng(0).random((5, 7)).astype(np.float32)
        np.testing.assert_allclose(cropped(values, (0.0, 0.0, 1.0, 1.0), 7, 5), values, atol=1e-6)

    def test_whole_cells(self) -> None:
        values = np.arange(24, dtype=np.float32).reshape(4, 6)
        np.testing.assert_allclose(cropped(values, (0.5, 0.25, 1.0, 0.75), 3, 2), values[1:3, 3:], atol=1e-5)

    def test_a_slope_goes_on_between_the_cells(self) -> None:
        values = np.tile(np.arange(8, dtype=np.float32), (4, 1))
        # Columns 2 to 6 of 8 in 8 steps of half a column; a cell's value is that at its centre.
        found = cropped(values, (0.25, 0.0, 0.75, 1.0), 8, 2)
        np.testing.assert_allclose(found, np.tile(2 + (np.arange(8) + 0.5) / 2 - 0.5, (2, 1)), atol=1 / 32)

    def test_beyond_the_outermost_centres_values_stay(self) -> None:
        values = np.array([[0.0, 1.0]], np.float32)
        np.testing.assert_allclose(cropped(values, (0.0, 0.0, 0.25, 1.0), 2, 1), [[0.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.25] * 5, 0.0),  # no two classes
        ([], 0.0),
        ([0.0, 0.0, 1.0, 1.0], 1.0),  # nothing between
        ([0.0, 0.5, 1.0], 0.75),  # the best cut leaves one pair: 1/3 * 2/3 * 0.75^2 of 1/6
    ],
)
def test_separability_is_the_share_of_the_variance_between_the_classes(values: list[float], expected: float) -> None:
    assert otsu_separability(np.array(values, dtype=np.float32)) == pytest.approx(expected, abs=0.01)
