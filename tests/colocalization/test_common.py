"""The step over the set by hand: second looks, the mean of two discriminants, sampling."""

import numpy as np
import pytest

from colocalization.boxes import Box
from colocalization.common import CommonObject, ObjectMap, fit_object_map, sample_indices, second_look
from colocalization.consistency import fit_prototype
from colocalization.discriminant import Discriminant

ALONG = Discriminant(np.array([1.0, 0.0], np.float32), background=0.0, foreground=1.0)


def cells(scores: np.ndarray) -> np.ndarray:
    """Features whose map along the first channel is `scores`, in [0, 1]."""
    return np.stack([scores, np.sqrt(1 - np.asarray(scores) ** 2)])


class TestSecondLook:
    def test_box_grown_by_a_quarter(self) -> None:
        found = second_look(Box(20.0, 20.0, 60.0, 40.0, 1.0), 100, 50)
        assert found.in_pixels(100, 50) == pytest.approx((15.0, 17.5, 65.0, 42.5))

    def test_small_objects_get_the_least_region(self) -> None:
        found = second_look(Box(50.0, 20.0, 51.0, 21.0, 1.0), 100, 40)
        assert found.in_pixels(100, 40) == pytest.approx((38.0, 15.5, 63.0, 25.5))

    def test_cut_at_the_border(self) -> None:
        found = second_look(Box(-0.5, 0.0, 50.0, 40.2, 1.0), 100, 40)
        assert found.in_pixels(100, 40) == pytest.approx((0.0, 0.0, 56.25, 40.0))


def test_map_is_the_mean_of_both_halved_and_clipped() -> None:
    tight = Discriminant(np.array([1.0, 0.0], np.float32), background=0.0, foreground=1.0)
    wide = Discriminant(np.array([1.0, 0.0], np.float32), background=0.0, foreground=0.5)
    # Scores 0, 0.5 and 1 are for `tight` 0, 0.5, 1 and for `wide` 0, 1, 2, of which (1.5 + 0.5) / 2 is the most.
    found = ObjectMap(tight, wide).map(cells(np.array([[0.0, 0.5, 1.0]])))
    np.testing.assert_allclose(found, [[0.25, (0.5 + 0.75) / 2, (0.75 + 1.0) / 2]], atol=1e-6)


def blank_set() -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [np.ones((4, 4), np.float32)] * 2, [np.ones((3, 4, 4), np.float32)] * 2


def test_a_blank_set_has_no_map() -> None:
    assert fit_object_map(*blank_set()) is None


def test_a_set_of_one_object() -> None:
    random = np.random.default_rng(0)
    mask = np.zeros((8, 8))
    mask[2:6, 2:6] = 1
    features, attention = [], []
    for _ in range(4):
        means = [3 * mask, 1 - mask, *[np.full((8, 8), 0.2)] * 3]
        features.append((np.stack(means) + 0.05 * random.standard_normal((5, 8, 8))).astype(np.float32))
        attention.append(features[-1].mean(axis=0))
    whole = fit_object_map(attention, features)
    assert whole is not None
    common = CommonObject(whole, fit_prototype(features, whole.tight), close=None)
    for one in features:
        assert np.array_equal(whole.map(one) > 0.5, mask > 0)
        assert common.confidence(one) > 0.9


@pytest.mark.parametrize(
    ("count", "limit", "expected"),
    [(0, 3, []), (1, 3, [0]), (3, 3, [0, 1, 2]), (6, 3, [0, 2, 4]), (7, 3, [0, 2, 4]), (100, 1, [0])],
)
def test_sample(count: int, limit: int, expected: list[int]) -> None:
    assert sample_indices(count, limit).tolist() == expected


@pytest.mark.parametrize("count", [5, 64, 65, 1000, 99_999])
def test_sample_is_spread_evenly(count: int) -> None:
    found = sample_indices(count, 64)
    assert len(found) == min(count, 64)
    gaps = np.diff([*found, count])
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1


def test_sample_limit_below_one() -> None:
    with pytest.raises(ValueError, match="limit must be at least 1, got 0"):
        sample_indices(3, 0)
