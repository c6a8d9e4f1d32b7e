"""The two looks by hand: regions of a map, the mean of two discriminants, sampling."""

import numpy as np
import pytest

from colocalization.common_object import (
    WHOLE,
    CommonObject,
    FirstLook,
    OutlinedObject,
    SecondLook,
    fit_first_look,
    fit_outlined,
    fit_second_look,
    sample_indices,
)
from colocalization.discriminant import Discriminant
from colocalization.prototype import Prototype
from colocalization.transform import Region

NOTHING = Prototype(np.zeros(2, np.float32), np.zeros(2, np.float32), 0.0, 0.0)
ALONG = Discriminant(np.array([1.0, 0.0], np.float32), background=0.0, foreground=1.0)


def cells(scores: np.ndarray) -> np.ndarray:
    """Features whose map along the first channel is `scores`, in [0, 1]."""
    return np.stack([scores, np.sqrt(1 - np.asarray(scores) ** 2)])


def corners(region: Region) -> tuple[float, float, float, float]:
    return region.x0, region.y0, region.x1, region.y1


def regions(scores: np.ndarray, limit: int = 1) -> list[tuple[float, float, float, float]]:
    return [corners(one) for one in FirstLook(ALONG, NOTHING).regions(cells(scores), limit)]


class TestRegions:
    def test_box_grown_by_a_quarter(self) -> None:
        scores = np.zeros((8, 8))
        scores[2:6, 1:5] = 1
        # Upsampled fourfold the edge lies where it was: x 4 to 20, y 8 to 24 of 32; then about the centre by 1.25.
        assert regions(scores) == [pytest.approx((0.0625, 0.1875, 0.6875, 0.8125))]

    def test_small_objects_get_the_least_region(self) -> None:
        scores = np.zeros((16, 16))
        scores[8, 8] = 1
        assert regions(scores) == [
            pytest.approx((8.5 / 16 - 0.125, 8.5 / 16 - 0.125, 8.5 / 16 + 0.125, 8.5 / 16 + 0.125))
        ]

    def test_nothing_stands_out(self) -> None:
        assert regions(np.full((4, 4), 0.4)) == [(0.0, 0.0, 1.0, 1.0)]

    def test_everything_stands_out(self) -> None:
        assert regions(np.ones((4, 4))) == [(0.0, 0.0, 1.0, 1.0)]

    def test_largest_first_noise_left_out_and_limited(self) -> None:
        scores = np.zeros((16, 16))
        scores[0:2, 0:2] = 1  # 4 cells
        scores[6:14, 6:14] = 1  # 64 cells: the first is less than a tenth of it
        scores[0:3, 12:15] = 1  # 9 cells
        assert len(regions(scores, limit=1)) == 1
        found = regions(scores, limit=5)
        assert len(found) == 2
        assert found[0] == pytest.approx((5 / 16, 5 / 16, 15 / 16, 15 / 16))
        assert found[1][2] > 0.9
        assert regions(scores, limit=1) == found[:1]


def test_second_look_is_the_mean_of_both_halved_and_clipped() -> None:
    tight = Discriminant(np.array([1.0, 0.0], np.float32), background=0.0, foreground=1.0)
    wide = Discriminant(np.array([1.0, 0.0], np.float32), background=0.0, foreground=0.5)
    # Scores 0, 0.5 and 1 are for `tight` 0, 0.5, 1 and for `wide` 0, 1, 2, of which (1.5 + 0.5) / 2 is the most.
    found = SecondLook(tight, wide).map(cells(np.array([[0.0, 0.5, 1.0]])))
    np.testing.assert_allclose(found, [[0.25, (0.5 + 0.75) / 2, (0.75 + 1.0) / 2]], atol=1e-6)


