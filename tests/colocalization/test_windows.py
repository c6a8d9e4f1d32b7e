"""Windows over maps of a few cells, whose values are worked out by hand or by the cells that they cover."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colocalization import windows as module
from colocalization.boxes import box_iou
from colocalization.windows import WindowSize, box_cells, box_coverage, find_windows


def scored(rows: slice, columns: slice, around: float = 0.0, shape: tuple[int, int] = (8, 8)) -> np.ndarray:
    """A map of 1 in some cells and of `around` elsewhere."""
    scores = np.full(shape, around, np.float32)
    scores[rows, columns] = 1
    return scores


def best(scores: np.ndarray, *sizes: tuple[float, float]) -> tuple[list[float], float]:
    """The best window in cells, and its value."""
    boxes, values = find_windows(scores, sizes, 1)
    rows, columns = scores.shape
    return (boxes[0] * [columns, rows, columns, rows]).round(6).tolist(), float(values[0])


class TestValue:
    def test_object_on_nothing(self) -> None:
        corners, value = best(scored(slice(2, 4), slice(3, 5)), (0.25, 0.25))
        assert corners == [3, 2, 5, 4]
        assert value == pytest.approx(1)

    @pytest.mark.parametrize("around", [-0.4, 0.2, 0.5])
    def test_what_is_around_it_is_taken_off(self, around: float) -> None:
        corners, value = best(scored(slice(2, 4), slice(3, 5), around), (0.25, 0.25))
        assert corners == [3, 2, 5, 4]
        assert value == pytest.approx(1 - module._RING_WEIGHT * around, abs=1e-6)

    @pytest.mark.parametrize("rows", [slice(0, 2), slice(6, 8)])
    @pytest.mark.parametrize("columns", [slice(0, 2), slice(6, 8)])
    def test_at_the_border_the_surroundings_are_those_in_the_map(self, rows: slice, columns: slice) -> None:
        corners, value = best(scored(rows, columns, 0.5), (0.25, 0.25))
        assert corners == [columns.start, rows.start, columns.stop, rows.stop]
        # As in the middle: what lies beyond the border counts neither for nor against it.
        assert value == pytest.approx(1 - module._RING_WEIGHT * 0.5, abs=1e-6)

    def test_half_a_cell_counts_half(self) -> None:
        scores = np.zeros((1, 4), np.float32)
        scores[0, 1] = 1
        boxes, values = find_windows(scores, [(3 / 8, 1.0)], 1)  # a cell and a half
        assert boxes[0, 0] <= 0.25
        assert boxes[0, 2] >= 0.5
        assert values[0] == pytest.approx(1 / 1.5)

    def test_a_score_counts_no_more_than_the_range_allows(self) -> None:
        low, high = module._RANGE
        scores = np.full((8, 8), -100, np.float32)
        scores[2:4, 3:5] = 100
        assert best(scores, (0.25, 0.25))[1] == pytest.approx(high - module._RING_WEIGHT * low)

    def test_the_size_that_fits_is_the_best(self) -> None:
        scores = scored(slice(2, 6), slice(2, 8))
        corners, value = best(scores, (0.25, 0.25), (0.75, 0.5), (1.0, 0.75), (0.5, 0.75))
        assert corners == [2, 2, 8, 6]
        assert value == pytest.approx(1)


class TestShapes:
    def test_an_oblong_map(self) -> None:
        corners, value = best(scored(slice(1, 3), slice(9, 12), shape=(4, 16)), (3 / 16, 0.5))
        assert corners == [9, 1, 12, 3]
        assert value == pytest.approx(1)

    @pytest.mark.parametrize("size", [(1.0, 1.0), (2.0, 1.5), (1.0001, 30.0)])
    def test_a_size_of_all_or_more_is_the_whole_map(self, size: tuple[float, float]) -> None:
        scores = scored(slice(0, 4), slice(0, 8), around=0.5)
        boxes, values = find_windows(scores, [size], 5)
        assert boxes.tolist() == [[0, 0, 1, 1]]
        assert values == pytest.approx([0.75])  # nothing is around it

    def test_one_side_larger_than_the_map(self) -> None:
        corners, value = best(scored(slice(2, 4), slice(0, 8)), (3.0, 0.25))
        assert corners == [0, 2, 8, 4]
        assert value == pytest.approx(1)

    def test_smaller_than_a_cell(self) -> None:
        (x0, y0, x1, y1), _ = best(scored(slice(5, 6), slice(2, 3)), (0.05, 0.05))
        assert 2 <= x0 < x1 <= 3
        assert 5 <= y0 < y1 <= 6
        assert (x1 - x0, y1 - y0) == pytest.approx((0.4, 0.4))

    @pytest.mark.parametrize("level", [-1.0, 0.0, 0.3, 1.0])
    @pytest.mark.parametrize("size", [(0.25, 0.25), (1.0, 1.0)])
    def test_a_map_without_any_difference_has_windows_all_the_same(
        self, level: float, size: tuple[float, float]
    ) -> None:
        boxes, values = find_windows(np.full((8, 8), level, np.float32), [size], 3)
        assert 1 <= len(boxes) == len(values) <= 3


class TestSeveral:
    def test_apart(self) -> None:
        scores = np.maximum(scored(slice(1, 3), slice(1, 3)), np.float32(0.75) * scored(slice(5, 7), slice(5, 7)))
        boxes, values = find_windows(scores, [(0.25, 0.25)], 2)
        assert (8 * boxes).round(6).tolist() == [[1, 1, 3, 3], [5, 5, 7, 7]]  # best first
        assert values == pytest.approx([1, 0.75])

    def test_side_by_side(self) -> None:
        boxes, values = find_windows(scored(slice(3, 5), slice(2, 6)), [(0.25, 0.25)], 2)
        assert sorted((8 * boxes).round(6).tolist()) == [[2, 3, 4, 5], [4, 3, 6, 5]]
        assert values[0] == pytest.approx(values[1])

    def test_no_more_than_asked_for(self) -> None:
        scores = np.random.default_rng(0).random((8, 8)).astype(np.float32)
        many = find_windows(scores, [(0.25, 0.25)], 50)
        few = find_windows(scores, [(0.25, 0.25)], 3)
        assert len(few[0]) == 3 < len(many[0])
        assert np.array_equal(few[0], many[0][:3])
        assert np.array_equal(few[1], many[1][:3])

    def test_scores_are_left_as_they_are(self) -> None:
        scores = np.full((8, 8), 7, np.float32)
        find_windows(scores, [(0.25, 0.25)], 3)
        assert (scores == 7).all()


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.lists(st.tuples(st.floats(0.03, 1.5), st.floats(0.03, 1.5)), min_size=1, max_size=3),
    st.integers(0, 999),
)
def test_windows_of_any_map(rows: int, columns: int, sizes: list[tuple[float, float]], seed: int) -> None:
    """They lie in the map, best first, without doubles; each value is that of the cells it covers."""
    scores = np.random.default_rng(seed).uniform(-0.4, 1.4, (rows, columns)).astype(np.float32)
    boxes, values = find_windows(scores, sizes, 6)
    assert 1 <= len(boxes) == len(values) <= 6
    assert (boxes >= 0).all()
    assert (boxes <= 1 + 1e-6).all()
    assert (np.diff(values) <= 1e-12).all()
    overlaps = box_iou(boxes, boxes) - np.eye(len(boxes))
    assert overlaps.max() <= module._OVERLAP + 1e-3
    for (x0, y0, x1, y1), value in zip(boxes, values, strict=True):
        across, down = (module._RING - 1) / 2 * (x1 - x0), (module._RING - 1) / 2 * (y1 - y0)
        inner = box_coverage((x0, y0, x1, y1), rows, columns).astype(np.float64)
        ring = box_coverage((x0 - across, y0 - down, x1 + across, y1 + down), rows, columns) - inner
        around = (scores * ring).sum() / ring.sum() if ring.sum() > 1e-5 else 0.0
        expected = (scores * inner).sum() / inner.sum() - module._RING_WEIGHT * around
        assert value == pytest.approx(expected, abs=2e-3)


class TestWindowSize:
    def test_of_a_box(self) -> None:
        size = WindowSize.of((0.25, 0.5, 0.75, 1.0), 200, 100)  # 100 x 50 of 200 x 100 pixels
        assert size.side == pytest.approx(0.5)
        assert size.aspect == pytest.approx(2)

    def test_in_an_image_of_another_shape_area_and_aspect_stay(self) -> None:
        # A sixteenth of 200 x 800 pixels, twice as wide as high.
        across, down = WindowSize(0.25, 2.0).shares(200, 800)
        assert across * down == pytest.approx(1 / 16)
        assert across * 200 == pytest.approx(2 * down * 800)

    def test_no_larger_than_the_image(self) -> None:
        across, down = WindowSize(0.5, 4.0).shares(100, 1600)
        assert (across, down) == (1.0, pytest.approx(0.0625))

    @given(
        st.tuples(*[st.floats(0, 0.4)] * 2, *[st.floats(0.5, 1)] * 2),
        st.integers(1, 5000),
        st.integers(1, 5000),
    )
    def test_in_its_own_image_it_is_the_box(
        self, box: tuple[float, float, float, float], width: int, height: int
    ) -> None:
        found = WindowSize.of(box, width, height).shares(width, height)
        assert found == pytest.approx((box[2] - box[0], box[3] - box[1]))


class TestCells:
    def test_centres_decide(self) -> None:
        found = box_cells((0.3, 0.0, 0.9, 0.5), 4, 4)  # centres at 1/8, 3/8, 5/8, 7/8
        assert found.tolist() == [[False, True, True, True]] * 2 + [[False] * 4] * 2

    @pytest.mark.parametrize(
        ("corners", "cell"),
        [
            ((0.26, 0.51, 0.3, 0.6), (2, 1)),  # between centres
            ((0.0, 0.0, 0.01, 0.01), (0, 0)),
            ((0.99, 0.99, 1.0, 1.0), (3, 3)),
            ((-0.5, -0.5, -0.1, -0.1), (0, 0)),  # a window of the image beyond the region
            ((1.2, 1.2, 1.5, 1.5), (3, 3)),
        ],
    )
    def test_at_least_one(self, corners: tuple[float, ...], cell: tuple[int, int]) -> None:
        assert np.argwhere(box_cells(corners, 4, 4)).tolist() == [list(cell)]

    def test_coverage_by_hand(self) -> None:
        found = box_coverage((0.125, 0.5, 0.75, 0.75), 2, 4)
        np.testing.assert_allclose(found, [[0.0, 0.0, 0.0, 0.0], [0.25, 0.5, 0.5, 0.0]], atol=1e-6)

    @pytest.mark.parametrize("corners", [(-1, -1, 2, 2), (0, 0, 1, 1)])
    def test_all_of_it(self, corners: tuple[float, ...]) -> None:
        assert (box_coverage(corners, 3, 5) == 1).all()
        assert box_cells(corners, 3, 5).all()

    @pytest.mark.parametrize("corners", [(1.1, 0, 1.5, 1), (0.6, 0, 0.4, 1)])  # beyond; more inset than there is
    def test_none_of_it(self, corners: tuple[float, ...]) -> None:
        assert not box_coverage(corners, 3, 5).any()

    @given(
        st.tuples(*[st.floats(0, 0.45)] * 2, *[st.floats(0.5, 1)] * 2),
        st.integers(1, 30),
        st.integers(1, 30),
    )
    def test_coverage_adds_up_to_the_box(self, box: tuple[float, float, float, float], rows: int, columns: int) -> None:
        area = (box[2] - box[0]) * (box[3] - box[1])
        assert box_coverage(box, rows, columns).sum(dtype=np.float64) == pytest.approx(area * rows * columns, rel=1e-4)
        assert box_cells(box, rows, columns).shape == (rows, columns)