class TestOutlinedObject:
    across = Discriminant(np.array([0.0, 1.0], np.float32), background=0.0, foreground=1.0)

    def test_mean_of_both_looks_in_the_region(self) -> None:
        around = np.zeros((4, 4))
        around[:, 2:] = 1
        detail = np.zeros((2, 2))
        detail[0] = 1
        found = OutlinedObject(ALONG, ALONG).map(cells(around), Region(0.5, 0.0, 1.0, 1.0), cells(detail))
        # Right of the middle the first look sees the object everywhere, the second in the upper half alone.
        np.testing.assert_allclose(found, [[0.75, 0.75], [0.5, 0.5]], atol=0.02)
        assert found.dtype == np.float32

    def test_each_look_has_its_own_discriminant(self) -> None:
        nothing = np.zeros((2, 2))  # nothing along the first channel, all along the second
        assert OutlinedObject(ALONG, self.across).map(cells(nothing), features=cells(nothing)) == pytest.approx(0.5)

    def test_without_a_second_look(self) -> None:
        scores = np.array([[0.0, 0.5], [1.0, 0.0]])
        found = OutlinedObject(ALONG, self.across).map(cells(scores))
        np.testing.assert_allclose(found, (scores + 0.5) / 2, atol=1e-6)


def test_a_common_object_without_outlines_has_the_second_looks_map() -> None:
    second, outlined = SecondLook(ALONG, ALONG), OutlinedObject(ALONG, TestOutlinedObject.across)
    image, detail = cells(np.zeros((2, 2))), cells(np.ones((2, 2)))
    first = FirstLook(ALONG, NOTHING)
    assert CommonObject(first, second, None).map(image, WHOLE, detail) == pytest.approx(0.75)
    assert CommonObject(first, second, outlined).map(image, WHOLE, detail) == pytest.approx(0.25)


def test_map_of_a_whole_image_by_one_look() -> None:
    first, outlined = FirstLook(ALONG, NOTHING), OutlinedObject(TestOutlinedObject.across, ALONG)
    image = cells(np.zeros((2, 2)))  # nothing along the first channel, all along the second
    assert CommonObject(first, None, None).whole_map(image) == pytest.approx(0.25)
    assert CommonObject(first, None, outlined).whole_map(image) == pytest.approx(0.75)
    with pytest.raises(ValueError, match="nothing was learnt of second looks"):
        CommonObject(first, None, None).map(image, WHOLE, image)


class TestFitOutlined:
    @staticmethod
    def learnt(share: float) -> OutlinedObject:
        mask = np.zeros((4, 4), np.float32)
        mask[1:3, 1:3] = share
        features = [np.stack([np.where(mask > 0, 1, 0.1), np.where(mask > 0, 0.1, 1)])] * 2
        return fit_outlined(features, features, [(mask, mask)] * 2, otherwise=(ALONG, TestOutlinedObject.across))

    def test_what_outlines_cover_is_the_object(self) -> None:
        found = self.learnt(1.0)
        assert found.whole.direction.tolist() == found.region.direction.tolist()
        assert found.whole.direction[0] > 0 > found.whole.direction[1]

    @pytest.mark.parametrize("share", [0.0, 0.4])
    def test_without_two_classes_the_discriminants_stay(self, share: float) -> None:
        found = self.learnt(share)
        assert (found.whole, found.region) == (ALONG, TestOutlinedObject.across)


def blank_set() -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [np.ones((4, 4), np.float32)] * 2, [np.ones((3, 4, 4), np.float32)] * 2


def test_a_blank_set_has_no_first_and_no_second_look() -> None:
    assert fit_first_look(*blank_set()) is None
    assert fit_second_look(*blank_set()) is None


def test_looks_at_a_set_of_one_object() -> None:
    random = np.random.default_rng(0)
    mask = np.zeros((8, 8))
    mask[2:6, 2:6] = 1
    features, attention = [], []
    for _ in range(4):
        means = [3 * mask, 1 - mask, *[np.full((8, 8), 0.2)] * 3]
        features.append((np.stack(means) + 0.05 * random.standard_normal((5, 8, 8))).astype(np.float32))
        attention.append(features[-1].mean(axis=0))
    first = fit_first_look(attention, features)
    second = fit_second_look(attention, features)
    assert first is not None
    assert second is not None
    for one in features:
        assert corners(first.regions(one)[0]) == pytest.approx((1.5 / 8, 1.5 / 8, 6.5 / 8, 6.5 / 8), abs=0.05)
        assert np.array_equal(second.map(one) > 0.5, mask > 0)
        assert first.prototype.confidence(first.prototype.similarity(one, first.object)) > 0.9


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
